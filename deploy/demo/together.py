# SPDX-License-Identifier: EUPL-1.2
"""What must fail, first: five custodians, the buyer and the operator together, before the deadline."""

import os
from dataclasses import replace
from datetime import UTC, datetime
from io import BytesIO

from api.cli import procedure as buyer_command
from api.cli.custodian import acts
from api.cli.custodian.memory import Pins
from crypto.bundle import BundledClosing, BundledToken, BundleHead, write_bundle
from crypto.ceremony import Closing, EnvelopeList, Opening
from crypto.closings import ListEntry
from crypto.errors import CryptoError, QuorumError
from crypto.header import EnvelopeKind
from crypto.hpke import KemKey
from crypto.keys.file import MasterKey, open_key_file
from crypto.policy import Opener, Policy
from crypto.reader import read_head
from crypto.slots import open_slot, recover_file_key
from crypto.statement import Kind, Statement, parse_note
from deploy.demo import cast
from deploy.demo.cast import CUSTODIANS, Custodian, Deposited
from deploy.demo.clock_ahead import AHEAD
from deploy.demo.errors import CommandRefused, DemoFailed
from deploy.demo.procedure import BOXES
from deploy.demo.stage import Stage
from vault import envelopes, shelf
from vault.authorities import Stamp
from vault.rows import Stamp as StampRow
from vault.work import SandboxClock

TARGET = cast.KERJEAN_FINANCIAL
BOX = 4
SEED = 32  # bytes
WHY_TOKENS = "it asks two time authorities, not a clock: their tokens say that the deadline is to come"
WHY_SHARE = "the gate's share is missing, and without it five are worth as much as none"


def tell(stage: Stage) -> None:
    """Each door in turn."""
    stage.screen.chapter(
        "Five custodians together, too early",
        f"All five keys, the buyer and the operator conspire to read the price of {TARGET.bidder.name} now.",
    )
    _ask_politely(stage)
    target = stage.deposited[TARGET.name]
    policy = parse_note(stage.asked(f"/v1/procedures/{stage.procedure}/policies/latest"), Kind.POLICY)
    forged = _forge(stage, target, policy)
    _ask_the_gate(stage, forged)
    masters = {one: _key_of(stage, one) for one in CUSTODIANS}
    _ask_the_tool(stage, masters, forged)
    _open_by_force(stage, masters, target)


def _ask_politely(stage: Stage) -> None:
    try:
        stage.as_buyer(buyer_command.open_boxes, str(stage.procedure), box=[BOX])
    except CommandRefused as refusal:
        stage.screen.refused(f"The buyer offers the opening of box {BOX} ({BOXES[BOX]})", str(refusal))
        return
    raise DemoFailed("an opening could be offered before the deadline")


def _forge(stage: Stage, target: Deposited, policy: Statement) -> BundleHead:
    """What an operator can make with the vault's own signing key: a closing and an opening, and tokens of today."""
    works, in_force = stage.works, Policy.of(policy)
    record = target.record
    listed = EnvelopeList((ListEntry(record.envelope_id, record.header_hash, record.file_hash, record.length),))
    closing = Closing(
        policy_hash=in_force.hash,
        box=BOX,
        count=len(listed),
        root=listed.root,
        deadline=in_force.box(BOX).deadline,
        at=in_force.box(BOX).deadline,
    ).statement.signed_by(works.service_keys.statement)
    tokens = works.authorities.stamp_by(closing.id, quorum=in_force.time.q)
    opening = Opening(
        policy_hash=in_force.hash,
        closings=(closing.id,),
        attempt=1,
        opening_key=KemKey(os.urandom(SEED)).public,
        opener=Opener.VAULT,
        at=datetime.now(UTC),
    ).statement.signed_by(works.service_keys.statement)
    bundled = tuple(BundledToken(one.verified.token, one.evidence) for one in tokens)
    anchors = tuple(anchor.der for anchor in works.authorities.anchors)
    return BundleHead((policy,), (BundledClosing(closing, listed, bundled),), opening, anchors=anchors)


def _ask_the_gate(stage: Stage, forged: BundleHead) -> None:
    """The gate, with the right clock and with one that was set a day ahead."""
    closing = forged.closings[0]
    policy = Policy.of(forged.policies[0])
    over = policy.close_request(policy.box(BOX))
    tokens = [_row(one) for one in stage.works.authorities.stamp_by(over, quorum=policy.time.q)]
    for gate, clock, why in (
        (stage.works.gate, "", ""),
        (replace(stage.works.gate, clock=SandboxClock(AHEAD)), " whose clock they set a day ahead", WHY_TOKENS),
    ):
        try:
            gate.accept_closing(closing.statement.note, closing.envelopes.encode(), tokens)
        except CryptoError as refusal:
            stage.screen.refused(f"The operator signs a closing now and shows it to the gate{clock}", str(refusal), why)
            continue
        raise DemoFailed("the gate took a closing before the deadline")


def _ask_the_tool(stage: Stage, masters: dict[Custodian, MasterKey], forged: BundleHead) -> None:
    """Each custodian's own tool, on a laptop whose clock is a day ahead."""
    said: set[str] = set()
    for master in masters.values():
        bundle = BytesIO(b"".join(write_bundle(forged, ())))
        try:
            acts.contribute_to(bundle, master=master, pins=Pins(master.kid), now=datetime.now(UTC) + AHEAD)
        except CryptoError as refusal:
            said.add(str(refusal))
            continue
        raise DemoFailed("a custodian's tool contributed before the deadline")
    attempt = "Five custodians set their laptops a day ahead and give their tools a forged opening"
    stage.screen.refused(attempt, "; ".join(sorted(said)), "the gate has not signed this opening, and never will")


def _open_by_force(stage: Stage, masters: dict[Custodian, MasterKey], target: Deposited) -> None:
    """Tools without any check: the keys do open their slots, and it is not enough."""
    works = stage.works
    with works.open() as work:
        kept = envelopes.find(works, work, target.id, procedure=stage.procedure)
    if kept is None:
        raise DemoFailed("an envelope that was acknowledged is not there")
    sealed = shelf.take(works, kept.facts)
    head = read_head(sealed.read)
    shares = {one.kid: open_slot(head.header, one.kid, one.kem, kind=EnvelopeKind.BID) for one in masters.values()}
    stage.screen.told(
        f"They throw the checks out of their tools: {len(shares)} keys open {len(shares)} shares of the envelope"
    )
    try:
        recover_file_key(head, shares)
    except QuorumError as refusal:
        stage.screen.refused("They compute the file key from these five shares", str(refusal), WHY_SHARE)
        return
    raise DemoFailed("five custodians have opened an envelope without the gate")


def _key_of(stage: Stage, custodian: Custodian) -> MasterKey:
    keys = stage.places.keys
    passphrase = custodian.passphrase(keys).read_text(encoding="ascii").strip()
    with stage.screen.busy(f"{custodian.name} unlocks a key"):
        return open_key_file(custodian.key(keys).read_bytes(), passphrase)


def _row(stamp: Stamp) -> StampRow:
    return StampRow(stamp.verified.token, stamp.evidence.encode())
