# SPDX-License-Identifier: EUPL-1.2
"""Rulebooks: which documents are kept how long, from what, by which article. Pure: bytes in, rules out.

Rules
  1. One file is one version; it is never edited, and named by its digest. Changing law is a new file.
  2. Every rule says on what it rests; a rule without an article is refused.
  3. A buyer's own book extends a shipped one and may only lengthen: every event stays, every duration is at least as
     long, no term is dropped, nothing to be reviewed or transferred becomes destroyed (N1).
  4. What is refused is refused with its rule's code.

Left to others: dates (retention.schedule), who adopts a book, which rule a record has.
"""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from enum import StrEnum
from functools import cache
from hashlib import sha256
from importlib import resources
from typing import Annotated, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from retention.errors import RulebookRefused
from retention.schedule import Anchor, Combine, Endless, Period, Term, parse_duration

SHIPPED = "fr-commande-publique-2026-04.toml"
MAX_BOOK = 1 << 20  # bytes

_Read = TypeVar("_Read", bound=BaseModel)


class Final(StrEnum):
    """What happens at the end: destroyed, given to the archives, or decided by a person."""

    DESTROY = "destroy"
    TRANSFER = "transfer"
    REVIEW = "review"


class Basis(StrEnum):
    """How binding a rule's ground is."""

    LAW = "law"
    REGULATION = "regulation"
    GUIDANCE = "guidance"
    PRACTICE = "practice"
    PROPOSAL = "proposal"


class _Row(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Named(_Row):
    """Words in both languages."""

    fr: Annotated[str, Field(min_length=1)]
    en: Annotated[str, Field(min_length=1)]


class Cite(_Row):
    """One article that a rule rests on."""

    text: Annotated[str, Field(min_length=1)]
    article: Annotated[str, Field(min_length=1)]


class _TermRow(_Row):
    duration: str
    events: Annotated[tuple[str, ...], Field(alias="from")] = ()
    combine: Combine = Combine.FIRST
    anchor: Anchor = Anchor.EXACT
    void_if: frozenset[str] = frozenset()
    when: str | None = None


class _RuleRow(Named):
    code: Annotated[str, Field(pattern=r"^[A-Z]{2}(-[A-Z]{2,3})?-\d{2}$")]
    floors: tuple[_TermRow, ...] = ()
    keep: _TermRow | None = None
    follows: str | None = None
    follows_subject: str | None = None
    final: Final
    access_years: Annotated[int, Field(ge=0, le=100)]
    basis: Basis
    cites: Annotated[tuple[Cite, ...], Field(min_length=1)]


class _OverlayRow(Named):
    code: str
    when: str
    keep: _TermRow
    basis: Basis
    cites: Annotated[tuple[Cite, ...], Field(min_length=1)]


class _HoldRow(Named):
    code: str
    when: str
    until: str
    basis: Basis
    cites: Annotated[tuple[Cite, ...], Field(min_length=1)]


class _Book(_Row):
    id: Annotated[str, Field(pattern=r"^[a-z0-9-]{3,64}$")]
    version: Annotated[str, Field(pattern=r"^[0-9]{4}-[0-9]{2}(\.[0-9]+)?$")]
    jurisdiction: str
    zone: str
    law_read_on: date
    valid_from: date
    status: Literal["draft", "adopted"]
    replaces: str | None = None
    applies_to: Literal["new", "all"] = "new"
    events: dict[str, Named]
    rules: Annotated[tuple[_RuleRow, ...], Field(min_length=1)]
    overlays: tuple[_OverlayRow, ...] = ()
    holds: tuple[_HoldRow, ...] = ()


class Agreement(_Row):
    """The archives' agreement to a buyer's own terms (PAT R212-13)."""

    reference: Annotated[str, Field(min_length=1)]
    agreed_on: date
    by: Annotated[str, Field(min_length=1)]


class _OwnRow(_Row):
    code: str
    keep: _TermRow
    final: Final | None = None


class _OwnBook(_Row):
    extends: str
    buyer: Annotated[str, Field(pattern=r"^\d{9}$")]
    version: str
    agreement: Agreement
    rules: Annotated[tuple[_OwnRow, ...], Field(min_length=1)]


@dataclass(frozen=True)
class Conditional:
    """A term that counts only for records with an attribute, as `works`."""

    term: Term
    when: str | None


@dataclass(frozen=True)
class Rule:
    """How long one class of documents is kept.

    Attributes:
        code: its stable name.
        title: in both languages.
        floors: the law's least; never shortened by anybody.
        keep: what the book proposes; None where the rule follows the object that the document belongs to.
        subject: what it follows then.
        final: what happens at the end.
        access_years: years of non-communicability (PAT L213-2).
        basis: how binding its ground is.
        cites: its articles.
    """

    code: str
    title: Named
    floors: tuple[Conditional, ...]
    keep: Term | None
    subject: str | None
    final: Final
    access_years: int
    basis: Basis
    cites: tuple[Cite, ...]

    def terms(self, attributes: frozenset[str] = frozenset()) -> tuple[Term, ...]:
        """The terms for a record with these attributes; none where it follows its subject."""
        floors = tuple(one.term for one in self.floors if one.when is None or one.when in attributes)
        return floors if self.keep is None else (*floors, self.keep)


@dataclass(frozen=True)
class Overlay:
    """A term that is added for procedures with an attribute."""

    code: str
    title: Named
    when: str
    term: Term
    basis: Basis
    cites: tuple[Cite, ...]


@dataclass(frozen=True)
class Rulebook:
    """One version of the rules, as read.

    Attributes:
        id, version: its name.
        digest: SHA-256 of the file, hex; of a buyer's own book over both files.
        zone: the buyer's zone where none is given.
        valid_from: the day from which contracts follow it.
        applies_to_all: whether contracts signed before follow it too.
        is_adopted: whether a buyer and its archives made it theirs.
        agreement: on which a buyer's own book rests.
    """

    id: str
    version: str
    digest: str
    zone: str
    valid_from: date
    law_read_on: date
    applies_to_all: bool
    is_adopted: bool
    events: Mapping[str, Named] = field(repr=False)
    rules: Mapping[str, Rule] = field(repr=False)
    overlays: tuple[Overlay, ...] = field(repr=False)
    agreement: Agreement | None = None

    @property
    def name(self) -> str:
        """`id@version`, as another book extends it."""
        return f"{self.id}@{self.version}"

    def rule(self, code: str) -> Rule:
        """A rule by its code; RulebookRefused."""
        if code not in self.rules:
            raise RulebookRefused(f"{self.name} has no rule {code}")
        return self.rules[code]

    def terms(self, code: str, attributes: frozenset[str] = frozenset()) -> tuple[Term, ...]:
        """The terms of a rule with the overlays that apply to a record's attributes."""
        extra = tuple(one.term for one in self.overlays if one.when in attributes)
        return (*self.rule(code).terms(attributes), *extra)


@cache
def shipped() -> Rulebook:
    """The rulebook that comes with the program."""
    return load(resources.files("retention").joinpath("rulebooks", SHIPPED).read_bytes())


def load(data: bytes) -> Rulebook:
    """Read a rulebook strictly.

    Raises:
        RulebookRefused: not a rulebook, or one of its rules is not whole; the text names it.
    """
    book = _parse(_Book, data)
    events = book.events
    rules: dict[str, Rule] = {}
    for row in book.rules:
        if row.code in rules:
            raise RulebookRefused(f"{row.code} stands twice")
        rules[row.code] = _rule(row, rules, events)
    overlays = tuple(
        Overlay(
            row.code, Named(fr=row.fr, en=row.en), row.when, _term(row.code, row.keep, events), row.basis, row.cites
        )
        for row in book.overlays
    )
    return Rulebook(
        id=book.id,
        version=book.version,
        digest=sha256(data).hexdigest(),
        zone=book.zone,
        valid_from=book.valid_from,
        law_read_on=book.law_read_on,
        applies_to_all=book.applies_to == "all",
        is_adopted=book.status == "adopted",
        events=events,
        rules=rules,
        overlays=overlays,
    )


def extend(base: Rulebook, data: bytes) -> Rulebook:
    """A buyer's own book over a shipped one (rule 3).

    Raises:
        RulebookRefused: it is for another book, has no agreement, or shortens something; the text names the rule.
    """
    own = _parse(_OwnBook, data)
    if own.extends != base.name:
        raise RulebookRefused(f"it extends {own.extends}, not {base.name}")
    rules = dict(base.rules)
    for row in own.rules:
        rule = base.rule(row.code)
        keep = _term(row.code, row.keep, base.events)
        final = row.final or rule.final
        _require_longer(rule, keep, final)
        rules[row.code] = replace(rule, keep=keep, final=final)
    return replace(
        base,
        id=f"{base.id}-{own.buyer}",
        version=own.version,
        digest=sha256(base.digest.encode() + data).hexdigest(),
        rules=rules,
        agreement=own.agreement,
    )


def _parse(kind: type[_Read], data: bytes) -> _Read:
    if len(data) > MAX_BOOK:
        raise RulebookRefused("a rulebook has at most 1 MiB")
    try:
        return kind.model_validate(tomllib.loads(data.decode()))
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise RulebookRefused(f"not TOML: {error}") from error
    except ValidationError as error:
        first = error.errors()[0]
        raise RulebookRefused(f"{_where(first['loc'], data)}: {first['msg']}") from error


def _where(place: tuple[int | str, ...], data: bytes) -> str:
    """The place of a fault, with the rule's code where it has one."""
    if len(place) > 1 and place[0] in ("rules", "overlays", "holds") and isinstance(place[1], int):
        row = tomllib.loads(data.decode())[str(place[0])][place[1]]
        code = row.get("code") if isinstance(row, dict) else None
        return ".".join(map(str, (code or f"{place[0]}.{place[1]}", *place[2:])))
    return ".".join(map(str, place))


def _require_longer(rule: Rule, keep: Term, final: Final) -> None:
    shipped_keep = rule.keep
    if shipped_keep is None:
        raise RulebookRefused(f"{rule.code} follows {rule.subject}: it has no term of its own to lengthen")
    if rule.final is not Final.DESTROY and final is Final.DESTROY:
        raise RulebookRefused(f"{rule.code} ends in {rule.final.value}: it may not become destroy")
    if not _lasts_longer(keep, shipped_keep):
        raise RulebookRefused(f"{rule.code} would be kept shorter than the shipped rule has it")


def _lasts_longer(own: Term, base: Term) -> bool:
    """Whether no facts can make the buyer's term end before the shipped one."""
    if own.anchor is not base.anchor and own.anchor is not Anchor.YEAR_END:
        return False
    same_start = own.events == base.events and own.combine is base.combine
    is_later_start = own.combine is Combine.MAX and set(own.events) >= set(base.events)
    if own.void_if > base.void_if or not (same_start or is_later_start):
        return False
    if isinstance(own.duration, Period) and isinstance(base.duration, Period):
        return own.duration.covers(base.duration)
    return isinstance(own.duration, Endless) and own.duration in (base.duration, Endless.UNLIMITED)


def _rule(row: _RuleRow, known: Mapping[str, Rule], events: Mapping[str, Named]) -> Rule:
    title = Named(fr=row.fr, en=row.en)
    given = [one for one in (row.keep, row.follows, row.follows_subject) if one is not None]
    if len(given) != 1:
        raise RulebookRefused(f"{row.code} needs one of keep, follows, follows_subject")
    if row.follows is not None and row.follows not in known:
        raise RulebookRefused(f"{row.code} follows {row.follows}, which does not stand before it")
    followed = known[row.follows] if row.follows is not None else None
    floors = tuple(Conditional(_term(row.code, one, events), one.when) for one in row.floors)
    return Rule(
        code=row.code,
        title=title,
        floors=floors + (followed.floors if followed else ()),
        keep=followed.keep if followed else _term(row.code, row.keep, events) if row.keep else None,
        subject=row.follows_subject,
        final=row.final,
        access_years=row.access_years,
        basis=row.basis,
        cites=row.cites,
    )


def _term(code: str, row: _TermRow, events: Mapping[str, Named]) -> Term:
    duration = parse_duration(row.duration)
    unknown = sorted({*row.events, *row.void_if} - events.keys())
    if unknown:
        raise RulebookRefused(f"{code} names an event that the book does not have: {unknown[0]}")
    if bool(row.events) is (duration is Endless.UNLIMITED):
        raise RulebookRefused(f"{code} needs an event to start from, unless it is unlimited")
    return Term(code, duration, row.events, row.combine, row.anchor, row.void_if)
