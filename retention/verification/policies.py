# SPDX-License-Identifier: EUPL-1.2
"""A package's policies: one chain from epoch 0, each in force, each lawfully following; and whom they name."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from crypto.certificates import Anchor, read_anchors
from crypto.closing_rules import MAX_EPOCHS, PolicyChain, require_chain
from crypto.policy import Policy
from crypto.statement import MAX_POLICY, Kind, Statement, parse_note
from retention import package as layout
from retention.errors import ChangedPart, MissingPart
from retention.verification.report import Report
from retention.verification.tree import Tree
from retention.verification.trust import Trust


@dataclass(frozen=True)
class Rules:
    """The policies of a package, checked, and the anchors they name that are at hand."""

    statements: tuple[Statement, ...]
    chain: PolicyChain
    anchors: tuple[Anchor, ...] = field(repr=False)

    @property
    def latest(self) -> Policy:
        """The policy of the last epoch."""
        return self.chain.latest


def check_policies(tree: Tree, trust: Trust, report: Report) -> Rules | None:
    """Check the policies of a package; None when nothing else can be checked by them."""
    report.begin("The policies")
    with report.judging(f"data/{layout.POLICIES}"):
        statements = _read(tree)
        latest = Policy.of(statements[-1])
        chain = require_chain(statements, latest.hash)
        report.passed(f"{len(statements)} in force, signed by everyone they name; the last is {latest.hash.hex()}")
        report.passed("compare that hash with the one printed in the notice of the procedure")
        file = f"data/{layout.policy_path(latest.epoch)}"
        trust.require_vault(latest, report, file=file)
        _check_keys(tree, latest, report)
        carried = _carried(tree, report)
        return Rules(statements, chain, trust.time_anchors(latest, carried, report))
    return None


def _read(tree: Tree) -> tuple[Statement, ...]:
    found: list[Statement] = []
    while tree.has(layout.policy_path(len(found))) and len(found) < MAX_EPOCHS:
        found.append(parse_note(tree.read(layout.policy_path(len(found)), limit=MAX_POLICY), Kind.POLICY))
    if not found:
        raise MissingPart("is missing", file=f"data/{layout.policy_path(0)}")
    return tuple(found)


def _check_keys(tree: Tree, policy: Policy, report: Report) -> None:
    for path, vkey in ((layout.STATEMENTS_VKEY, policy.statement_vkey), (layout.JOURNAL_VKEY, policy.journal_vkey)):
        with report.judging(f"data/{path}"):
            if tree.read(path) != f"{vkey}\n".encode():
                raise ChangedPart("is not the key that the policy names")


def _carried(tree: Tree, report: Report) -> Sequence[Anchor]:
    anchors: list[Anchor] = []
    for path in tree.under(layout.ANCHORS):
        with report.judging(f"data/{path}"):
            anchors += read_anchors(tree.read(path))
    return anchors
