# SPDX-License-Identifier: EUPL-1.2
"""Rows come back from the mirror: every copy that the database does not know for certain is put back, oldest first.

Rules
  1. A row is put back as it was copied; of two versions the newer stays, the database's own too.
  2. The journal is only added to: an entry with another leaf under the same number means two histories, and stops all.
  3. It can be broken off and begun again: only the end says that the copies are in.
  4. Counters end beyond everything that was ever drawn.
"""

import json
from collections.abc import Callable, Sequence

from sqlalchemy import TextClause, bindparam, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import SQLModel, select

from vault import mirror
from vault.errors import CannotRecover
from vault.mirror import NAMES, MirroredRow, key_columns
from vault.models import MirrorRow, Unmirrored
from vault.recovery.findings import Done, Findings, Loss, Lost
from vault.work import Work, Works

Progress = Callable[[str, int, int], None]  # what is looked at, how many are done, of how many
JOURNAL = "journal"
COUNTERS = ("journal.seq", "box.id", "unmirrored.id")
Pending = dict[tuple[str, str], int]


def put_back(works: Works, found: Findings, *, progress: Progress) -> None:
    """Put back all rows of all copies that are newer than the database.

    Raises:
        CannotRecover: the database went on after it was restored, and has another history.
    """
    with works.open() as work:
        known = mirror.done(work)
        pending = _pending(work)
    newer = [number for number in mirror.numbers(works) if number > known]
    highest = 0
    for place, number in enumerate(newer):
        progress("rows", place, len(newer))
        rows = mirror.try_read(works, number)
        if rows is None:
            found.name(Loss(Lost.COPY, str(number)))
            continue
        highest = max(highest, *(one.version for one in rows), 0)
        fresh = [one for one in rows if pending.get((one.name, key_of(one)), 0) <= one.version]
        with works.open() as work:
            found.did(Done.ROWS, _put(work, fresh))
    with works.open() as work:
        advance_counters(work, highest)
        if newer:
            state = work.session.get_one(MirrorRow, 1, with_for_update=True)
            state.begun = state.done = max(state.begun, newer[-1])


def key_of(row: MirroredRow) -> str:
    """A row's primary key, as the notes of what is not copied yet have it."""
    values = json.loads(row.row)
    return json.dumps({column: values[column] for column in key_columns(row.name)}, sort_keys=True)


def _pending(work: Work) -> Pending:
    """What this database has written and not copied: rows newer than any copy with a lower version."""
    notes = work.session.exec(select(Unmirrored)).all()
    return {(one.name, json.dumps(one.key, sort_keys=True)): one.id or 0 for one in sorted(notes, key=_id)}


def _id(note: Unmirrored) -> int:
    return note.id or 0


def _put(work: Work, rows: Sequence[MirroredRow]) -> int:
    """Put rows back, table after table; tells how many were new or changed."""
    work.session.execute(text("SET LOCAL bidvault.putting_back = 'on'"))
    changed = 0
    for name in NAMES:
        of_table = [json.loads(one.row) for one in rows if one.name == name]
        if not of_table:
            continue
        if name == JOURNAL:
            _require_same_history(work, of_table)
        changed += len(work.session.execute(_putting(name), {"rows": of_table}).all())
    return changed


def _putting(name: str) -> TextClause:
    """Insert rows, or make them what they were in the copy; all names come from our own models."""
    keys = key_columns(name)
    columns = [column.name for column in SQLModel.metadata.tables[name].columns if column.name not in keys]
    new = {column: f"EXCLUDED.{column}" for column in columns}
    if name == JOURNAL:  # rule 2
        new = {column: f"COALESCE(kept.{column}, EXCLUDED.{column})" for column in ("position", "procedure_id")}
    before = ", ".join(f"kept.{column}" for column in new)
    changes = ", ".join(f"{column} = {value}" for column, value in new.items())
    statement = f"""
        INSERT INTO public.{name} AS kept
        SELECT back.* FROM jsonb_array_elements(:rows) AS one, jsonb_populate_record(NULL::public.{name}, one) AS back
        ON CONFLICT ({", ".join(keys)}) DO UPDATE SET {changes}
        WHERE ({before}) IS DISTINCT FROM ({", ".join(new.values())})
        RETURNING 1
    """  # noqa: S608
    return text(statement).bindparams(bindparam("rows", type_=JSONB))


def _require_same_history(work: Work, rows: Sequence[object]) -> None:
    statement = text("""
        SELECT kept.seq FROM public.journal AS kept
        JOIN jsonb_populate_recordset(NULL::public.journal, :rows) AS back USING (seq)
        WHERE kept.leaf <> back.leaf LIMIT 1
    """).bindparams(bindparam("rows", type_=JSONB))
    forked = work.session.execute(statement, {"rows": rows}).first()
    if forked is not None:
        raise CannotRecover(
            f"entry {forked[0]} of the journal is another one in the store: this database went on after it was "
            "restored. Restore it once more, and recover before anything is started."
        )


def advance_counters(work: Work, version: int = 0) -> None:
    """Let no counter give a number again that a row has, nor the count of writes one that a copy has."""
    for counter in COUNTERS:
        table, column = counter.split(".")
        drawn = text(f"SELECT pg_get_serial_sequence('public.{table}', '{column}')")
        sequence = work.session.execute(drawn).scalar_one()
        most = work.session.execute(text(f"SELECT coalesce(max({column}), 0) FROM public.{table}")).scalar_one()  # noqa: S608
        beyond = max(most, version) if table == "unmirrored" else most
        last = work.session.execute(text("SELECT nextval(:name)"), {"name": sequence}).scalar_one()
        if last < beyond:  # drawn, not set: the role owns no counter
            skip = text("SELECT max(nextval(:name)) FROM generate_series(1, :times)")
            work.session.execute(skip, {"name": sequence, "times": beyond - last}).scalar_one()
