# SPDX-License-Identifier: EUPL-1.2
"""A whole package, checked step by step from itself and what the checker brings.

Rules
  1. No network, no database, no clock: the same package under the same trust gives the same answer in thirty years.
  2. A step that fails is told and the next ones go on, as far as they can without it.
  3. Whatever in the package nothing else speaks of is told too.

Left to others: each step (the modules beside).
"""

from collections.abc import Mapping, Sequence
from uuid import UUID

from crypto.ceremony import Opening
from crypto.closing_rules import require_listed
from crypto.deposit import DepositRecord, Verdict
from crypto.errors import ListError
from crypto.pades import MAX_PDF
from crypto.policy import Policy
from crypto.receipt_evidence import CheckedReceipt
from retention import package as layout
from retention.errors import ChangedPart, PackageError
from retention.package import Plan, PlannedBox, PlannedDocument, PlannedEnvelope, PlannedOpening, instant
from retention.verification.bag import bagging_date, check_bag
from retention.verification.closings import LoadedClosing, check_closings
from retention.verification.envelopes import CheckedEnvelope, Envelopes, check_opened, check_sealed
from retention.verification.journal import Told, check_counterparts, check_envelope_entries, check_journal
from retention.verification.openings import Openings, check_openings
from retention.verification.policies import Rules, check_policies
from retention.verification.prints import check_carried
from retention.verification.report import Report
from retention.verification.tree import Tree
from retention.verification.trust import Trust

PLAN_FILE = f"data/{layout.PLAN}"


def check_package(
    tree: Tree, trust: Trust, report: Report, *, receipts: Sequence[tuple[str, CheckedReceipt]] = ()
) -> None:
    """Check a package, and that each receipt's envelope is in it as it must be."""
    digests = check_bag(tree, report)
    rules = check_policies(tree, trust, report)
    if rules is None:
        return
    closings = check_closings(tree, rules, report)
    openings = check_openings(tree, rules, closings, report)
    envelopes = check_opened(tree, rules, openings, digests, report)
    check_sealed(tree, rules, closings, envelopes, report)
    told = check_journal(tree, rules, report)
    check_counterparts(rules, closings, openings, told=told, report=report)
    check_envelope_entries(tree, envelopes, told=told, rules=rules, report=report)
    _check_prints(tree, trust, report)
    _check_plan(tree, _derived(rules, closings, openings, envelopes, told), envelopes, report)
    _check_rest(tree, digests, envelopes, report)
    for name, receipt in receipts:
        _check_receipt(name, receipt, rules, closings, envelopes=envelopes, told=told, report=report)


def _check_prints(tree: Tree, trust: Trust, report: Report) -> None:
    report.begin("The prints")
    prints = [path for path in sorted(tree.sizes) if path.endswith(".pdf") and "/documents/" not in path]
    for full in prints:
        path = full.removeprefix("data/")
        with report.judging(full):
            note = tree.read(path.rsplit(".", 2)[0] + ".note")
            check_carried(tree.read(path, limit=MAX_PDF), note, trust, report, file=full)
    if not prints:
        report.passed("there are none")


def _derived(
    rules: Rules, closings: Sequence[LoadedClosing], openings: Openings, envelopes: Envelopes, told: Told
) -> Plan | None:
    """The plan as the statements of the package give it; None when too little of them holds."""
    mains = {one.number: one for one in closings if one.is_main}
    policy = rules.latest
    if told.last is None or any(box.number not in mains for box in policy.boxes):
        return None
    return Plan(
        format=layout.FORMAT,
        procedure=str(UUID(bytes=policy.procedure)),
        reference=policy.reference,
        title=policy.title,
        buyer=policy.buyer,
        siret=policy.siret,
        zone=policy.zone,
        policy=policy.hash.hex(),
        as_of=instant(told.last),
        boxes=tuple(_box(policy, mains[box.number], envelopes) for box in policy.boxes),
        openings=tuple(_openings(openings)),
    )


def _box(policy: Policy, main: LoadedClosing, envelopes: Envelopes) -> PlannedBox:
    box = policy.box(main.number)
    opened = [one for one in envelopes.opened.values() if one.box == box.number]
    return PlannedBox(
        number=box.number,
        lot=box.lot,
        part=box.part.name.lower(),
        deadline=instant(box.deadline),
        not_before=instant(box.not_before),
        closed_at=instant(main.checked.closing.at),
        closing=main.statement.id.hex(),
        folder=layout.box_folder(box.number),
        opened=tuple(_envelope(one) for one in opened),
        sealed=sum(number == box.number for number, _ in envelopes.sealed.values()),
    )


def _envelope(one: CheckedEnvelope) -> PlannedEnvelope:
    envelope_id = UUID(bytes=one.record.envelope_id)
    return PlannedEnvelope(
        id=str(envelope_id),
        bidder=one.record.bidder,
        received_at=instant(one.record.last_byte_at),
        folder=layout.envelope_folder(one.box, envelope_id),
        documents=tuple(PlannedDocument(path=d.path, size=d.size, sha256=d.sha256.hex()) for d in one.documents),
    )


def _openings(openings: Openings) -> list[PlannedOpening]:
    found = [one for one in openings.loaded if one.minutes is not None and one.opening.id in openings.minutes]
    in_order = sorted(found, key=lambda one: (Opening.of(one.opening).at, one.opening.id))
    return [
        PlannedOpening(
            id=one.opening.id.hex(),
            minutes=one.minutes.id.hex() if one.minutes else "",
            ended_at=instant(openings.minutes[one.opening.id].ended),
            folder=one.folder,
        )
        for one in in_order
    ]


def _check_plan(tree: Tree, derived: Plan | None, envelopes: Envelopes, report: Report) -> None:
    report.begin("The plan")
    with report.judging(PLAN_FILE):
        plan = Plan.decode(tree.read(layout.PLAN, limit=layout.MAX_JSON))
        if envelopes.broken:
            report.missing(PLAN_FILE, "cannot be held against what is broken above")
            return
        if derived is None or _sorted(plan) != _sorted(derived):
            raise ChangedPart("does not tell what the statements of the package tell")
        if str(bagging_date(tree)) != plan.as_of[:10]:
            raise ChangedPart("gives another date than the plan", file="bag-info.txt")
        report.passed(f"{plan.reference} of {plan.buyer}, as of {plan.as_of}: as the statements have it")


def _sorted(plan: Plan) -> Plan:
    """The plan with its envelopes and openings in an order that does not depend on who wrote it."""
    boxes = tuple(
        box.model_copy(update={"opened": tuple(sorted(box.opened, key=lambda one: one.id))}) for box in plan.boxes
    )
    openings = tuple(sorted(plan.openings, key=lambda one: one.id))
    return plan.model_copy(update={"boxes": boxes, "openings": openings})


def _check_rest(tree: Tree, digests: Mapping[str, str], envelopes: Envelopes, report: Report) -> None:
    for path in layout.READ_ME.values():
        with report.judging(f"data/{path}"):
            tree.read(path)
    unread = tuple(f"{folder}/" for folder in envelopes.broken.values())
    for path in sorted(digests.keys() - tree.asked):
        if path.startswith(unread):
            continue  # of an envelope whose check ended at what is named above
        report.broken(f"data/{path}", "is a file that nothing in the package speaks of, or was not reached")


def _check_receipt(  # noqa: PLR0913 - what a receipt is held against
    name: str,
    receipt: CheckedReceipt,
    rules: Rules,
    closings: Sequence[LoadedClosing],
    *,
    envelopes: Envelopes,
    told: Told,
    report: Report,
) -> None:
    """Hold a receipt against the package: listed, or explained by a statement or an entry (T37)."""
    report.begin(f"The receipt {name} against the package")
    with report.judging(name):
        record = receipt.record
        if receipt.policy.procedure != rules.latest.procedure or not isinstance(record, DepositRecord):
            raise PackageError("is not the receipt of a deposit in this procedure")
        rules.chain.by_hash(record.policy_hash)
        if (receipt.ruling.event, receipt.ruling.salt) not in told.events:
            report.broken(name, "names an entry that the package's journal does not have")
        for closing in closings:
            listed = {entry.envelope_id for entry in closing.checked.envelopes.entries}
            if closing.number == record.box and record.envelope_id in listed:
                require_listed(record, closing.checked.envelopes)
                report.passed("its envelope is listed with the bytes that were received")
                return
        _explain(record, receipt.ruling.verdict, envelopes, told=told, report=report, name=name)


def _explain(
    record: DepositRecord, verdict: Verdict, envelopes: Envelopes, *, told: Told, report: Report, name: str
) -> None:
    _, sealed = envelopes.sealed.get(record.envelope_id, (0, None))
    if sealed is None or sealed.record != record.imprint.hex():
        raise ListError("its envelope was received and is neither listed nor named as sealed: it was dropped")
    if record.envelope_id in told.withdrawn:
        report.passed("its envelope was withdrawn, and the journal says when")
    elif verdict is not Verdict.IN_TIME:
        report.passed(f"its envelope stays sealed: {sealed.state}")
    elif _later(record, envelopes):
        report.passed("its envelope was followed by a later one of the same bidder, which is listed")
    else:
        report.missing(name, f"the package calls its envelope {sealed.state}, and does not show by which later one")


def _later(record: DepositRecord, envelopes: Envelopes) -> bool:
    return any(
        (one.box, one.record.bidder) == (record.box, record.bidder)
        and one.record.last_byte_at >= record.last_byte_at
        and one.receipt.ruling.verdict is Verdict.IN_TIME
        for one in envelopes.opened.values()
    )
