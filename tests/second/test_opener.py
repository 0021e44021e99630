# SPDX-License-Identifier: EUPL-1.2
"""What we seal opens with a reader that was written from the reference page alone."""

import itertools

import pytest

from crypto.errors import FormatError
from crypto.header import parse_prefix
from crypto.manifest import tag_key
from crypto.sealing import seal_whole
from tests.crypto.holders import BIDDER, DOCUMENTS, make_holders
from tests.second.opener import READERS, open_envelope, suite_of
from tests.vectors import protocol
from tests.vectors.test_protocol import sealer

CHUNK = 16384
CONTENTS = {
    "several documents, one of them empty": DOCUMENTS,
    "a document that fills its chunks": (("plan.bin", b"p" * (3 * CHUNK)),),
    "more documents than a chunk holds": tuple((f"dossier/{n}.txt", b"%d" % n * n) for n in range(400)),
}


@pytest.mark.proves("CONF-11")
@pytest.mark.parametrize("documents", CONTENTS.values(), ids=CONTENTS)
def test_what_we_seal_opens_by_the_page_alone(documents: tuple[tuple[str, bytes], ...]) -> None:
    holders = make_holders(2, 3)
    sealed = holders.seal(documents)
    for pair in itertools.combinations(holders.custodians, 2):
        masters = {key.kid: bytes(key._master) for key in (*pair, *holders.gates)}

        opened = open_envelope(sealed, masters)

        assert opened.bidder == BIDDER
        assert opened.documents == dict(documents)


@pytest.mark.proves("CONF-11")
def test_an_envelope_of_the_first_suite_names_it_and_opens_with_the_reader_of_that_name() -> None:
    sealed = seal_whole(sealer(), protocol.DOCUMENTS)
    masters = {
        bytes.fromhex(protocol.CUSTODIAN_KID): protocol.CUSTODIAN_MASTER,
        bytes.fromhex(protocol.GATE_KID): protocol.GATE_MASTER,
    }

    assert suite_of(sealed) in READERS
    opened = open_envelope(sealed, masters)

    assert opened.documents == dict(protocol.DOCUMENTS)
    assert opened.tag_key == tag_key(protocol.DEPOSIT_SECRET, protocol.ENVELOPE_ID)


@pytest.mark.proves("CONF-11")
@pytest.mark.parametrize(("version", "suite"), [(1, 2), (2, 1), (0, 1), (1, 0)])
def test_an_envelope_of_another_suite_is_told_apart_before_anything_else_is_read(version: int, suite: int) -> None:
    named = protocol.FRAMED_HEADER[:8] + version.to_bytes(2, "big") + suite.to_bytes(2, "big")

    assert suite_of(named) not in READERS
    with pytest.raises(FormatError):
        parse_prefix(named + protocol.FRAMED_HEADER[12:16])
