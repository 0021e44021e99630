# SPDX-License-Identifier: EUPL-1.2
"""A package's openings: due, signed by the gates, contributed to by a quorum, keyed before they were read, minuted.

Rules
  1. Everything a custodian's tool checks before it contributes (protocol 4.6) is checked again, from the package alone.
  2. The checker's own clock plays no part: what came before what is said by tokens.
  3. Contributions are counted by person; keyed names them, the minutes name the persons.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from crypto.bundle import BundleHead
from crypto.ceremony import Keyed, MinutedEnvelope, Minutes, Opening, Outcome
from crypto.closing_rules import Memory
from crypto.errors import CryptoError
from crypto.opening_rules import (
    CheckedContribution,
    DueEntry,
    DueOpening,
    EarlierBox,
    require_contribution,
    require_due,
    require_quorum,
    require_release,
)
from crypto.statement import MAX_LARGE_NOTE, Kind, Statement, parse_note, require_signers
from retention import package as layout
from retention.errors import ChangedPart
from retention.verification.closings import LoadedClosing
from retention.verification.policies import Rules
from retention.verification.report import Report
from retention.verification.tree import Tree

NO_CLOCK = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True)
class LoadedOpening:
    """An opening as it lies in the package, nothing checked: without minutes it was given up."""

    folder: str
    opening: Statement
    keyed: Statement | None
    minutes: Statement | None


@dataclass(frozen=True)
class Fate:
    """What the minutes say of one listed envelope."""

    due: DueEntry
    minuted: MinutedEnvelope


@dataclass
class Openings:
    """What the package says of openings.

    Attributes:
        loaded: every opening, those given up too.
        minutes: the minutes of each that passed its checks, by the opening's id.
        fates: by envelope id.
        said: every statement, for the journal: kind, id, file.
    """

    loaded: list[LoadedOpening] = field(default_factory=list)
    minutes: dict[bytes, Minutes] = field(default_factory=dict)
    fates: dict[bytes, Fate] = field(default_factory=dict)
    said: list[tuple[Kind, bytes, str]] = field(default_factory=list)


def check_openings(tree: Tree, rules: Rules, closings: Sequence[LoadedClosing], report: Report) -> Openings:
    """Check every opening of the package."""
    report.begin("The openings")
    found = Openings()
    for folder in sorted({"/".join(path.split("/")[:2]) for path in tree.under(layout.OPENINGS)}):
        with report.judging(f"data/{folder}/opening.note"):
            found.loaded.append(_load(tree, folder))
    for one in found.loaded:
        found.said.append((Kind.OPENING, one.opening.id, f"data/{one.folder}/opening.note"))
        with report.judging(f"data/{one.folder}/opening.note"):
            due = _require_due(one, found.loaded, rules, closings)
            _check_one(tree, one, due, found, report)
    if not found.loaded:
        report.passed("nothing was opened")
    return found


def _load(tree: Tree, folder: str) -> LoadedOpening:
    def note(name: str, kind: Kind) -> Statement | None:
        path = f"{folder}/{name}.note"
        return parse_note(tree.read(path, limit=MAX_LARGE_NOTE), kind) if tree.has(path) else None

    opening = parse_note(tree.read(f"{folder}/opening.note"), Kind.OPENING)
    if layout.opening_folder(opening.id) != folder:
        raise ChangedPart("is not the opening that its folder is named by")
    return LoadedOpening(folder, opening, note("keyed", Kind.KEYED), note("minutes", Kind.MINUTES))


def _require_due(
    one: LoadedOpening, loaded: Sequence[LoadedOpening], rules: Rules, closings: Sequence[LoadedClosing]
) -> DueOpening:
    by_id = {closing.statement.id: closing for closing in closings}
    wanted = Opening.of(one.opening).closings
    if any(closing not in by_id for closing in wanted):
        raise ChangedPart("is over a closing that is not in the package, or does not hold")
    over = [by_id[closing] for closing in wanted]
    head = BundleHead(
        policies=rules.statements,
        closings=tuple(closing.bundled for closing in over),
        opening=one.opening,
        earlier=tuple(_earlier(over, loaded, closings)),
    )
    mains = {closing.number: closing.statement.id for closing in closings if closing.is_main}
    memory = Memory(rules.latest.hash, main_closings=mains)
    return require_due(head.judged(rules.anchors), memory=memory, now=NO_CLOCK)


def _earlier(
    over: Sequence[LoadedClosing], loaded: Sequence[LoadedOpening], closings: Sequence[LoadedClosing]
) -> Iterable[EarlierBox]:
    own = {closing.number for closing in over if closing.is_main}
    wanted = {number for closing in over for number in closing.checked.box.after}
    wanted |= {closing.number for closing in over if not closing.is_main}
    for main in closings:
        if main.is_main and main.number in wanted - own:
            opened = next((one for one in loaded if one.minutes and main.statement.id in _closings(one)), None)
            yield EarlierBox(main.statement, opened.opening if opened else None, opened.minutes if opened else None)


def _closings(one: LoadedOpening) -> tuple[bytes, ...]:
    try:
        return Opening.of(one.opening).closings
    except CryptoError:
        return ()


def _check_one(tree: Tree, one: LoadedOpening, due: DueOpening, found: Openings, report: Report) -> None:
    contributions = _contributions(tree, one, due, found, report)
    if one.keyed is None or one.minutes is None:
        report.passed(f"opening {layout.short(due.id)} (attempt {due.opening.attempt}) was given up unkeyed")
        return
    with report.judging(f"data/{one.folder}/release.note"):
        release = parse_note(tree.read(f"{one.folder}/release.note", limit=MAX_LARGE_NOTE), Kind.RELEASE)
        found.said.append((Kind.RELEASE, release.id, f"data/{one.folder}/release.note"))
        require_release(release, due)
    with report.judging(f"data/{one.folder}/keyed.note"):
        found.said.append((Kind.KEYED, one.keyed.id, f"data/{one.folder}/keyed.note"))
        persons = _require_keyed(one.keyed, due, contributions)
        with report.judging(f"data/{one.folder}/minutes.note"):
            found.said.append((Kind.MINUTES, one.minutes.id, f"data/{one.folder}/minutes.note"))
            minutes = _require_minutes(one.minutes, one.keyed, due, persons)
            found.minutes[due.id] = minutes
            for entry, minuted in zip(due.entries, minutes.envelopes, strict=True):
                found.fates[entry.entry.envelope_id] = Fate(entry, minuted)
            _tell(due, minutes, report)


def _contributions(
    tree: Tree, one: LoadedOpening, due: DueOpening, found: Openings, report: Report
) -> dict[bytes, CheckedContribution]:
    """Contributions that pass their checks, by id; refused ones are the holder's word too, and must be signed."""
    checked: dict[bytes, CheckedContribution] = {}
    for path in tree.under(one.folder):
        name = path.rpartition("/")[2]
        if not name.startswith(("contribution-", "refused-")):
            continue
        with report.judging(f"data/{path}"):
            statement = parse_note(tree.read(path, limit=MAX_LARGE_NOTE), Kind.CONTRIBUTION)
            found.said.append((Kind.CONTRIBUTION, statement.id, f"data/{path}"))
            contribution = require_contribution(statement, due)
            if name.startswith("contribution-"):
                checked[statement.id] = contribution
            else:
                report.passed(f"a contribution of {contribution.card.name} was refused, and kept as it was signed")
    return checked


def _require_keyed(
    keyed: Statement, due: DueOpening, contributions: Mapping[bytes, CheckedContribution]
) -> tuple[bytes, ...]:
    """Check `keyed`; gives the contributors' persons in its order."""
    said = Keyed.of(keyed)
    policy = due.chain.by_hash(due.opening.policy_hash)
    require_signers(keyed, [policy.vault_verifier], 1)
    if said.opening_id != due.id:
        raise ChangedPart("is of another opening")
    if any(one not in contributions for one in said.contributions):
        raise ChangedPart("names a contribution that is not in the package, or does not hold")
    used = [contributions[one] for one in said.contributions]
    require_quorum(used, due)
    return tuple(dict.fromkeys(one.card.person for one in used))


def _require_minutes(statement: Statement, keyed: Statement, due: DueOpening, persons: tuple[bytes, ...]) -> Minutes:
    minutes, said = Minutes.of(statement), Keyed.of(keyed)
    policy = due.chain.by_hash(due.opening.policy_hash)
    require_signers(statement, [policy.vault_verifier], 1)
    if (minutes.opening_id, minutes.keyed_id) != (due.id, keyed.id):
        raise ChangedPart("are of another opening")
    if minutes.contributors != persons:
        raise ChangedPart("name other persons than those who contributed")
    if [one.index for one in minutes.envelopes] != list(range(len(due.entries))):
        raise ChangedPart("do not speak of exactly the listed envelopes")
    unkeyed = {one.index for one in said.unkeyed}
    if any(one.outcome is Outcome.OPENED and one.index in unkeyed for one in minutes.envelopes):
        raise ChangedPart("call an envelope opened that had no key")
    if any(one.outcome is Outcome.OPENED and due.entries[one.index].is_left_out for one in minutes.envelopes):
        raise ChangedPart("call an envelope opened that the buyer had left out")
    return minutes


def _tell(due: DueOpening, minutes: Minutes, report: Report) -> None:
    opened = sum(one.outcome is Outcome.OPENED for one in minutes.envelopes)
    boxes = ", ".join(str(number) for number in sorted({entry.box for entry in due.entries}))
    report.passed(
        f"box {boxes}: {len(minutes.contributors)} custodians ({due.custodians.k} needed) and the gate opened {opened} "
        f"of {len(due.entries)} listed envelopes, {minutes.began.isoformat()} to {minutes.ended.isoformat()}"
    )
    for proof in due.proofs:
        names = " and ".join(token.authority for token in proof.tokens)
        report.passed(f"not before {proof.moment.isoformat()}, as {names} attest")
