# SPDX-License-Identifier: EUPL-1.2
"""Each journey on a world that stands just before it: what leads there, and the act, which may be repeated.

An act gives the word that is seen outside: the problem's name over the API, the error's code in the worker's log, or
nothing when it went well.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from http import HTTPStatus

import httpx2

from api.auth import Actor, Role
from crypto.policy import Part
from tests.api.depositing import Envelope, Site, slug
from tests.api.exported import OWNER
from tests.faults.outages import StagedWorld
from tests.world.world import BUYER, PLATFORM
from vault import closing, procedures, sequencer
from vault.opening import contributing
from vault.procedures.plan import LotDraft, PartDraft

WENT_WELL = ""
NOTICE = "notice"  # 202: the registration notice in place of the receipt
BROKEN_OFF = "broken off"  # the answer had begun; the connection ends without its end


class Journey(StrEnum):
    """What somebody wants of the vault."""

    PUBLICATION = "publication"
    DEPOSIT = "deposit"
    WITHDRAWAL = "withdrawal"
    CLOSING = "closing"
    CONTRIBUTION = "contribution"
    OPENING = "opening"
    READING = "reading a document"
    PRINT = "print of a receipt"
    EXPORT = "export"


@dataclass
class Stage:
    """One journey about to be made."""

    world: StagedWorld
    envelope: Envelope = field(init=False)
    box_id: int = 0
    opening_id: bytes = b""
    note: bytes = b""
    held: dict[str, object] = field(default_factory=dict)

    @property
    def site(self) -> Site:
        """The API over the world's tools as they are now."""
        return Site(self.world)

    # --- what leads there ---

    def drafted(self) -> None:
        """One lot with one part and one custodian, signed by all but the gate."""
        world = self.world
        box = PartDraft(Part.TECHNICAL, world.draft().lots[0].parts[0].deadline, (world.custodians[0].card_file,), 1)
        wanted = replace(world.draft(n=1, k=1), lots=(LotDraft("1", "Gros œuvre", (box,)),))
        world.procedure = procedures.draft(world.works, BUYER, wanted)
        world.rehearse_all()

    def published(self) -> None:
        """An open box, and an envelope that its depositor has not sent yet."""
        self.drafted()
        procedures.publish(self.world.works, BUYER, self.world.procedure)
        self.envelope, self.box_id = Envelope(self.site), self.world.box_id()

    def deposited(self) -> None:
        """The envelope is in the box, its depositor holds receipt and evidence."""
        self.published()
        receipt = self.envelope.put()
        assert receipt.status_code == HTTPStatus.CREATED
        self.held = self.envelope.held(receipt.text, self.envelope.ask(tail="/evidence").content)

    def due(self) -> None:
        """The box's deadline and settle have passed; the journal was published, as the worker does all the while."""
        self.deposited()
        sequencer.publish(self.world.works)
        self.world.after_settle()

    def closed(self) -> None:
        """The box is closed."""
        self.due()
        self.world.close_box(1)

    def offered(self) -> None:
        """The opening is offered, and the custodian's tool has made a contribution."""
        self.closed()
        self.opening_id = self.world.offer(1)
        self.note = self.world.custodians[0].contribute(self.world.bundle(self.opening_id)).note

    def opened(self) -> None:
        """The envelope is opened, and the journal published since."""
        self.closed()
        self.world.open_boxes(1, by=1)
        sequencer.publish(self.world.works)

    # --- the acts ---

    def publish(self) -> str:
        """The buyer publishes."""
        return _seen(self._ask("POST", f"/v1/procedures/{self.world.procedure}/publish"))

    def deposit(self) -> str:
        """The platform hands the envelope in."""
        return _seen(replace(self.envelope, site=self.site).put())

    def withdraw(self) -> str:
        """The platform takes it back."""
        return _seen(replace(self.envelope, site=self.site).ask("DELETE"))

    def close(self) -> str:
        """The worker closes the box."""
        return _code(lambda: closing.close(self.world.works, self.box_id))

    def contribute(self) -> str:
        """The custodian hands the contribution in."""
        path = f"/v1/openings/{self.opening_id.hex()}/contributions"
        one = self.world.custodians[0]
        actor = Actor(subject=one.subject, role=Role.CUSTODIAN, person=one.person, kid=one.master.kid)
        return _seen(self._ask("POST", path, who=actor, content=self.note))

    def open(self) -> str:
        """The buyer offers, the custodian contributes, the worker goes on."""
        address = f"/v1/procedures/{self.world.procedure}/openings"
        offered = self._ask("POST", address, json={"boxes": [1]})
        if not offered.is_success:
            return slug(offered)
        self.opening_id = bytes.fromhex(offered.json()["id"])
        return _code(self._go_on)

    def _go_on(self) -> None:
        world, one = self.world, self.world.custodians[0]
        self.note = self.note or one.contribute(world.bundle(self.opening_id)).note
        contributing.contribute(world.works, PLATFORM, self.opening_id, note=self.note, person=one.person)
        assert world.advance(self.opening_id)

    def read(self) -> str:
        """The buyer reads the first document."""
        path = f"/v1/procedures/{self.world.procedure}/envelopes/{self.envelope.id}/documents/0"
        return self._streamed(path, self.envelope.documents[0].content)

    def print(self) -> str:
        """The holder of a receipt has it printed."""
        return _seen(self._ask("POST", "/v1/receipts/pdf", json=self.held))

    def export(self) -> str:
        """The buyer takes the package."""
        return self._streamed(f"/v1/procedures/{self.world.procedure}/package", b"")

    def _streamed(self, path: str, expected: bytes) -> str:
        """An answer that may break off when it has begun."""
        answer = self._ask("GET", path)
        if not answer.is_success:
            return slug(answer)
        length = int(answer.headers["content-length"])
        is_whole = len(answer.content) == length and answer.content.startswith(expected)
        return WENT_WELL if is_whole else BROKEN_OFF

    def _ask(self, method: str, path: str, *, who: Actor = OWNER, **sent: object) -> httpx2.Response:
        site = self.site
        return site.http.request(method, path, headers=site.bearer(who), **sent)  # type: ignore[arg-type]


JOURNEYS: Mapping[Journey, tuple[Callable[[Stage], None], Callable[[Stage], str]]] = {
    Journey.PUBLICATION: (Stage.drafted, Stage.publish),
    Journey.DEPOSIT: (Stage.published, Stage.deposit),
    Journey.WITHDRAWAL: (Stage.deposited, Stage.withdraw),
    Journey.CLOSING: (Stage.due, Stage.close),
    Journey.CONTRIBUTION: (Stage.offered, Stage.contribute),
    Journey.OPENING: (Stage.closed, Stage.open),
    Journey.READING: (Stage.opened, Stage.read),
    Journey.PRINT: (Stage.deposited, Stage.print),
    Journey.EXPORT: (Stage.opened, Stage.export),
}
"""What leads to each, and the act."""


def _seen(answer: httpx2.Response) -> str:
    if answer.status_code == HTTPStatus.ACCEPTED:
        return NOTICE
    return WENT_WELL if answer.is_success else slug(answer)


def _code(act: Callable[[], object]) -> str:
    """How the worker's log names what went wrong."""
    try:
        act()
    except Exception as error:  # noqa: BLE001 - whatever it is, its name is what is seen
        return str(getattr(error, "code", type(error).__name__))
    return WENT_WELL
