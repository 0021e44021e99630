# SPDX-License-Identifier: EUPL-1.2
"""What a stranger seals by the reference page opens with our program, for every quorum, and with the second opener."""

import itertools
import os

import pytest

from crypto.header import EnvelopeKind, require_holders
from crypto.manifest import tag_key
from crypto.reader import EnvelopeReader
from crypto.sealing import bytes_reader
from crypto.slots import recover_file_key
from tests.crypto.holders import BIDDER, Holders, head_of, make_holders
from tests.second.opener import open_envelope
from tests.second.sealer import Wanted, seal_envelope

CONTENTS = {
    "several documents, one of them empty": {
        "offre/prix.csv": b"lot;prix\n1;42\n",
        "vide.txt": b"",
        "plan": b"p" * 51200,
    },
    "a body that fills its chunks": {"plan.bin": b"p" * (4 * 16384 - 200)},
    "more documents than a chunk holds": {f"dossier/{n}.txt": b"%d" % n * n for n in range(400)},
}


def wanted(documents: dict[str, bytes]) -> Wanted:
    return Wanted(1, os.urandom(16), BIDDER, documents, os.urandom(32))


def opened_by_us(holders: Holders, sealed: bytes, *, quorum: tuple[object, ...]) -> EnvelopeReader:
    head = head_of(sealed)
    require_holders(head.header, holders.policy)
    shares = holders.shares(head, [key for key in holders.custodians + holders.gates if key in quorum])
    return EnvelopeReader(bytes_reader(sealed), len(sealed), recover_file_key(head, shares))


@pytest.mark.proves("CONF-11")
@pytest.mark.parametrize("documents", CONTENTS.values(), ids=CONTENTS)
def test_what_a_stranger_seals_by_the_page_opens_for_every_quorum(documents: dict[str, bytes]) -> None:
    holders = make_holders(2, 3)
    one = wanted(documents)
    sealed = seal_envelope(holders.policy.encode(), one)

    for pair in itertools.combinations(holders.custodians, 2):
        reader = opened_by_us(holders, sealed, quorum=(*pair, *holders.gates))
        read = {document.path: b"".join(reader.read(document.path)) for document in reader.manifest.documents}

        assert read == documents
        assert len(reader.check(BIDDER)) == len(documents)
        assert reader.manifest.tag_key == tag_key(one.secret, one.envelope_id)
        assert reader.header.kind is EnvelopeKind.BID


@pytest.mark.proves("CONF-11")
def test_both_halves_of_the_second_implementation_agree_where_trustees_hold_too() -> None:
    holders = make_holders(2, 4, trustees=(3, 5))
    documents = {"a/b.txt": b"", "prix.txt": b"42\n"}
    one = wanted(documents)
    masters = {key.kid: bytes(key._master) for key in (*holders.custodians, *holders.gates, *holders.trustees)}

    opened = open_envelope(seal_envelope(holders.policy.encode(), one), masters)

    assert opened.documents == documents
