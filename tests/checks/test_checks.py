# SPDX-License-Identifier: EUPL-1.2
"""The checks can fail: each thing that may be wrong is planted once, and named."""

from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import replace
from datetime import timedelta
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text

from crypto.events import EventKind, leaf_data
from crypto.policy import Part
from crypto.wraps import WrapKind
from deploy.embedded import Addresses
from tests.checks import CHECKS, check_everything, findings
from tests.checks.stored import Stored, Told, read
from tests.world.world import ACME, ZENITH, World
from vault.envelopes import Kept
from vault.lifecycle import BoxState, ContributionState, EnvelopeState
from vault.models import AttemptState, OpeningState
from vault.store.names import CHECKPOINTS, OBJECTS, TEXTS, TILES, key_name


@pytest.fixture(scope="module")
def told(module_addresses: Addresses) -> Iterator[World]:
    """A procedure with one box opened, one closed with a late and a superseded envelope, and one still open."""
    world = World(module_addresses)
    world.publish(world.draft(k=1, n=2))
    world.deposit(ACME)
    world.withdraw(world.deposit(ZENITH).id, ZENITH)
    world.deposit(ACME)
    world.deposit(ZENITH, part=Part.FINANCIAL)
    world.after_settle()
    world.deposit(ACME, part=Part.FINANCIAL)
    world.close_box(1)
    world.close_box(2)
    world.open_boxes(1, by=1)
    world.publish(world.draft(k=1, n=2))
    world.deposit(ACME)
    yield world
    world.close()


@pytest.fixture
def stores(told: World) -> Iterator[World]:
    """The same, whose stores are put back afterwards."""
    objects, keys = deepcopy(told.store.versions), dict(told.key_store.keys)
    yield told
    told.store.versions, told.key_store.keys = objects, keys


def _words(stored: Stored) -> set[str]:
    return {one.word for one in (*stored.findings, *(found for check in CHECKS for found in check(stored)))}


def _kept(stored: Stored, state: EnvelopeState) -> Kept:
    return next(one for one in stored.envelopes.values() if one.state is state)


def _with_facts(stored: Stored, state: EnvelopeState, **changed: object) -> None:
    kept = _kept(stored, state)
    stored.envelopes[kept.id] = replace(kept, facts=replace(kept.facts, **changed))  # type: ignore[arg-type]


def _told(stored: Stored, kind: EventKind) -> Told:
    return next(one for one in stored.told if one.event is not None and one.event.kind is kind)


def _row(stored: Stored, state: EnvelopeState, name: str, value: object) -> None:
    setattr(_kept(stored, state).row, name, value)


def _without(stored: Stored, kind: EventKind) -> None:
    stored.told = [one for one in stored.told if one is not _told(stored, kind)]


def _twice(stored: Stored, kind: EventKind) -> None:
    stored.told = [*stored.told, _told(stored, kind)]


def _other_salt(stored: Stored) -> None:
    one = _told(stored, EventKind.BOX_KEYED)
    assert one.event is not None
    one.row.leaf = leaf_data(one.event, bytes(32))


def _swap_places(stored: Stored) -> None:
    first, second = (one.row for one in stored.told if one.row.position in {0, 1})
    first.position, second.position = second.position, first.position


def _box(stored: Stored, state: BoxState, name: str, value: object) -> None:
    setattr(next(one for one in stored.boxes.values() if one.state is state), name, value)


def _nothing_begun(stored: Stored) -> None:
    stored.attempts = []
    stored.envelopes.clear()


def _still_open(stored: Stored) -> None:
    for one in stored.attempts:
        one.row.state = AttemptState.OPEN


def _another_person_twice(stored: Stored) -> None:
    stored.contributions = [*stored.contributions, stored.contributions[0]]


ROWS: dict[str, tuple[str, Callable[[Stored], object]]] = {
    "a leaf that is another event's": ("leaf-of-another-event", _other_salt),
    "two places swapped": ("head-of-another-tree", _swap_places),
    "a place left out": ("gap-in-the-log", lambda s: setattr(s.told[-1].row, "position", 10_000)),
    "a head over another root": ("head-of-another-tree", lambda s: setattr(s.checkpoints[-1], "root", bytes(32))),
    "a head that nobody signed": ("head-not-signed", lambda s: setattr(s.checkpoints[-1], "note", s.openings[0].note)),
    "no row of the newest head": ("head-without-row", lambda s: s.checkpoints.pop(0)),  # type: ignore[attr-defined]
    "a fact whose entry is missing": ("fact-not-told", lambda s: _without(s, EventKind.ENVELOPE_OPENED)),
    "an entry told twice": ("fact-told-twice", lambda s: _twice(s, EventKind.OPENING_SIGNED)),
    "a withdrawal told twice": ("fact-told-twice", lambda s: _twice(s, EventKind.ENVELOPE_WITHDRAWN)),
    "an entry whose row is gone": ("entry-without-fact", lambda s: s.envelopes.pop(_kept(s, EnvelopeState.LATE).id)),
    "an acknowledged entry gone": (
        "acknowledged-not-in-the-journal",
        lambda s: _without(s, EventKind.ENVELOPE_SEALED),
    ),
    "an entry of a closed box hidden": (
        "entry-of-a-closed-box-hidden",
        lambda s: setattr(_told(s, EventKind.ENVELOPE_OPENED).row, "procedure_id", None),
    ),
    "a receipt of other bytes": (
        "receipt-of-another-record",
        lambda s: _with_facts(s, EnvelopeState.LATE, receipt=_kept(s, EnvelopeState.LISTED).facts.receipt),
    ),
    "a verdict that the row does not have": (
        "verdict-and-row-differ",
        lambda s: _with_facts(s, EnvelopeState.LATE, verdict=1),
    ),
    "a token without its evidence": (
        "statement-does-not-hold",
        lambda s: _with_facts(s, EnvelopeState.LATE, stamps=()),
    ),
    "no receipt": ("receipt-and-state-differ", lambda s: _with_facts(s, EnvelopeState.SEALED, receipt=b"")),
    "another size": ("object-of-another-size", lambda s: _with_facts(s, EnvelopeState.SEALED, length=7)),
    "another version": ("object-missing", lambda s: _with_facts(s, EnvelopeState.SEALED, version_id="another")),
    "no attempt": ("envelope-that-nobody-began", lambda s: setattr(s, "attempts", [])),
    "an object that no attempt names": (
        "object-that-nobody-began",
        _nothing_begun,
    ),
    "an attempt not done": (
        "attempt-not-done",
        _still_open,
    ),
    "a box in another state": ("box-in-another-state", lambda s: _box(s, BoxState.CLOSED, "state", BoxState.OPEN)),
    "a box with an earlier deadline": (
        "box-with-other-dates",
        lambda s: _box(s, BoxState.OPEN, "deadline", s.closings[next(iter(s.closings))].at),
    ),
    "a closing without its envelope": (
        "list-is-not-what-stood",
        lambda s: _with_facts(s, EnvelopeState.LISTED, withdrawal=_kept(s, EnvelopeState.WITHDRAWN).facts.withdrawal),
    ),
    "an envelope listed elsewhere": (
        "envelope-listed-elsewhere",
        lambda s: _row(s, EnvelopeState.LISTED, "list_index", 5),
    ),
    "a sealed envelope that is late": (
        "state-and-verdict-differ",
        lambda s: _row(s, EnvelopeState.LATE, "state", EnvelopeState.SEALED),
    ),
    "a superseded one that stands": (
        "not-superseded",
        lambda s: _row(s, EnvelopeState.SUPERSEDED, "state", EnvelopeState.LATE),
    ),
    "a bidder shown too early": (
        "shown-before-the-closing",
        lambda s: _row(s, EnvelopeState.SEALED, "bidder", ACME),
    ),
    "a ledger of another order": ("ledger-and-envelopes-differ", lambda s: s.ledgers.clear()),  # type: ignore[attr-defined]
    "a closing that the gate forgot": (
        "closing-the-gate-does-not-know",
        lambda s: setattr(s, "gate", replace(s.gate, closings=())),
    ),
    "an opening that the gate forgot": (
        "opening-the-gate-does-not-know",
        lambda s: setattr(s, "gate", replace(s.gate, openings=())),
    ),
    "a release that the gate forgot": (
        "release-the-gate-knows-otherwise",
        lambda s: setattr(s, "gate", replace(s.gate, releases=())),
    ),
    "a policy that the gate forgot": (
        "policy-the-gate-does-not-know",
        lambda s: setattr(s, "gate", replace(s.gate, policies=())),
    ),
    "a quorum that is none": (
        "released-below-quorum",
        lambda s: setattr(s.contributions[0], "state", ContributionState.REFUSED),
    ),
    "one person twice": ("a-person-counts-twice", _another_person_twice),
    "a stranger's contribution": (
        "contribution-of-a-stranger",
        lambda s: setattr(s.contributions[0], "kid", bytes(16)),
    ),
    "minutes without keyed": ("opening-and-keyed-differ", lambda s: setattr(s.openings[0], "keyed", None)),
    "a minuted opening that says offered": (
        "opening-and-minutes-differ",
        lambda s: setattr(s.openings[0], "state", OpeningState.OFFERED),
    ),
    "one opening twice": ("two-openings-of-one-closing", lambda s: s.openings.append(s.openings[0])),  # type: ignore[attr-defined]
    "an opened envelope that is only keyed": (
        "minutes-and-state-differ",
        lambda s: _row(s, EnvelopeState.OPENED, "state", EnvelopeState.KEYED),
    ),
    "documents lost": ("documents-numbered-otherwise", lambda s: setattr(s, "documents", [])),
    "documents of another envelope": (
        "documents-of-what-is-not-opened",
        lambda s: setattr(s.documents[0], "envelope_id", _kept(s, EnvelopeState.SEALED).id),
    ),
    "the listed envelope's seed": (
        "opening-without-seed",
        lambda s: setattr(s.openings[0], "state", OpeningState.RELEASED),
    ),
}


def _first(world: World, prefix: str) -> str:
    return next(name for name in world.store.versions if name.startswith(prefix))


def _object_of(world: World, state: EnvelopeState) -> str:
    return OBJECTS + _kept(read(world.works), state).facts.object_id.hex


def _wrap_of(world: World, state: EnvelopeState, kind: WrapKind) -> str:
    return key_name(kind, _kept(read(world.works), state).facts.object_id.bytes)


def _shorten(world: World, name: str) -> None:
    kept = world.store.versions[name][-1]
    world.store.versions[name][-1] = replace(kept, lock_until=kept.lock_until - timedelta(days=80))


def _rotten_texts(world: World) -> None:
    for name in world.store.versions:
        if name.startswith(TEXTS):
            world.store.rot(name)


def _early_file_key(world: World) -> None:
    facts = _kept(read(world.works), EnvelopeState.SEALED).facts
    parent = world.works.keys.object(facts.procedure, facts.object_id)
    world.works.keys.keep(WrapKind.FILE, facts.object_id, bytes(32), parent=parent)


def _strange_object(world: World) -> None:
    name = uuid4()
    world.store.versions[OBJECTS + name.hex] = world.store.versions[_first(world, OBJECTS)]
    world.key_store.keys[key_name(WrapKind.OBJECT, name.bytes)] = bytes(60)


STORES: dict[str, tuple[str, Callable[[World], object]]] = {
    "a rotten envelope": ("object-rotten", lambda w: w.store.rot(_object_of(w, EnvelopeState.SEALED), at=900)),
    "a lost envelope": ("object-missing", lambda w: w.store.versions.pop(_object_of(w, EnvelopeState.SEALED))),
    "a short lock": ("lock-too-short", lambda w: _shorten(w, _object_of(w, EnvelopeState.SEALED))),
    "a short lock of evidence": ("lock-too-short", lambda w: _shorten(w, _first(w, TILES))),
    "a rotten tile": ("tile-not-as-derived", lambda w: w.store.rot(_first(w, TILES + "0/"))),
    "a rotten bundle": ("bundle-not-as-derived", lambda w: w.store.rot(_first(w, TILES + "entries/"))),
    "a rotten head": ("head-not-in-the-store", lambda w: w.store.rot(_first(w, CHECKPOINTS))),
    "lost texts": (
        "text-not-in-the-store",
        lambda w: [w.store.versions.pop(name) for name in list(w.store.versions) if name.startswith(TEXTS)],
    ),
    "a rotten text": (
        "text-of-another-statement",
        _rotten_texts,
    ),
    "an object and a key that nobody began": ("wrap-without-reason", _strange_object),
    "a lost object key": (
        "object-without-key",
        lambda w: w.key_store.keys.pop(_wrap_of(w, EnvelopeState.SEALED, WrapKind.OBJECT)),
    ),
    "a lost file key": (
        "file-key-does-not-fit",
        lambda w: w.key_store.keys.pop(_wrap_of(w, EnvelopeState.OPENED, WrapKind.FILE)),
    ),
    "a file key before its opening": ("file-key-before-its-opening", _early_file_key),
    "a lost gate seed": (
        "procedure-without-key",
        lambda w: w.key_store.keys.pop(key_name(WrapKind.GATE_SEED, w.procedure.bytes)),
    ),
    "a key of no kind": ("wrap-without-reason", lambda w: w.key_store.keys.update({f"9/{UUID(int=1).hex}": bytes(60)})),
}


def test_a_sound_vault_has_no_findings(told: World) -> None:
    check_everything(told.works)


@pytest.mark.parametrize("planted", ROWS)
def test_a_wrong_row_is_found_and_named(told: World, planted: str) -> None:
    word, plant = ROWS[planted]
    stored = read(told.works)
    plant(stored)

    assert word in _words(stored)


@pytest.mark.parametrize("planted", STORES)
def test_a_wrong_store_is_found_and_named(stores: World, planted: str) -> None:
    word, plant = STORES[planted]
    plant(stores)

    assert word in {one.word for one in findings(stores.works)}


@pytest.mark.parametrize("table", ["envelope", "attempt"])
def test_a_row_moved_by_hand_in_the_database_is_nobody_s(told: World, table: str) -> None:
    bent = "late" if table == "envelope" else "failed"
    with told.works.engine.connect() as connection:
        connection.execute(text(f"UPDATE {table} SET state = '{bent}' WHERE state IN ('sealed', 'done')"))  # noqa: S608
        connection.commit()
        try:
            words = {one.word for one in findings(told.works)}
        finally:
            _put_back(told, table)

    assert "nobody-s-row" in words


def _put_back(world: World, table: str) -> None:
    """The hidden facts tell which state each row had: those that open under none but the old one are put back."""
    old, bent = ("sealed", "late") if table == "envelope" else ("done", "failed")
    strange = [one.where.rpartition(" ")[2] for one in read(world.works).findings]
    with world.works.engine.begin() as connection:
        for row in strange:
            query = text(f"UPDATE {table} SET state = :old WHERE id = :id AND state = :bent")  # noqa: S608
            connection.execute(query, {"old": old, "id": row, "bent": bent})


def test_everything_that_is_found_is_named_at_once(stores: World) -> None:
    stores.store.rot(_object_of(stores, EnvelopeState.SEALED), at=900)
    stores.store.rot(_first(stores, CHECKPOINTS))

    with pytest.raises(AssertionError, match=r"(?s)head-not-in-the-store.*object-rotten"):
        check_everything(stores.works)


def test_what_a_caller_expects_is_left_out(stores: World) -> None:
    stores.store.rot(_object_of(stores, EnvelopeState.SEALED), at=900)

    check_everything(stores.works, but={"object-rotten"})
