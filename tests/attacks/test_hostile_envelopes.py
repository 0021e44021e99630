# SPDX-License-Identifier: EUPL-1.2
"""Attacks by who seals: wrong dealers, copies, foreign holders, rewritten headers, false manifests; others open."""

import itertools
import os
from collections.abc import Iterator
from dataclasses import replace

import cbor2
import pytest

from crypto.encoding import u32
from crypto.errors import (
    AlreadySealedError,
    CryptoError,
    HoldersError,
    KindError,
    ManifestError,
    ShareError,
)
from crypto.header import EnvelopeKind, Header, require_holders
from crypto.manifest import Document, Manifest, documents_tag, padded_length, require_path, tag_key
from crypto.opening_rules import require_canary
from crypto.policy import Mode
from crypto.sealing import EnvelopeSealer
from crypto.shares import split
from crypto.slots import check_share, file_key, open_slot, recover_file_key
from crypto.stream import CobEncryptor
from tests.attacks.told_opening import (
    body_under,
    core_of,
    dealt,
    drawn,
    honest_header,
    hostile,
    listed_as,
    outcomes,
)
from tests.crypto.holders import BIDDER, head_of
from tests.crypto.procedure import Sealed, Told, holders
from tests.crypto.test_reader import FALSE_MANIFESTS, PRICE_DOCUMENT, listing


@pytest.fixture(scope="module")
def told() -> Told:
    return Told()


@pytest.fixture(scope="module")
def good(told: Told) -> Sealed:
    return told.seal()


@pytest.mark.proves("T22", "CONF-01")
@pytest.mark.parametrize("how", ["two polynomials", "one place twice", "places exchanged", "a place that is none"])
def test_attack_T22_shares_dealt_wrongly_are_dealt_for_every_quorum_and_other_bids_open(
    told: Told, good: Sealed, how: str
) -> None:
    core, secrets = core_of(told), drawn()
    one, other = split(secrets.custodians, 2, 3), split(bytes(32), 2, 3)
    shares = {
        "two polynomials": [one[0], other[1], one[2]],
        "one place twice": [one[0], one[0], one[2]],
        "places exchanged": [one[1], one[0], one[2]],
        "a place that is none": [one[0], one[1], one[2][:32] + b"\x00"],
    }[how]
    bad = hostile(dealt(told, shares, core, secrets), secrets)

    assert outcomes(told, [bad, good]) == ["dealt", "opened"]
    head = head_of(bad.whole)
    for chosen in itertools.combinations(told.holders.custodians, 2):
        with pytest.raises(CryptoError) as refusal:
            recover_file_key(head, told.holders.shares(head, (*chosen, *told.holders.gates)))
        assert refusal.value.code == "dealt"


@pytest.mark.proves("T24")
def test_attack_T24_one_file_under_two_keys_opens_as_one_bid_only(told: Told, good: Sealed) -> None:
    core, secrets = core_of(told), drawn()
    header = honest_header(told, core, secrets)
    other = listed_as(body_under(header, os.urandom(32)))

    assert outcomes(told, [hostile(header, secrets)]) == ["opened"]
    assert outcomes(told, [other, good]) == ["commitment", "opened"]


@pytest.mark.proves("T26", "DEP-17")
def test_attack_T26_a_rivals_copy_opens_under_no_other_id_and_in_no_other_name(told: Told, good: Sealed) -> None:
    header = head_of(good.whole).header
    copied = replace(header, core=replace(header.core, envelope_id=os.urandom(16)))
    under_new_id = listed_as(copied.framed + good.whole[len(good.framed) :])

    assert outcomes(told, [under_new_id, good]) == ["quorum", "opened"]  # no slot of it opens
    custodian = told.holders.custodians[0]
    with pytest.raises(ShareError):
        open_slot(copied, custodian.kid, custodian.kem, kind=EnvelopeKind.BID)
    secrets = drawn()
    in_another_name = hostile(honest_header(told, core_of(told), secrets), secrets, bidder="siret:1")
    assert outcomes(told, [in_another_name, good]) == ["manifest", "opened"]


def _foreign(told: Told, header: Header) -> Iterator[tuple[str, Header]]:
    """Headers whose holders are not the policy's."""
    mine, gate = header.groups
    other = head_of(Told(holders(1, 2)).seal().whole).header.groups[0]
    yield "foreign slots", replace(header, groups=(other, gate))
    yield "swapped", replace(header, groups=(replace(mine, slots=mine.slots[::-1]), gate))
    yield "k lowered", replace(header, groups=(replace(mine, k=1), gate))
    yield "added", replace(header, groups=(replace(mine, slots=(*mine.slots, other.slots[0])), gate))
    yield "missing", replace(header, groups=(replace(mine, slots=mine.slots[:2]), gate))
    yield "no gate", replace(header, groups=(mine, replace(gate, slots=mine.slots[:1])))
    assert told.policy.hash == header.policy_hash


@pytest.mark.proves("T27", "CONF-06")
@pytest.mark.parametrize("number", range(6))
def test_attack_T27_holders_that_are_not_the_policys_get_no_share(told: Told, good: Sealed, number: int) -> None:
    secrets = drawn()
    name, header = list(_foreign(told, honest_header(told, core_of(told), secrets)))[number]
    bad = hostile(header, secrets)

    with pytest.raises(HoldersError):
        require_holders(header, told.policy)
    assert outcomes(told, [bad, good]) == ["holders", "opened"], name


@pytest.mark.proves("T27")
def test_attack_T27_slots_exchanged_behind_the_right_names_give_no_share(told: Told, good: Sealed) -> None:
    secrets = drawn()
    header = honest_header(told, core_of(told), secrets)
    one, other, third = header.groups[0].slots
    slots = (replace(one, sealed=other.sealed), replace(other, sealed=one.sealed), third)
    exchanged = replace(header, groups=(replace(header.groups[0], slots=slots), header.groups[1]))

    assert outcomes(told, [hostile(exchanged, secrets), good]) == ["quorum", "opened"]


@pytest.mark.proves("T28", "CONF-06")
@pytest.mark.parametrize(
    ("changed", "word"),
    [
        ({"box": 2}, "list"),
        ({"envelope_id": bytes(16)}, "quorum"),
        ({"mode": Mode.CLIENT}, "quorum"),
        ({"kind": EnvelopeKind.CANARY}, "kind"),
        ({"policy_hash": bytes(32)}, "policy"),
    ],
)
def test_attack_T28_a_header_rewritten_after_sealing_opens_nothing(
    told: Told, good: Sealed, changed: dict[str, object], word: str
) -> None:
    header = head_of(good.whole).header
    rewritten = replace(header, core=replace(header.core, **changed))  # type: ignore[arg-type]
    bad = listed_as(rewritten.framed + good.whole[len(good.framed) :])
    another = told.seal()

    assert outcomes(told, [bad, another]) == [word, "opened"]
    custodian = told.holders.custodians[0]
    with pytest.raises(ShareError):  # whoever skips those checks: the slot is bound to what was rewritten
        open_slot(rewritten, custodian.kid, custodian.kem, kind=rewritten.kind)


@pytest.mark.proves("T29", "DEP-12")
def test_attack_T29_a_financial_envelope_in_the_technical_list_gives_no_share(told: Told, good: Sealed) -> None:
    assert outcomes(told, [told.seal(box=2), good]) == ["list", "opened"]


@pytest.mark.proves("T30", "T60")
def test_attack_T30_a_bid_presented_as_a_canary_gives_no_share(told: Told, good: Sealed) -> None:
    header = head_of(good.whole).header
    dressed = replace(header, core=replace(header.core, kind=EnvelopeKind.CANARY))
    custodian = told.holders.custodians[0]

    require_canary(dressed.framed, told.policy)  # it looks like one
    with pytest.raises(ShareError):
        open_slot(dressed, custodian.kid, custodian.kem, kind=EnvelopeKind.CANARY)


@pytest.mark.proves("T60")
def test_attack_T60_no_slot_of_a_bid_opens_in_a_rehearsal(told: Told, good: Sealed) -> None:
    custodian = told.holders.custodians[0]
    header = head_of(good.whole).header

    with pytest.raises(KindError):
        require_canary(good.framed, told.policy)
    with pytest.raises(KindError):
        open_slot(header, custodian.kid, custodian.kem, kind=EnvelopeKind.CANARY)


@pytest.mark.proves("T20")
def test_attack_T20_a_share_of_another_place_or_envelope_is_not_the_committed_one(told: Told, good: Sealed) -> None:
    header, other = head_of(good.whole).header, head_of(told.seal().whole)
    kids = [key.kid for key in told.holders.custodians]
    own = told.holders.shares(head_of(good.whole), told.holders.custodians)
    foreign = told.holders.shares(other, told.holders.custodians)

    for share in (own[kids[1]], foreign[kids[0]], bytes(33), os.urandom(33), own[kids[0]][:32]):
        with pytest.raises(ShareError) as refusal:
            check_share(header, kids[0], share)
        assert refusal.value.kid == kids[0]


def _of_plaintext(header: Header, key: bytearray, plain: bytes) -> Sealed:
    stream = CobEncryptor(key, header.body_context)
    return listed_as(bytes(header.framed + stream.head + stream.update(plain) + stream.finish()))


@pytest.mark.proves("T35", "DEP-17", "DEP-18", "OPEN-15")
@pytest.mark.parametrize("name", [*FALSE_MANIFESTS, "digest", "padding", "length"])
def test_attack_T35_a_false_manifest_lets_no_document_out_and_other_bids_open(
    told: Told, good: Sealed, name: str
) -> None:
    content = b"42\n" if name != "digest" else b"43\n"
    manifest = FALSE_MANIFESTS.get(name, listing(PRICE_DOCUMENT))
    padding = bytearray(padded_length(len(content), len(manifest)) - len(content) - len(manifest) - 4)
    padding[-1] = name == "padding"
    plain = content + padding + manifest + u32(len(manifest) + (name == "length"))
    secrets = drawn()
    header = honest_header(told, core_of(told), secrets)

    assert outcomes(told, [_of_plaintext(header, file_key(secrets), plain), good]) == ["manifest", "opened"]


PATHS = ("/etc/passwd", "..", "a/../b", "a//b", "a/", "./a", "a\\b", "C:\\a", "a/\u202eb", "a\nb", "a\x00", "x" * 1025)


@pytest.mark.proves("DEP-17", "T35")
@pytest.mark.parametrize("path", [*PATHS, "", "y" * 256 + "/a", "\ud800"], ids=ascii)
def test_attack_T35_a_path_that_leads_elsewhere_is_refused_when_sealing_and_when_opening(path: str) -> None:
    with pytest.raises(ManifestError):
        require_path(path)
    try:
        payload = cbor2.dumps({1: BIDDER, 2: bytes(32), 3: [[path, 0, bytes(32)]]}, canonical=True)
    except UnicodeEncodeError:
        return  # it has no bytes to be read
    with pytest.raises(ManifestError):
        Manifest.decode(payload)


TWINS = [("a", "A"), ("é", "e\u0301"), ("straße", "STRASSE"), ("ﬁn", "fin"), ("K", "k"), ("a/b", "A/B")]


@pytest.mark.proves("DEP-17", "T35")
@pytest.mark.parametrize("twins", TWINS, ids=ascii)
def test_attack_T35_two_paths_that_are_one_on_some_file_system_are_refused(twins: tuple[str, str]) -> None:
    documents = tuple(Document(path, 0, bytes(32)) for path in twins)
    payload = cbor2.dumps(
        {1: BIDDER, 2: bytes(32), 3: [[one.path, one.size, one.sha256] for one in documents]},
        canonical=True,
    )

    with pytest.raises(ManifestError):
        Manifest.decode(payload)


@pytest.mark.proves("T36")
def test_attack_T36_an_envelope_is_not_sealed_again_however_it_comes(told: Told, good: Sealed) -> None:
    for split_at in (len(good.whole), 1, 7, 8):
        sealer = EnvelopeSealer(
            told.policy, 1, os.urandom(16), kind=EnvelopeKind.BID, bidder=BIDDER, deposit_secret=bytes(32)
        )
        sealer.begin_document("offre.tvse")
        pieces = (good.whole[place : place + split_at] for place in range(0, len(good.whole), split_at))
        with pytest.raises(AlreadySealedError):
            _update_all(sealer, pieces)


def _update_all(sealer: EnvelopeSealer, pieces: Iterator[bytes]) -> None:
    for piece in pieces:
        sealer.update(piece)


@pytest.mark.proves("T45")
def test_attack_T45_one_byte_or_another_secret_gives_another_tag() -> None:
    listed = [Document("prix.txt", 3, bytes(32))]
    tag = documents_tag(tag_key(bytes(32), bytes(16)), listed)
    others = [
        documents_tag(tag_key(bytes(31) + b"\x01", bytes(16)), listed),
        documents_tag(tag_key(bytes(32), bytes(15) + b"\x01"), listed),
        documents_tag(tag_key(bytes(32), bytes(16)), [Document("prix.txt", 4, bytes(32))]),
        documents_tag(tag_key(bytes(32), bytes(16)), [Document("prix.txt", 3, bytes(31) + b"\x01")]),
        documents_tag(tag_key(bytes(32), bytes(16)), [Document("Prix.txt", 3, bytes(32))]),
        documents_tag(tag_key(bytes(32), bytes(16)), listed * 2),
    ]

    assert len({tag, *others}) == 7
