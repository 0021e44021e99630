# SPDX-License-Identifier: EUPL-1.2
"""Lists, statements and leaves are the bytes that the protocol prints (protocol §7)."""

from crypto.ceremony import Closing, EnvelopeList, ListEntry
from crypto.encoding import from_millis, sha256
from crypto.merkle import Event, EventKind, leaf_data
from crypto.sealing import seal_whole
from crypto.statement import Kind, Signer, parse_note, require_signers
from tests.vectors import protocol
from tests.vectors.test_protocol import sealer

LIST_ROOT = "be72a9bfcbd35abba65d104398845bd0"
CLOSING_ID = "b7afabbb519a37da07fa3eec231d47d8"
SIGNATURE_LINE = (
    "\u2014 vault.example/statements "
    "tzZ9IdAzMu6YKXI+9I00Ql6oDJKol+XTiOiP6kXiPVnPv7/t7nDZ6VunpM0byIxYORFPI69+zyshJ3IbB8QosL25xAw=\n"
)
LEAF = "016d36e5fe5072aae4dc91eabd1bb7f4"


def envelopes() -> EnvelopeList:
    """The protocol's list: its envelope, and one made up."""
    sealed = seal_whole(sealer(), protocol.DOCUMENTS)
    header_hash = sha256(protocol.FRAMED_HEADER)
    return EnvelopeList(
        (
            ListEntry(protocol.ENVELOPE_ID, header_hash, sha256(sealed), len(sealed)),
            ListEntry(protocol.counting(0xB0, 16), sha256(b"h"), sha256(b"s"), 5000),
        )
    )


def closing() -> Closing:
    """The protocol's closing."""
    return Closing(
        policy_hash=protocol.POLICY_HASH,
        box=1,
        count=2,
        root=envelopes().root,
        deadline=from_millis(1_800_000_000_000),
        at=from_millis(1_800_000_060_000),
    )


def test_the_list_has_the_printed_root() -> None:
    assert envelopes().root[:16].hex() == LIST_ROOT


def test_the_closing_has_the_printed_id() -> None:
    assert closing().statement.id[:16].hex() == CLOSING_ID


def test_the_closing_signs_to_the_printed_line() -> None:
    vault = Signer.from_seed("vault.example/statements", protocol.counting(0x10, 32))

    signed = closing().statement.signed_by(vault)

    assert signed.note.decode().endswith("\n\n" + SIGNATURE_LINE)
    assert require_signers(parse_note(signed.note, Kind.CLOSING), [vault.verifier], 1) == {vault.name}


def test_the_event_has_the_printed_leaf() -> None:
    event = Event(EventKind.ENVELOPE_SEALED, from_millis(1_800_000_000_000), protocol.counting(0x50, 16), sha256(b"D"))

    assert leaf_data(event, protocol.counting(0, 32))[:16].hex() == LEAF
