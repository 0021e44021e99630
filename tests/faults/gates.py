# SPDX-License-Identifier: EUPL-1.2
"""Gates that fail: one dies, one's answers are garbled on their way, one signs nothing and forgets what it was told."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace

from crypto.bundle import BundleHead
from crypto.statement import Kind, Statement, parse_note
from vault.gate.service import Gate, HeaderReader
from vault.rows import Stamp

How = Callable[[Statement], Statement]


@dataclass(frozen=True)
class BrokenGate(Gate):
    """It dies of a fault of its own, wherever it is asked."""

    def accept_policy(self, note: bytes) -> Statement:
        raise ZeroDivisionError(len(note))

    def accept_closing(
        self, note: bytes, entries: bytes, tokens: Sequence[Stamp], *, decision: bytes | None = None
    ) -> None:
        raise ZeroDivisionError((len(note), len(entries), len(tokens), decision))

    def sign_opening(self, head: BundleHead) -> Statement:
        raise ZeroDivisionError(head.opening.kind)

    def release(self, head: BundleHead, contributions: Iterable[bytes], header: HeaderReader) -> Statement:
        raise ZeroDivisionError((head.opening.kind, contributions, header))


@dataclass(frozen=True)
class SpoilingGate(Gate):
    """Its statements are changed on their way.

    Attributes:
        how: what becomes of each.
        forgets: whether it says that it has accepted a closing, and has not.
    """

    how: How = field(default=lambda said: said)
    forgets: bool = False

    def accept_policy(self, note: bytes) -> Statement:
        return self.how(super().accept_policy(note))

    def accept_closing(
        self, note: bytes, entries: bytes, tokens: Sequence[Stamp], *, decision: bytes | None = None
    ) -> None:
        if not self.forgets:
            super().accept_closing(note, entries, tokens, decision=decision)

    def sign_opening(self, head: BundleHead) -> Statement:
        return self.how(super().sign_opening(head))

    def release(self, head: BundleHead, contributions: Iterable[bytes], header: HeaderReader) -> Statement:
        return self.how(super().release(head, contributions, header))


def broken(gate: Gate) -> Gate:
    """A gate that dies, in this one's place."""
    return BrokenGate(engine=gate.engine, clock=gate.clock, keys=gate.keys, anchors=gate.anchors)


def garbling(gate: Gate) -> Gate:
    """A gate whose signatures come back changed."""
    return SpoilingGate(
        engine=gate.engine, clock=gate.clock, keys=gate.keys, anchors=gate.anchors, how=_with_wrong_signature
    )


def lying(gate: Gate) -> Gate:
    """A gate that does not sign, releases other shares, and forgets closings."""
    return SpoilingGate(
        engine=gate.engine, clock=gate.clock, keys=gate.keys, anchors=gate.anchors, how=_other, forgets=True
    )


def _with_wrong_signature(said: Statement) -> Statement:
    last = said.signatures[-1]
    wrong = replace(last, value=last.value[:-1] + bytes((last.value[-1] ^ 1,)))
    return parse_note(replace(said, signatures=(*said.signatures[:-1], wrong)).note, said.kind)


def _other(said: Statement) -> Statement:
    if said.kind is Kind.RELEASE:
        return replace(said, payload=said.payload[:-1] + bytes((said.payload[-1] ^ 1,)))
    return replace(said, signatures=())
