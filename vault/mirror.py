# SPDX-License-Identifier: EUPL-1.2
"""The mirror: what the database holds is copied to the store, so that no restored backup loses it (decision 0022).

    mirror/<number>: Cob(mirror key, L("mirror") ‖ u64 number, zlib of lines `["table", version, {row}]`), zeros behind

Rules
  1. Triggers note every row that is written (`unmirrored`); a copy takes the rows as they are then, blobs encrypted as
     they lie: what is hidden in the database is hidden in the copy by the same key, and dies with it.
  2. No wrapped key is ever copied: keys must be destroyable (protocol 3.10).
  3. Order of durable writes: number begun ◆, copy (locked, if absent), number done and notes removed ◆. Killed between
     any two, the notes stay and the next copy has the rows again.
  4. Before a head of the log is signed, what it covers is copied: the journal in the store is never without its salts.
  5. A copy that the database has not begun means that the database was rolled back.

Left to others: one writer at a time (vault.sequencer's lock), putting rows back (vault.recovery).
"""

import json
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from sqlalchemy import TextClause, bindparam, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import SQLModel, col, delete, select

from crypto.encoding import label, u64
from crypto.errors import CryptoError, FormatError
from crypto.stream import CobDecryptor, CobEncryptor
from vault.errors import ObjectMissing, RolledBack, StoreConflict
from vault.models import (
    Attempt,
    BoxRow,
    Canary,
    ClosingRow,
    ContributionRow,
    DecisionRow,
    DocumentRow,
    Envelope,
    HolderAct,
    JournalRow,
    Ledger,
    MirrorRow,
    OpeningRow,
    PolicyRow,
    PrintRow,
    Procedure,
    StampRow,
    Unmirrored,
)
from vault.store.locks import mirror_lock
from vault.store.names import MIRRORS, mirror_name
from vault.work import Work, Works

TABLES: tuple[type[SQLModel], ...] = (  # those that others refer to come first
    Procedure, PolicyRow, Canary, HolderAct, BoxRow, Envelope, Attempt, Ledger, JournalRow, ClosingRow, StampRow,
    DecisionRow, OpeningRow, ContributionRow, DocumentRow, PrintRow,
)  # fmt: skip
NAMES = tuple(str(table.__tablename__) for table in TABLES)
LARGEST_COPY = 2048  # rows of one copy
PADDING = 16 * 1024  # a copy's length tells little
LARGEST_PLAIN = 1 << 31


@dataclass(frozen=True)
class MirroredRow:
    """One row as a copy holds it.

    Attributes:
        name: of its table.
        version: the count of all writes when it was copied; of two copies of a row the higher is the newer.
        row: its columns, as PostgreSQL writes a row as JSON.
    """

    name: str
    version: int
    row: str = field(repr=False)


def write(works: Works) -> int:
    """Copy all rows that were written since the last copy; tells how many. Call it with the sequencer's lock held.

    Raises:
        RolledBack: a copy with the next number is there: another history of this vault wrote it.
        StoreUnavailable: nothing is forgotten; the next call copies the same rows.
    """
    copied = 0
    while True:
        # 1. ◆ The number is begun, with the rows as they are.
        with works.open() as work:
            notes, rows = _take(work)
            if not notes:
                return copied
            state = work.session.get_one(MirrorRow, 1, with_for_update=True)
            state.begun += 1
            number = state.begun
        # 2. The copy, locked and on disk.
        try:
            sealed = _seal(works, number, rows)
            works.store.put(mirror_name(number), sealed, lock_until=mirror_lock(works.clock.now()))
        except StoreConflict as error:
            raise RolledBack(
                f"copy {number} of the database is in the store already. Run `bidvault recover`."
            ) from error
        works.store.durable()
        # 3. ◆ The notes are done with.
        with works.open() as work:
            work.session.execute(delete(Unmirrored).where(col(Unmirrored.id).in_(notes)))
            work.session.get_one(MirrorRow, 1, with_for_update=True).done = number
        copied += len(rows)


def numbers(works: Works) -> list[int]:
    """The numbers of all copies in the store, rising."""
    return sorted({int(one.key.removeprefix(MIRRORS)) for one in works.store.list_versions(MIRRORS)})


def begun(work: Work) -> int:
    """The highest number that this database knows."""
    return work.session.get_one(MirrorRow, 1).begun


def done(work: Work) -> int:
    """The number up to which every copy's rows are in this database for certain."""
    return work.session.get_one(MirrorRow, 1).done


def read(works: Works, number: int) -> list[MirroredRow]:
    """The rows of one copy, in the order in which they were last written.

    Raises:
        ObjectMissing: there is none.
        CryptoError: its bytes are not what was written.
    """
    facts = works.store.latest(mirror_name(number))
    opener = CobDecryptor(works.keys.mirror(), _context(number))
    plain = bytearray()
    for piece in works.store.stream(mirror_name(number), facts.version_id):
        plain += opener.update(piece)
    plain += opener.finish()
    unpacker = zlib.decompressobj()
    try:
        lines = unpacker.decompress(bytes(plain), LARGEST_PLAIN)
    except zlib.error as error:
        raise FormatError("a copy of rows is damaged") from error
    if not unpacker.eof:
        raise FormatError("a copy of rows is cut or too large")
    return [_parse(line) for line in lines.decode().split("\n") if line]


def try_read(works: Works, number: int) -> list[MirroredRow] | None:
    """As `read`; None for a copy that is gone or damaged."""
    try:
        return read(works, number)
    except (CryptoError, ObjectMissing):
        return None


def require_not_behind(works: Works) -> None:
    """Compare the newest copy with the database.

    Raises:
        RolledBack: the store is ahead: the database was restored from an older copy.
    """
    newest = max(numbers(works), default=0)
    with works.open() as work:
        known = begun(work)
    if newest > known:
        raise RolledBack(
            f"the store holds copy {newest} of the database, which itself knows {known}: it was restored from an "
            "older copy. Run `bidvault recover`, or restore the newer database."
        )


def _take(work: Work) -> tuple[list[int], list[MirroredRow]]:
    """The oldest notes, and the rows that they name as they are now."""
    noted = work.session.exec(select(Unmirrored).order_by(col(Unmirrored.id)).limit(LARGEST_COPY)).all()
    versions = {(one.name, json.dumps(one.key, sort_keys=True)): one.id or 0 for one in noted}
    rows = [
        row
        for name in NAMES
        if (keys := {key: version for (table, key), version in versions.items() if table == name})
        for row in _rows(work, name, keys)
    ]
    rows.sort(key=lambda one: (NAMES.index(one.name), one.version))
    return [one.id or 0 for one in noted], rows


def _rows(work: Work, name: str, keys: dict[str, int]) -> Iterator[MirroredRow]:
    asked = [{"key": json.loads(key), "version": version} for key, version in keys.items()]
    found = work.session.execute(_reading(name), {"asked": asked})
    return (MirroredRow(name, version, row) for version, row in found)


def _reading(name: str) -> TextClause:
    """The rows of one table by their keys, each as JSON; all names come from our own models."""
    columns = key_columns(name)
    typed = ", ".join(f"(jsonb_populate_record(NULL::public.{name}, one -> 'key')).{column}" for column in columns)
    statement = f"""
        WITH asked AS MATERIALIZED (
            SELECT {typed}, CAST(one ->> 'version' AS bigint) AS at_version
            FROM jsonb_array_elements(:asked) AS one
        )
        SELECT asked.at_version, CAST(to_jsonb(kept) AS text)
        FROM asked JOIN public.{name} AS kept USING ({", ".join(columns)})
    """  # noqa: S608
    return text(statement).bindparams(bindparam("asked", type_=JSONB))


def key_columns(name: str) -> Sequence[str]:
    """The primary key of one of the mirrored tables."""
    return [column.name for column in SQLModel.metadata.tables[name].primary_key.columns]


def _seal(works: Works, number: int, rows: Sequence[MirroredRow]) -> bytes:
    lines = "".join(f'["{one.name}",{one.version},{one.row}]\n' for one in rows)
    packed = zlib.compress(lines.encode(), 1)
    sealer = CobEncryptor(works.keys.mirror(), _context(number))
    return sealer.head + sealer.update(packed + bytes(-len(packed) % PADDING)) + sealer.finish()


def _parse(line: str) -> MirroredRow:
    value = json.loads(line)
    if not isinstance(value, list) or len(value) != 3 or value[0] not in NAMES or not isinstance(value[1], int):  # noqa: PLR2004
        raise FormatError("a copy holds something that is no row")
    return MirroredRow(value[0], value[1], json.dumps(value[2]))


def _context(number: int) -> bytes:
    return label("mirror") + u64(number)
