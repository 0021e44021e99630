# SPDX-License-Identifier: EUPL-1.2
"""No key appears where programs talk: not in what they print, refuse, log, trace or ask others (KEY-07)."""

import io
import logging
import resource
import subprocess
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import fields, is_dataclass, replace
from pathlib import Path
from uuid import uuid4

import pytest
import structlog
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from api.auth import Role
from api.observing import configure_logging
from api.worker import ActFailed, _guarded
from crypto.closings import EnvelopeList
from crypto.keys.file import MasterKey, Strength, create_key_file, open_key_file
from crypto.policy import Role as Holder
from crypto.wraps import WrapKind
from tests.api.depositing import Envelope, Site
from tests.attacks import attacker
from tests.deploy.conftest import ROOT
from tests.vault import depositing
from tests.vault.depositing import CANARY, NAME
from tests.world.world import ACME, PLATFORM, World
from vault import closing
from vault.deposit.announcement import DepositRequest
from vault.deposit.journey import deposit
from vault.errors import NotFound, StoreUnavailable
from vault.gate.keys import GateHolder
from vault.opening import contributing, offer

PASSPHRASE = "sept canaris sur un fil 4417"
QUICK = Strength(1024, 1, 1)
DEEP = 6


def keys_of(world: World) -> dict[str, str | bytes]:
    """Every key and seed of a world, and a deposit's secret."""
    keys, gate, procedure = world.works.service_keys, world.works.gate.keys, world.procedure
    seed = world.works.keys.get(WrapKind.GATE_SEED, procedure, parent=gate.root)
    found: dict[str, str | bytes] = {
        "root": keys.root,
        "the gate's root": gate.root,
        "statement key": keys.statement.private.private_bytes_raw(),
        "journal key": keys.journal.private.private_bytes_raw(),
        "key of the procedure": world.works.keys.procedure(procedure),
        "key of its rows": world.works.keys.facts(procedure),
        "index key": world.works.keys.index(PLATFORM),
        "the gate's seed": seed,
        "the gate's signing key": GateHolder.of_seed(seed).signer.private.private_bytes_raw(),
        "a master": bytes(world.custodians[0].master._master),
        "a custodian's signing key": world.custodians[0].holder.signer.private.private_bytes_raw(),
        "passphrase": PASSPHRASE,
    }
    return found | {f"deposit secret {name}": secret for name, secret in world.secrets.items()}


def shown(thing: object, depth: int = DEEP) -> Iterator[tuple[str, bytes]]:
    """What a thing prints of itself, and each thing that hangs on it."""
    yield type(thing).__name__, f"{thing!r} {thing}".encode()
    if depth and (is_dataclass(thing) and not isinstance(thing, type)):
        for one in fields(thing):
            value = getattr(thing, one.name, None)
            if isinstance(value, bytes | bytearray | memoryview | dict | tuple | list) and not one.repr:
                continue  # bytes print themselves: what must not print is whatever holds them
            yield from shown(value, depth - 1)


@pytest.mark.proves("KEY-07")
def test_nothing_that_holds_a_key_prints_it(open_world: World) -> None:
    request = depositing.request(open_world)
    given = depositing.send(open_world, request)
    open_world.secrets[request.envelope_id] = bytes(request.secret)
    one = open_world.custodians[0]
    holders: list[object] = [
        open_world.works, open_world.works.gate.keys, open_world.works.keys, open_world.works.service_keys,
        open_world.works.gate.keys.get(open_world.procedure), one.master, one.holder, one.holder.signer, one.master.kem,
        request, given, open_world.works.settings, depositing.kept(open_world, request.envelope_id), open_world.policy,
    ]  # fmt: skip

    printed = [told for holder in holders for told in shown(holder)]

    assert attacker.search(printed, keys_of(open_world)) == set()


@pytest.mark.proves("KEY-07")
def test_no_refusal_and_no_trace_of_one_tells_a_key_a_name_or_a_price(open_world: World) -> None:
    told = [(type(error).__name__, _traced(error)) for error in refused(open_world)]

    assert len(told) > 12
    assert attacker.search(told, keys_of(open_world) | {"price": CANARY, "name": NAME}) == set()


def refused(world: World) -> Iterator[BaseException]:
    """Whatever goes wrong, from the announcement to the opening, with keys in reach."""
    good = depositing.request(world)
    world.secrets[good.envelope_id] = bytes(good.secret)
    file = create_key_file(Holder.CUSTODIAN, PASSPHRASE, strength=QUICK)
    other = create_key_file(Holder.GATE, PASSPHRASE, strength=QUICK)
    depositing.send(world, good)
    broken = depositing.Body(depositing.body(world).pieces[:1], world.clock, breaks_with=NotFound())
    acts: list[Callable[[], object]] = [
        lambda: depositing.send(world, replace(good, bidder="nobody")),
        lambda: depositing.send(world, replace(good, secret=bytearray(31))),
        lambda: depositing.send(world, replace(good, secret=bytearray(32))),
        lambda: depositing.send(world, replace(good, bidder="other:another")),
        lambda: depositing.send(world, replace(good, procedure=uuid4())),
        lambda: depositing.send(world, replace(good, envelope_id=uuid4(), documents=())),
        lambda: depositing.send(world, replace(good, envelope_id=uuid4()), {NAME: CANARY}),
        lambda: deposit(world.works, replace(good, envelope_id=uuid4()), broken),
        lambda: closing.close(world.works, world.box_id()),
        lambda: offer.offer(world.works, PLATFORM, world.procedure, offer.Request((1,))),
        lambda: contributing.contribute(world.works, PLATFORM, bytes(32), note=file, person=bytes(16)),
        lambda: open_key_file(file, PASSPHRASE + " "),
        lambda: open_key_file(file[:-40], PASSPHRASE),
        lambda: open_key_file(other.replace(b"key/v1", b"key/v2"), PASSPHRASE),
        lambda: MasterKey(Holder.GATE, bytes(33)),
        lambda: EnvelopeList.decode(b"\xff"),
        lambda: world.works.keys.object(world.procedure, uuid4()),
        lambda: world.works.keys.get(WrapKind.GATE_SEED, world.procedure, parent=world.works.service_keys.root),
        lambda: _failing(world, good),
    ]
    for act in acts:
        with pytest.raises(Exception) as caught:  # noqa: PT011 every one of them is looked at
            act()
        yield caught.value


@pytest.mark.proves("KEY-07", "CONF-02")
def test_an_error_of_the_database_carries_no_value_of_its_statement(open_world: World) -> None:
    with pytest.raises(DBAPIError) as caught, open_world.works.open() as work:
        work.session.execute(text("SELECT 1 / :zero, :bidder, :price"), {"zero": 0, "bidder": ACME, "price": CANARY})

    assert attacker.search([("error", _traced(caught.value))], {"bidder": ACME, "price": CANARY}) == set()


@pytest.mark.proves("KEY-07", "CONF-02")
def test_a_worker_that_dies_of_something_unforeseen_logs_its_kind_and_place_alone(open_world: World) -> None:
    def die() -> None:
        raise ZeroDivisionError(f"{ACME} {open_world.works.service_keys.root.hex()}")

    with _logged() as stream, pytest.raises(ActFailed) as caught:
        _guarded("close_box", die)

    said = [("log", stream.getvalue().encode()), ("error", _traced(caught.value))]
    assert b"ZeroDivisionError" in said[0][1]
    assert attacker.search(said, keys_of(open_world) | {"bidder": ACME}) == set()


@pytest.mark.proves("KEY-07")
def test_no_key_and_no_secret_is_in_a_log_or_in_any_address_that_is_asked(site: Site) -> None:
    asked: list[str] = []
    mine = Envelope(site)
    site.world.secrets[mine.id] = mine.secret
    token = site.bearer(Role.PLATFORM)["Authorization"]
    with _logged() as stream:
        site.world.store.watch = site.world.key_store.watch = lambda what, *, is_done: asked.append(f"{what} {is_done}")
        answers = [mine.put(), mine.ask(), mine.ask(tail="/evidence"), mine.put(content=b"--x")]
        asked.extend(str(one.request.url) for one in answers)
        site.world.store.watch = site.world.key_store.watch = None

    said = [("log", stream.getvalue().encode()), ("addresses", "\n".join(asked).encode())]
    assert len(stream.getvalue().splitlines()) == 4
    assert attacker.search(said, keys_of(site.world) | {"token": token.rsplit(".", 1)[-1], "bidder": ACME}) == set()


@pytest.mark.proves("KEY-07")
def test_the_custodians_tool_leaves_no_core_dump_once_it_opens_a_key(tmp_path: Path) -> None:
    (tmp_path / "words").write_text(PASSPHRASE)
    (tmp_path / "key").write_bytes(create_key_file(Holder.CUSTODIAN, PASSPHRASE, strength=QUICK))
    program = (
        "import resource, sys; from pathlib import Path; from api.cli.custodian.commands import _open\n"
        "resource.setrlimit(resource.RLIMIT_CORE, (resource.getrlimit(resource.RLIMIT_CORE)[1],) * 2)\n"
        "_open(Path(sys.argv[1]) / 'key', Path(sys.argv[1]) / 'words')\n"
        "print(resource.getrlimit(resource.RLIMIT_CORE))"
    )

    said = subprocess.run(
        [sys.executable, "-c", program, tmp_path], capture_output=True, text=True, check=True, cwd=ROOT
    )

    assert said.stdout.strip() == str((0, 0))
    assert resource.getrlimit(resource.RLIMIT_CORE)


def _failing(world: World, good: DepositRequest) -> None:
    world.key_store.fail("put")
    try:
        depositing.send(world, replace(good, envelope_id=uuid4()))
    except StoreUnavailable as error:
        raise RuntimeError("whatever holds it") from error


def _traced(error: BaseException) -> bytes:
    """An error as programs write it down, with all that it came from."""
    chain: list[str] = [*traceback.format_exception(error)]
    cause: BaseException | None = error
    while cause is not None:
        chain.append(f"{cause!r} {cause} {cause.args!r}")
        cause = cause.__cause__ or (None if cause.__suppress_context__ else cause.__context__)
    return "\n".join(chain).encode()


@contextmanager
def _logged() -> Iterator[io.StringIO]:
    stream, handlers = io.StringIO(), logging.getLogger().handlers
    configure_logging(stream)
    try:
        yield stream
    finally:
        structlog.reset_defaults()
        logging.getLogger().handlers = handlers
