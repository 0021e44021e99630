# SPDX-License-Identifier: EUPL-1.2
"""What must fail, third: the operator, with database, store, logs and the vault's own root key in hand, searches.

Rules
  1. This chapter alone goes past API and commands, straight into database and files: that is what it is about.
  2. The same search over the bidders' own files finds everything: a search that cannot find proves nothing.
"""

import mmap
import os
import subprocess
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from deploy.demo import cast
from deploy.demo.cast import BIDDERS, PRICES, TOTALS, euros
from deploy.demo.errors import DemoFailed
from deploy.demo.screen import Advance
from deploy.demo.stage import Stage
from deploy.embedded.programs import postgres_programs
from vault import envelopes, shelf

WINDOW = 8 << 20
DUMP_PATIENCE = 120.0  # seconds


@dataclass(frozen=True, slots=True)
class Needle:
    """Something secret, in one of the forms in which it might lie about."""

    what: str
    form: bytes


@dataclass(frozen=True, slots=True)
class Searched:
    """One place that was searched."""

    place: str
    size: int
    found: frozenset[str]


def tell(stage: Stage) -> None:
    """Dump, files, logs, sealed envelopes: nothing is there to be read."""
    stage.screen.chapter(
        "The operator looks",
        "The operator has it all: the database, the store, the logs, the vault's own keys. They search for prices, "
        "bidders, file names and digests before the closing.",
    )
    needles = tuple(_needles(stage))
    dump = _dump(stage)
    _take_sealed(stage)
    root = stage.vault.directory.root
    places = {
        "the bidders' own files, to try the search": [*_files(stage.places.documents), *_lists(stage)],
        "the database, dumped": [dump],
        "the database's own files, its write-ahead log": _files(root / "postgres"),
        "the object store's files": _files(root / "store"),
        "logs and everything else of the vault": _files(root, but=("postgres", "store")),
        "the envelopes, opened with the vault's own root key": _files(stage.places.sealed),
    }
    whole = sum(path.stat().st_size for paths in places.values() for path in paths)
    with stage.screen.working("Searching", whole) as advance:
        results = [_search(place, paths, needles, advance) for place, paths in places.items()]
    dump.unlink()
    _judge(stage, results, {one.what for one in needles})


def _judge(stage: Stage, results: Sequence[Searched], wanted: set[str]) -> None:
    rows = [(one.place, f"{one.size / 1e6:,.1f} MB", f"{len(one.found)} of {len(wanted)}") for one in results]
    stage.screen.table("", ("searched", "size", "found"), rows, right=(1, 2))
    control, *others = results
    if control.found != wanted:
        raise DemoFailed(f"the search misses what the bidders' files hold: {sorted(wanted - control.found)}")
    if leaks := sorted({what for one in others for what in one.found}):
        raise DemoFailed(f"the operator has found {leaks}")
    stage.screen.done(
        "Not a price, not a bidder, not a name or digest of a document",
        f"the sealed envelopes lie in {stage.places.sealed.name}/: search them yourself",
    )


def _needles(stage: Stage) -> Iterator[Needle]:
    """Prices, bidders, names of files, digests: as text, and as a dump shows bytes."""
    secrets = {f"price {euros(amount)}": euros(amount).encode() for amount in TOTALS.values()}
    secrets |= {f"SIRET of {one.name}": one.siret.encode() for one in BIDDERS.values()}
    secrets |= {f"name of {one.name}": one.name.encode() for one in BIDDERS.values() if one is not cast.OUEST}
    secrets |= {"name of a file": b"plans/niveau-07.dwg"}
    for what, form in secrets.items():
        yield Needle(what, form)
        yield Needle(what, form.hex().encode())
    bills = [stage.places.documents / name / PRICES for name in TOTALS]
    for bill in bills:
        if bill.exists():
            digest = sha256(bill.read_bytes()).digest()
            yield Needle(f"digest of {bill.parent.name}", digest)
            yield Needle(f"digest of {bill.parent.name}", digest.hex().encode())


def _dump(stage: Stage) -> Path:
    """The whole database, with the rights of its owner."""
    target = stage.places.out / ".dump.sql"
    url = stage.vault.owner_url.replace("postgresql+psycopg://", "postgresql://", 1)
    with stage.screen.busy("pg_dump"):
        subprocess.run(  # noqa: S603 - the program is the wheel's, the address our own
            [str(postgres_programs() / "pg_dump"), "--dbname", url, "--file", str(target)],
            check=True,
            capture_output=True,
            timeout=DUMP_PATIENCE,
            env={"PATH": os.environ.get("PATH", "/usr/bin:/bin")},
        )
    return target


def _take_sealed(stage: Stage) -> None:
    """The sealed envelopes, their outer layer taken off with the vault's root key."""
    works = stage.works
    total = sum(one.order.size for one in stage.deposited.values())
    with stage.screen.working("Taking the envelopes out of the store", total) as advance:
        for made in stage.deposited.values():
            with works.open() as work:
                kept = envelopes.find(works, work, made.id, procedure=stage.procedure)
            if kept is None:
                raise DemoFailed("an envelope that was acknowledged is not there")
            sealed = shelf.take(works, kept.facts)
            with (stage.places.sealed / f"{made.id}.tvse").open("wb") as file:
                for offset in range(0, sealed.length, WINDOW):
                    advance(file.write(sealed.read(offset, min(WINDOW, sealed.length - offset))))


def _files(folder: Path, *, but: Iterable[str] = ()) -> list[Path]:
    left_out = {folder / name for name in but}
    return [
        path
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.is_symlink() and not left_out.intersection(path.parents)
    ]


def _lists(stage: Stage) -> list[Path]:
    """The depositors' own lists of documents, which hold the digests."""
    return sorted(stage.places.receipts.glob("*/documents.json"))


def _search(place: str, paths: Sequence[Path], needles: Sequence[Needle], advance: Advance) -> Searched:
    found: set[str] = set()
    size = 0
    for path in paths:
        found |= {one.what for one in needles if one.form in str(path).encode()}
        try:
            length = path.stat().st_size
            found |= _found_in(path, needles, length)
        except FileNotFoundError:
            continue  # a file of the database that has gone since it was listed
        size += length
        advance(length)
    return Searched(place, size, frozenset(found))


def _found_in(path: Path, needles: Sequence[Needle], length: int) -> set[str]:
    if not length:
        return set()
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        return {one.what for one in needles if data.find(one.form) >= 0}
