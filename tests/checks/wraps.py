# SPDX-License-Identifier: EUPL-1.2
"""The key store: every row's key is there and opens, and no key is there without a reason.

Rules
  1. Each envelope's object key unwraps; each procedure has its key and its gate seed, that of its policy's card.
  2. An opening under way has its seed, and it is that of its public key; a minuted one has none left.
  3. Once keyed, each envelope that is keyed or opened has a file key that fits its body. An envelope whose box is not
     being opened has none: a file key there would open a bid early.
  4. What is left over is what the sweep is due for: the key of an object that was never stored, the seed of an opening
     that is over or never came to be. A draft that was broken off leaves its procedure's key and seed: nothing was
     sealed under them.
"""

from collections.abc import Iterator
from uuid import UUID

from crypto.errors import CryptoError
from crypto.hpke import KemKey
from crypto.policy import Role
from crypto.wraps import WrapKind
from tests.checks.stored import Finding, Stored
from vault.envelopes import Kept
from vault.errors import VaultError
from vault.lifecycle import EnvelopeState
from vault.models import OpeningRow, OpeningState
from vault.opening import due
from vault.opening.offer import seed_id
from vault.opening.reading import open_reader
from vault.store.names import key_id, key_kind_prefix, key_name, object_name

UNDER_WAY = (OpeningState.PREPARED, OpeningState.OFFERED, OpeningState.RELEASED)
HAS_FILE_KEY = (EnvelopeState.KEYED, EnvelopeState.OPENED)
Failures = (CryptoError, VaultError)


def check(stored: Stored) -> Iterator[Finding]:
    """All of it."""
    yield from _procedures(stored)
    for kept in stored.envelopes.values():
        yield from _object_key(stored, kept)
        yield from _file_key(stored, kept)
    for row in stored.openings:
        yield from _seed(stored, row)
    yield from _without_reason(stored)


def _procedures(stored: Stored) -> Iterator[Finding]:
    for procedure in stored.procedures:
        try:
            stored.works.keys.get(WrapKind.PROCEDURE, procedure, parent=stored.works.keys.root)
            kid = stored.works.gate.keys.get(procedure).kid
        except Failures as error:
            yield Finding("procedure-without-key", f"{procedure}: {error}")
            continue
        for policy in stored.policies(procedure):
            if kid not in {card.kid for card in policy.cards(Role.GATE)}:
                yield Finding("gate-seed-of-another-card", str(procedure))


def _object_key(stored: Stored, kept: Kept) -> Iterator[Finding]:
    try:
        stored.works.keys.object(kept.facts.procedure, kept.facts.object_id)
    except Failures as error:
        yield Finding("object-without-key", f"{kept.id}: {error}")


def _file_key(stored: Stored, kept: Kept) -> Iterator[Finding]:
    name = key_name(WrapKind.FILE, kept.facts.object_id.bytes)
    if kept.state in HAS_FILE_KEY:
        try:
            open_reader(stored.works, kept.facts)
        except Failures as error:
            yield Finding("file-key-does-not-fit", f"{kept.id}: {error}")
    elif name in stored.keys and not _is_being_opened(stored, kept):
        yield Finding("file-key-before-its-opening", str(kept.id))


def _is_being_opened(stored: Stored, kept: Kept) -> bool:
    """Whether the gate has released its shares over this envelope's closing."""
    released = {one.opening_id for one in stored.gate.releases}
    return any(row.id in released and kept.row.closing_id in due.closings(row) for row in stored.openings)


def _seed(stored: Stored, row: OpeningRow) -> Iterator[Finding]:
    public = due.opening_of(row).opening_key
    name = key_name(WrapKind.OPENING_SEED, seed_id(public).bytes)
    if row.state is OpeningState.MINUTED and name in stored.keys:
        yield Finding("opening-seed-not-destroyed", row.id.hex()[:16])
    if row.state in UNDER_WAY:
        try:
            parent = stored.works.keys.procedure(row.procedure_id)
            seed = stored.works.keys.get(WrapKind.OPENING_SEED, seed_id(public), parent=parent)
        except Failures as error:
            yield Finding("opening-without-seed", f"{row.id.hex()[:16]}: {error}")
            return
        if KemKey(seed).public != public:
            yield Finding("opening-seed-of-another-key", row.id.hex()[:16])


def _without_reason(stored: Stored) -> Iterator[Finding]:
    begun = {one.facts.object_id for one in stored.attempts}
    held = {kept.facts.object_id for kept in stored.envelopes.values()}
    for name in stored.keys:
        if name.startswith(key_kind_prefix(WrapKind.OBJECT)):
            object_id = UUID(bytes=key_id(name))
            if object_id not in begun | held and object_name(object_id.bytes) in stored.objects:
                yield Finding("wrap-without-reason", name)
        elif name.startswith(key_kind_prefix(WrapKind.FILE)):
            if UUID(bytes=key_id(name)) not in held:
                yield Finding("wrap-without-reason", name)
        elif not name.startswith(_KNOWN):
            yield Finding("wrap-without-reason", name)


_KNOWN = tuple(
    key_kind_prefix(kind) for kind in (WrapKind.PROCEDURE, WrapKind.GATE_SEED, WrapKind.OPENING_SEED, WrapKind.INDEX)
)
