# SPDX-License-Identifier: EUPL-1.2
"""What each part that the vault depends on can do to it: be away, be slow, err, give wrong bytes, lie.

An outage is a context: inside it the part is spoiled, after it the part is as before, and so is what it stored, where
the fault is one of the way and not of what lies there. Nothing waits for real time but the database, whose patience is
made small.
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from datetime import timedelta
from enum import StrEnum
from functools import partial

from sqlalchemy import Engine, create_engine, text
from sqlmodel import Session, select

from crypto.encoding import sha256
from crypto.policy import Policy
from deploy.embedded import Addresses
from tests.faults import gates
from tests.world.store import MemoryKeyStore, MemoryObjectStore
from tests.world.world import World
from vault.gate.service import Gate
from vault.models import PolicyRow
from vault.work import connect

NOWHERE = "postgresql+psycopg://nobody@127.0.0.1:9/none"
SHORT = timedelta(milliseconds=250)
FOREVER = 1_000_000
OPERATIONS = ("put", "get", "head", "list", "durable", "part", "complete", "extend", "delete", "require_lock")


class Dependency(StrEnum):
    """A part outside the program that a journey needs."""

    DATABASE = "database"
    OBJECTS = "object store"
    KEYS = "key store"
    A = "time authority a"
    B = "time authority b"
    BOTH = "both time authorities"
    GATE = "gate"
    DISK = "disk"


class Fault(StrEnum):
    """What it does."""

    DOWN = "down"
    SLOW = "slow"
    ERROR = "500"
    WRONG = "wrong bytes"
    LIES = "lies"


class StagedWorld(World):
    """A world whose tables can be held and spoiled by the role that owns them."""

    def __init__(self, addresses: Addresses) -> None:
        super().__init__(addresses)
        self.owner_url = addresses.owner_database_url


Outage = Callable[[StagedWorld], AbstractContextManager[None]]


@contextmanager
def _tools(world: StagedWorld, **other: object) -> Iterator[None]:
    """The world with other tools, meanwhile."""
    kept = world.works
    world.works = replace(kept, **other)  # type: ignore[arg-type]
    try:
        yield
    finally:
        world.works = kept


@contextmanager
def _engine(world: StagedWorld, engine: Engine, *, of_gate: bool) -> Iterator[None]:
    try:
        with _tools(world, **({"gate": replace(world.works.gate, engine=engine)} if of_gate else {"engine": engine})):
            yield
    finally:
        engine.dispose()


@contextmanager
def _away(world: StagedWorld, *, of_gate: bool = False) -> Iterator[None]:
    """Nothing listens where the database was."""
    with _engine(world, connect(NOWHERE), of_gate=of_gate):
        yield


@contextmanager
def _held(world: StagedWorld, tables: str, *, of_gate: bool = False) -> Iterator[None]:
    """Somebody holds the tables: statements run into their patience."""
    url = world.engines[1 if of_gate else 0].url.render_as_string(hide_password=False)
    holder = create_engine(world.owner_url)
    with holder.begin() as session:
        session.execute(text(f"LOCK TABLE {tables} IN ACCESS EXCLUSIVE MODE"))
        with _engine(world, connect(url, patience=SHORT), of_gate=of_gate):
            yield
        session.rollback()
    holder.dispose()


_FAIL = """CREATE FUNCTION public.told_to_fail() RETURNS trigger LANGUAGE plpgsql AS
$$BEGIN RAISE EXCEPTION 'told to fail' USING ERRCODE = '{code}'; END$$"""
_AT_EACH = """CREATE TRIGGER told_to_fail BEFORE INSERT ON public.journal
FOR EACH ROW EXECUTE FUNCTION public.told_to_fail()"""


@contextmanager
def _refusing(world: StagedWorld, code: str) -> Iterator[None]:
    """Writing an entry of the journal fails with an error of the server."""
    owner = create_engine(world.owner_url)
    with owner.begin() as session:
        session.execute(text(_FAIL.format(code=code)))
        session.execute(text(_AT_EACH))
    try:
        yield
    finally:
        with owner.begin() as session:
            session.execute(text("DROP FUNCTION public.told_to_fail() CASCADE"))
        owner.dispose()


@contextmanager
def _policy(world: StagedWorld, change: Callable[[bytes], bytes]) -> Iterator[None]:
    """The policy's row holds other bytes than were signed."""
    own = PolicyRow.procedure_id == world.procedure
    with Session(world.engines[0]) as session:
        kept = {row.epoch: (row.payload, row.policy_hash) for row in session.exec(select(PolicyRow).where(own))}
    changed = {epoch: (change(payload), sha256(change(payload))) for epoch, (payload, _) in kept.items()}
    _write_policy(world, changed)
    try:
        yield
    finally:
        _write_policy(world, kept)


def _write_policy(world: StagedWorld, rows: dict[int, tuple[bytes, bytes]]) -> None:
    with Session(world.engines[0]) as session:
        for row in session.exec(select(PolicyRow).where(PolicyRow.procedure_id == world.procedure)):
            row.payload, row.policy_hash = rows[row.epoch]
        session.commit()


def _an_hour_later(payload: bytes) -> bytes:
    """A policy that nobody signed: every deadline an hour later."""
    policy, hour = Policy.decode(payload), timedelta(hours=1)
    moved = [replace(one, deadline=one.deadline + hour, not_before=one.not_before + hour) for one in policy.boxes]
    return replace(policy, boxes=tuple(moved)).encode()


@contextmanager
def _failing(store: MemoryObjectStore | MemoryKeyStore, *, times: int = FOREVER, late: bool = False) -> Iterator[None]:
    """Every operation fails, so many times; late: it takes effect and its answer comes too late."""
    for operation in OPERATIONS:
        store.fail(operation, times=times, is_persisted=late)
    if late:  # reading has no effect to keep: it just fails
        for operation in ("get", "head", "list", "durable", "require_lock", "part"):
            store.fail(operation, times=times)
    try:
        yield
    finally:
        store.lost.clear()
        store.persisted.clear()


@contextmanager
def _rotten(store: MemoryObjectStore) -> Iterator[None]:
    """Every object comes back with one byte changed, near its end."""
    names = list(store.versions)
    for name in names:
        store.rot(name, at=-1)
    try:
        yield
    finally:
        for name in names:
            store.rot(name, at=-1)


@contextmanager
def _rotten_keys(store: MemoryKeyStore) -> Iterator[None]:
    """Every wrap comes back with one byte changed."""
    whole = dict(store.keys)
    store.keys.update({name: _flipped(wrapped) for name, wrapped in whole.items()})
    try:
        yield
    finally:
        store.keys.update(whole)


@contextmanager
def _keeping_other_bytes(store: MemoryObjectStore | MemoryKeyStore) -> Iterator[None]:
    """It says that it has stored what it was given, and has stored something else."""

    def watch(what: str, *, is_done: bool) -> None:
        operation, _, name = what.partition(" ")
        if not is_done or operation not in {"put", "complete"}:
            return
        if isinstance(store, MemoryObjectStore):
            store.rot(name, at=-1)
        else:
            store.keys[name] = _flipped(store.keys[name])

    store.watch = watch
    try:
        yield
    finally:
        store.watch = None


def _flipped(data: bytes) -> bytes:
    return data[:-1] + bytes((data[-1] ^ 1,))


@contextmanager
def _authorities(world: StagedWorld, which: str, **said: object) -> Iterator[None]:
    """Authorities that a test moves."""
    chosen = [one for one in (world.time.a, world.time.b) if one.which in which]
    before = [{name: getattr(one, name) for name in said} for one in chosen]
    for one in chosen:
        for name, value in said.items():
            setattr(one, name, value)
    try:
        yield
    finally:
        for one, kept in zip(chosen, before, strict=True):
            for name, value in kept.items():
                setattr(one, name, value)


@contextmanager
def _gate(world: StagedWorld, make: Callable[[Gate], Gate]) -> Iterator[None]:
    """Another gate on the same rows and keys."""
    with _tools(world, gate=make(world.works.gate)):
        yield


@contextmanager
def _full(world: StagedWorld) -> Iterator[None]:
    world.store.room = 0
    try:
        yield
    finally:
        world.store.room = None


@contextmanager
def _unflushed(world: StagedWorld) -> Iterator[None]:
    for store in (world.store, world.key_store):
        store.fail("durable", times=FOREVER)
    try:
        yield
    finally:
        world.store.lost.clear()
        world.key_store.lost.clear()


HELD = "journal, policy, procedure, envelope, opening, contribution"
GATE_HELD = "gate.policy, gate.closed, gate.signed, gate.released"
LATE = timedelta(seconds=10)

OUTAGES: dict[tuple[Dependency, Fault], tuple[str, Outage]] = {
    (Dependency.DATABASE, Fault.DOWN): ("nothing listens there", _away),
    (Dependency.DATABASE, Fault.SLOW): ("statements run into their patience", lambda world: _held(world, HELD)),
    (Dependency.DATABASE, Fault.ERROR): (
        "writing the journal errs",
        lambda world: _refusing(world, "XX000"),
    ),
    (Dependency.DATABASE, Fault.WRONG): (
        "a byte of the policy's row is another",
        lambda world: _policy(world, _flipped),
    ),
    (Dependency.DATABASE, Fault.LIES): (
        "the policy's row is one that nobody signed: deadlines an hour later",
        lambda world: _policy(world, _an_hour_later),
    ),
    (Dependency.OBJECTS, Fault.DOWN): ("every call fails", lambda world: _failing(world.store)),
    (Dependency.OBJECTS, Fault.SLOW): (
        "writes take effect, and no answer comes in time",
        lambda world: _failing(world.store, late=True),
    ),
    (Dependency.OBJECTS, Fault.ERROR): ("each kind of call fails once", lambda world: _failing(world.store, times=1)),
    (Dependency.OBJECTS, Fault.WRONG): ("every object comes back changed", lambda world: _rotten(world.store)),
    (Dependency.OBJECTS, Fault.LIES): (
        "it says that it keeps what it was given, and keeps other bytes",
        lambda world: _keeping_other_bytes(world.store),
    ),
    (Dependency.KEYS, Fault.DOWN): ("every call fails", lambda world: _failing(world.key_store)),
    (Dependency.KEYS, Fault.SLOW): (
        "writes take effect, and no answer comes in time",
        lambda world: _failing(world.key_store, late=True),
    ),
    (Dependency.KEYS, Fault.ERROR): ("each kind of call fails once", lambda world: _failing(world.key_store, times=1)),
    (Dependency.KEYS, Fault.WRONG): ("every wrap comes back changed", lambda world: _rotten_keys(world.key_store)),
    (Dependency.KEYS, Fault.LIES): (
        "it says that it keeps what it was given, and keeps other bytes",
        lambda world: _keeping_other_bytes(world.key_store),
    ),
    **{
        (dependency, fault): (words, partial(_authorities, which=which, **said))
        for dependency, which in ((Dependency.A, "a"), (Dependency.B, "b"), (Dependency.BOTH, "ab"))
        for fault, words, said in (
            (Fault.DOWN, "no answer", {"silent": True}),
            (Fault.SLOW, "an answer after its deadline", {"slow_by": LATE}),
            (Fault.ERROR, "an answer that is a refusal", {"refuses": True}),
            (Fault.WRONG, "a token with bytes behind it", {"trailing": b"\0"}),
            (Fault.LIES, "a good token over another imprint", {"wrong_imprint": True}),
        )
    },
    (Dependency.GATE, Fault.DOWN): ("its database is away", partial(_away, of_gate=True)),
    (Dependency.GATE, Fault.SLOW): (
        "its statements run into their patience",
        lambda world: _held(world, GATE_HELD, of_gate=True),
    ),
    (Dependency.GATE, Fault.ERROR): ("it dies of a fault of its own", partial(_gate, make=gates.broken)),
    (Dependency.GATE, Fault.WRONG): ("its signatures come back changed", partial(_gate, make=gates.garbling)),
    (Dependency.GATE, Fault.LIES): (
        "it gives statements without its signature, and forgets closings",
        partial(_gate, make=gates.lying),
    ),
    (Dependency.DISK, Fault.DOWN): ("no flush succeeds", _unflushed),
    (Dependency.DISK, Fault.ERROR): ("the store's disk is full", _full),
    (Dependency.DISK, Fault.LIES): (
        "the database's disk is full: the journal takes no entry",
        lambda world: _refusing(world, "53100"),
    ),
}
