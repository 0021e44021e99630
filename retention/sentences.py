# SPDX-License-Identifier: EUPL-1.2
"""Terms, and how long something is kept, as sentences in French and English. Pure.

Rules
  1. A sentence says what its data says, and no more; numbers are never rounded.
  2. What is missing is named by its event, in words.
"""

from datetime import date

from retention.rulebook import Final, Named, Rulebook
from retention.schedule import MONTHS_OF_YEAR, Anchor, Combine, Endless, Forever, KeepUntil, Period, Term, Unknown
from vault.prints.words import Language

_FINAL = {
    Final.DESTROY: Named(fr="détruire", en="destroy"),
    Final.TRANSFER: Named(fr="verser", en="transfer"),
    Final.REVIEW: Named(fr="examiner", en="review"),
}
_UNITS = (
    (Named(fr="an", en="year"), Named(fr="ans", en="years")),
    (Named(fr="mois", en="month"), Named(fr="mois", en="months")),
    (Named(fr="jour", en="day"), Named(fr="jours", en="days")),
)
_AT_ONCE = Named(fr="jusqu'à la fin", en="to the end")
_UNDETERMINED = Named(fr="durée à fixer par une personne", en="a time that a person must set")
_UNLIMITED = Named(fr="sans limite", en="for ever")
_FROM = Named(fr="à compter de", en="from")
_LATEST = Named(fr="à compter du dernier de ces faits", en="from the last of these")
_YEAR_END = Named(fr="à compter de la fin de l'année de", en="from the end of the year of")
_ELSE = Named(fr="à défaut", en="else")
_PROMISED = Named(fr="ce qui avait été annoncé plus tôt", en="what was announced before")


def pick(words: Named, language: Language) -> str:
    """One of the two."""
    return words.fr if language is Language.FRENCH else words.en


def final_words(final: Final, language: Language) -> str:
    """What happens at the end, as a verb."""
    return pick(_FINAL[final], language)


def term_words(term: Term, book: Rulebook, language: Language) -> str:
    """A term as a phrase: `5 years from notification received by the contractor, else …`."""
    if term.duration is Endless.UNLIMITED:
        return pick(_UNLIMITED, language)
    events = [pick(book.events[name], language) for name in term.events]
    if term.combine is Combine.MAX:
        return f"{_duration(term, language)} {pick(_LATEST, language)}: {', '.join(events)}"
    between = f", {pick(_ELSE, language)} "
    lead = pick(_YEAR_END if term.anchor is Anchor.YEAR_END else _FROM, language)
    return f"{_duration(term, language)} {lead} {between.join(events)}"


def kept_words(found: KeepUntil, book: Rulebook, language: Language) -> str:
    """How long, and by which term, as one sentence."""
    is_french = language is Language.FRENCH
    if isinstance(found, Forever):
        return "À conserver sans limite." if is_french else "To be kept for ever."
    if isinstance(found, Unknown):
        missing = ", ".join(pick(book.events[name], language) for name in found.missing)
        least = _least(found.lower_bound, is_french=is_french)
        if not missing:
            return f"{'Une personne doit fixer la fin' if is_french else 'A person must set the end'}{least}."
        return f"{'Fin inconnue ; il manque' if is_french else 'End unknown; missing'}: {missing}{least}."
    governing = found.governing
    reason = term_words(governing.term, book, language) if governing else pick(_PROMISED, language)
    source = f" ({governing.term.source})" if governing else ""
    lead = "À conserver jusqu'au" if is_french else "To be kept until"
    return f"{lead} {found.day.isoformat()}{source}: {reason}."


def _least(bound: date | None, *, is_french: bool) -> str:
    if bound is None:
        return ""
    return f" ; au moins jusqu'au {bound.isoformat()}" if is_french else f"; at least until {bound.isoformat()}"


def _duration(term: Term, language: Language) -> str:
    if not isinstance(term.duration, Period):
        return pick(_UNDETERMINED, language)
    years, months = divmod(term.duration.months, MONTHS_OF_YEAR)
    counted = [
        f"{number} {pick(one if number == 1 else many, language)}"
        for number, (one, many) in zip((years, months, term.duration.days), _UNITS, strict=True)
        if number
    ]
    return " ".join(counted) or pick(_AT_ONCE, language)
