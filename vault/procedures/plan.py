# SPDX-License-Identifier: EUPL-1.2
"""From a buyer's words to the boxes and groups of a policy: pure, values in, values out.

Rules
  1. Boxes are numbered from 1 in the order of the lots and their parts; lot `all` holds what is common to all lots.
  2. Parts with the same k and the same custodians share one group; custodian groups come first, then the gate's.
  3. No key stands twice, no person twice in a group; a key outlives the opening it is for, by at most three years.
  4. A deadline lies ahead and names its zone; nothing opens before deadline and settle.

Left to others: the procedure's keys and canaries (vault.procedures.draft), what the format refuses (crypto.policy).
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from stdnum.exceptions import ValidationError
from stdnum.fr import siret as siret_number

from crypto.encoding import require_text
from crypto.errors import CryptoError, FormatError
from crypto.hpke import require_kem_public
from crypto.policy import (
    SETTLE_SECONDS,
    Box,
    Card,
    Group,
    Limits,
    Part,
    Policy,
    Role,
    read_card_file,
)
from crypto.policy_parts import MAX_BOXES, MAX_CARDS, MAX_GROUP
from vault.errors import InvalidInput

ALL_LOTS = "all"
DEFAULT_SETTLE = timedelta(seconds=60)  # protocol 3.3
KEY_LIFETIME = timedelta(days=3 * 366)  # protocol 3.2: at most three years
_LOT_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,31}")


@dataclass(frozen=True)
class PartDraft:
    """One part of a lot: its times, its custodians' card files, and the parts that must be opened before it."""

    part: Part
    deadline: datetime
    custodians: tuple[bytes, ...]
    k: int
    not_before: datetime | None = None
    after: tuple[tuple[str, Part], ...] = ()


@dataclass(frozen=True)
class LotDraft:
    """One lot and its parts, in the order that numbers them."""

    id: str
    title: str
    parts: tuple[PartDraft, ...]


@dataclass(frozen=True)
class ProcedureDraft:
    """What a buyer says of a procedure."""

    reference: str
    title: str
    siret: str
    buyer: str
    lots: tuple[LotDraft, ...]
    zone: str = "Europe/Paris"
    settle: timedelta = DEFAULT_SETTLE
    limits: Limits | None = None


@dataclass(frozen=True)
class Plan:
    """Boxes and custodian groups of a policy; the gate's group comes behind them."""

    boxes: tuple[Box, ...]
    custodians: tuple[Group, ...]

    def groups_with(self, gate: Card) -> tuple[Group, ...]:
        """All groups of the policy, once the gate has its card."""
        return (*self.custodians, Group(Role.GATE, 1, (gate,)))


def require_siret(value: str) -> str:
    """The 14 digits of a SIRET, without spaces; InvalidInput when the check digits do not fit."""
    try:
        return siret_number.validate(value)
    except ValidationError as error:
        raise InvalidInput("siret", "14 digits whose check digits fit") from error


def require_words(draft: ProcedureDraft, *, most: Limits) -> Limits:
    """Check what is said of the whole procedure, and give its limits.

    Raises:
        InvalidInput: a text, the zone, settle or a limit is not as it must be.
    """
    for field, value in (("reference", draft.reference), ("title", draft.title), ("buyer", draft.buyer)):
        _require_words(field, value)
    try:
        ZoneInfo(draft.zone)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise InvalidInput("zone", "a name of the time zone database, as Europe/Paris") from error
    seconds = draft.settle.total_seconds()
    if not SETTLE_SECONDS[0] <= seconds <= SETTLE_SECONDS[1] or seconds % 1:
        raise InvalidInput("settle", f"{SETTLE_SECONDS[0]} to {SETTLE_SECONDS[1]} whole seconds")
    limits = draft.limits or most
    require_limits(limits, most=most)
    return limits


def require_limits(limits: Limits, *, most: Limits) -> None:
    """Refuse limits of nothing, and limits above the deployment's; InvalidInput."""
    if (
        min(limits.document, limits.envelope, limits.documents, limits.deposits) < 1
        or limits.document > limits.envelope
    ):
        raise InvalidInput("limits", "at least 1 each, and no document larger than an envelope")
    if not most.covers(limits):
        raise InvalidInput(
            "limits",
            f"at most {most.document} bytes a document, {most.envelope} an envelope, "
            f"{most.documents} documents, {most.deposits} deposits",
        )


def plan(draft: ProcedureDraft, *, now: datetime) -> Plan:
    """Number the boxes and form the groups.

    Raises:
        InvalidInput: something does not fit; `field` says where (`lots[0].parts[1].after`).
    """
    _require_lots(draft.lots)
    groups: list[Group] = []
    boxes: list[Box] = []
    for i, lot in enumerate(draft.lots):
        for j, part in enumerate(lot.parts):
            place = f"lots[{i}].parts[{j}]"
            deadline, not_before = _require_times(part, settle=draft.settle, now=now, place=place)
            cards = _require_cards(part, now=now, until=not_before, place=place)
            index = _group_index(groups, Group(Role.CUSTODIAN, part.k, cards), place=place)
            after = _require_after(part, boxes, place=place)
            boxes.append(Box(len(boxes) + 1, lot.id, part.part, deadline, not_before, index, 0, after=after))
    if sum(len(group.cards) for group in groups) + 1 > MAX_CARDS:
        raise InvalidInput("lots", f"at most {MAX_CARDS} cards in a procedure, the gate's included")
    return Plan(tuple(replace(box, gates=len(groups)) for box in boxes), tuple(groups))


def moment(value: datetime, *, field: str) -> datetime:
    """A moment in UTC to the millisecond; InvalidInput when it names no zone."""
    if value.tzinfo is None:
        raise InvalidInput(field, "a moment with its zone, as 2027-01-15T17:00:00+01:00")
    utc = value.astimezone(UTC)
    return utc.replace(microsecond=utc.microsecond // 1000 * 1000)


def warnings(policy: Policy) -> tuple[str, ...]:
    """What is allowed, and still should be read before anyone relies on it (KEY-09)."""
    lonely = [box for box in policy.boxes if policy.groups[box.custodians].k == 1]
    return tuple(
        f"box {box.number} ({box.lot}, {box.part.name.lower()}) can be opened by one custodian alone with the gate"
        for box in lonely
    )


def _require_words(field: str, value: str) -> None:
    try:
        require_text(value)
    except FormatError as error:
        raise InvalidInput(field, str(error)) from error
    if not value.strip():
        raise InvalidInput(field, "may not be empty")


def _require_lots(lots: Sequence[LotDraft]) -> None:
    if not lots:
        raise InvalidInput("lots", "at least one lot")
    seen: set[str] = set()
    for i, lot in enumerate(lots):
        if not _LOT_ID.fullmatch(lot.id):
            raise InvalidInput(f"lots[{i}].id", "1 to 32 letters, digits, dots, dashes or underscores")
        if lot.id in seen:
            raise InvalidInput(f"lots[{i}].id", "another lot has this id")
        seen.add(lot.id)
        _require_words(f"lots[{i}].title", lot.title)
        parts = [part.part for part in lot.parts]
        if not parts or len(set(parts)) != len(parts):
            raise InvalidInput(f"lots[{i}].parts", "at least one part, each once")
    if sum(len(lot.parts) for lot in lots) > MAX_BOXES:
        raise InvalidInput("lots", f"at most {MAX_BOXES} boxes")


def _require_times(part: PartDraft, *, settle: timedelta, now: datetime, place: str) -> tuple[datetime, datetime]:
    deadline = moment(part.deadline, field=f"{place}.deadline")
    if deadline <= now:
        raise InvalidInput(f"{place}.deadline", "must lie ahead")
    earliest = deadline + settle
    not_before = earliest if part.not_before is None else moment(part.not_before, field=f"{place}.not_before")
    if not_before < earliest:
        raise InvalidInput(f"{place}.not_before", "at least deadline and settle")
    return deadline, not_before


def _require_cards(part: PartDraft, *, now: datetime, until: datetime, place: str) -> tuple[Card, ...]:
    count = len(part.custodians)
    if not 1 <= count <= MAX_GROUP:
        raise InvalidInput(f"{place}.custodians", f"1 to {MAX_GROUP} cards")
    if not 1 <= part.k <= count:
        raise InvalidInput(f"{place}.k", f"1 to {count}, the number of custodians")
    cards = tuple(
        _require_card(data, now=now, until=until, place=f"{place}.custodians[{i}]")
        for i, data in enumerate(part.custodians)
    )
    if len({card.person for card in cards}) != count:
        raise InvalidInput(f"{place}.custodians", "one person stands twice")
    return cards


def _require_card(data: bytes, *, now: datetime, until: datetime, place: str) -> Card:
    try:
        card = read_card_file(data)
        require_kem_public(card.kem)
    except CryptoError as error:
        raise InvalidInput(place, f"not a card file of `bidvault custodian init`: {error}") from error
    if card.role is not Role.CUSTODIAN:
        raise InvalidInput(place, "the card is not a custodian's")
    if not any(card.person):
        raise InvalidInput(place, "the card names no person: make it with --subject")
    if card.valid_to < until or card.valid_to - card.valid_from > KEY_LIFETIME:
        raise InvalidInput(place, "the key must outlive the opening, and live three years at most")
    if card.valid_from > now + timedelta(days=1):  # clocks and zones of whoever made it
        raise InvalidInput(place, "the key is not valid yet")
    return card


def _group_index(groups: list[Group], group: Group, *, place: str) -> int:
    kids = {card.kid for card in group.cards}
    for index, known in enumerate(groups):
        if known.k == group.k and {card.kid for card in known.cards} == kids:
            return index
    keys = {key for known in groups for card in known.cards for key in (card.kem, card.sig)}
    own = [key for card in group.cards for key in (card.kem, card.sig)]
    if len(set(own)) != len(own) or keys.intersection(own):
        raise InvalidInput(
            f"{place}.custodians",
            "a key stands twice: parts share all custodians and k, or each custodian has another key for each group",
        )
    groups.append(group)
    return len(groups) - 1


def _require_after(part: PartDraft, boxes: Sequence[Box], *, place: str) -> tuple[int, ...]:
    numbers = {(box.lot, box.part): box.number for box in boxes}
    unknown = [pair for pair in part.after if pair not in numbers]
    if unknown:
        lot, name = unknown[0]
        raise InvalidInput(f"{place}.after", f"no earlier box of lot {lot}, part {name.name.lower()}")
    return tuple(sorted({numbers[pair] for pair in part.after}))
