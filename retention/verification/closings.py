# SPDX-License-Identifier: EUPL-1.2
"""A package's closings: signed, over their lists, after deadline and settle by independent time authorities."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from crypto.bundle import BundledClosing, BundledToken
from crypto.certificates import MAX_EVIDENCE, Anchor, RevocationEvidence
from crypto.closing_rules import CheckedClosing, ClosedBox, Memory, require_closing, require_main, require_supplementary
from crypto.closings import MAX_LIST_BYTES, EnvelopeList
from crypto.opening_rules import require_close_proof
from crypto.statement import Kind, Statement, parse_note
from crypto.timestamp import MAX_TOKEN, VerifiedTimestamp, judge_token, prove_passed
from retention import package as layout
from retention.errors import PackageError
from retention.verification.policies import Rules
from retention.verification.report import Report
from retention.verification.tree import Tree

_ADMITTED = re.compile(r"box-\d+/admitted-[0-9a-f]{16}")


@dataclass(frozen=True)
class LoadedClosing:
    """A closing of the package that passed its checks."""

    folder: str
    bundled: BundledClosing = field(repr=False)
    checked: CheckedClosing

    @property
    def statement(self) -> Statement:
        """As signed."""
        return self.bundled.statement

    @property
    def number(self) -> int:
        """Its box."""
        return self.checked.box.number

    @property
    def is_main(self) -> bool:
        """Whether it is the box's own, not one for an admitted envelope."""
        return self.checked.closing.decision is None


def check_closings(tree: Tree, rules: Rules, report: Report) -> list[LoadedClosing]:
    """Check every box's closing and those of admitted envelopes; the sound ones, boxes in order, main ones first."""
    report.begin("The closings")
    sound: list[LoadedClosing] = []
    for box in rules.latest.boxes:
        folder = layout.box_folder(box.number)
        main: LoadedClosing | None = None
        with report.judging(f"data/{folder}/closing.note"):
            main = _load(tree, folder, rules, report)
            _check_main(tree, main, rules, report)
            sound.append(main)
        for admitted in sorted({found[0] for path in tree.under(folder) if (found := _ADMITTED.match(path))}):
            with report.judging(f"data/{admitted}/closing.note"):
                sound.append(_check_admitted(_load(tree, admitted, rules, report), main, rules, report))
    _refuse_other_boxes(tree, rules, report)
    return sound


def read_tokens(
    tree: Tree, stem: str, over: bytes, anchors: Sequence[Anchor], report: Report
) -> tuple[tuple[BundledToken, ...], tuple[VerifiedTimestamp, ...]]:
    """Tokens `<stem>-1.tst`, … with their evidence: as they came, and those that pass every check."""
    bundled: list[BundledToken] = []
    verified: list[VerifiedTimestamp] = []
    number = 1
    while tree.has(f"{stem}-{number}.tst"):
        path = f"{stem}-{number}.tst"
        with report.judging(f"data/{path}"):
            token = tree.read(path, limit=MAX_TOKEN)
            evidence = RevocationEvidence.decode(tree.read(f"{stem}-{number}.evidence", limit=MAX_EVIDENCE))
            bundled.append(BundledToken(token, evidence))
            verified.append(judge_token(token, over, anchors=anchors, evidence=evidence))
        number += 1
    return tuple(bundled), tuple(verified)


def _load(tree: Tree, folder: str, rules: Rules, report: Report) -> LoadedClosing:
    statement = parse_note(tree.read(f"{folder}/closing.note"), Kind.CLOSING)
    entries = EnvelopeList.decode(tree.read(f"{folder}/closing.list", limit=MAX_LIST_BYTES))
    decision = None
    if tree.has(f"{folder}/decision.note"):
        decision = parse_note(tree.read(f"{folder}/decision.note"), Kind.DECISION)
    checked = require_closing(ClosedBox(statement, entries), rules.chain)
    bundled, verified = read_tokens(tree, f"{folder}/closing", statement.id, rules.anchors, report)
    prove_passed(checked.box.deadline, verified, over=statement.id, quorum=checked.policy.time.q)
    return LoadedClosing(folder, BundledClosing(statement, entries, bundled, decision), checked)


def _check_main(tree: Tree, main: LoadedClosing, rules: Rules, report: Report) -> None:
    checked = main.checked
    if layout.box_folder(checked.box.number) != main.folder:
        raise PackageError("is the closing of another box")
    require_main(checked, Memory(rules.latest.hash))
    request = checked.policy.close_request(checked.box)
    _, verified = read_tokens(tree, f"{main.folder}/closing-request", request, rules.anchors, report)
    require_close_proof(checked.policy, checked.box, verified)
    report.passed(
        f"box {checked.box.number}: list of {checked.closing.count} signed, after deadline and settle by "
        f"{len({one.tsa_key_hash for one in verified})} authorities"
    )


def _check_admitted(admitted: LoadedClosing, main: LoadedClosing | None, rules: Rules, report: Report) -> LoadedClosing:
    checked = admitted.checked
    if main is None:
        raise PackageError("the main closing of its box does not hold")
    memory = Memory(rules.latest.hash, main_closings={main.number: main.statement.id})
    require_supplementary(
        checked, admitted.bundled.decision, chain=rules.chain, memory=memory, main=main.checked.closing
    )
    report.passed(f"box {checked.box.number}: one envelope admitted by decision of its custodians")
    return admitted


def _refuse_other_boxes(tree: Tree, rules: Rules, report: Report) -> None:
    known = {layout.box_folder(box.number) for box in rules.latest.boxes}
    found = {path.split("/")[1] for path in tree.sizes if re.match(r"data/box-", path)}
    for folder in sorted(found - known):
        report.broken(f"data/{folder}", "is a box that no policy has")
