# SPDX-License-Identifier: EUPL-1.2
"""Prints: what is never printed, what each says and carries, and that it is rightly declared PDF/A-3 and PDF/UA."""

import shutil
import subprocess
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from io import BytesIO
from pathlib import Path

import pikepdf
import pytest
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, PrivateFormat
from cryptography.x509 import load_der_x509_certificate

from crypto.closings import EnvelopeList
from crypto.deposit import Verdict
from crypto.encoding import Fields
from crypto.errors import (
    KindError,
    ListError,
    ManifestError,
    OpeningError,
    PolicyError,
    SignatureError,
    TimestampError,
)
from crypto.manifest import documents_tag
from crypto.pades import load_seal, read_attachments, verify_pdf
from crypto.receipt_evidence import ReceiptEvidence, check_receipt
from crypto.statement import Kind, parse_note
from tests.vault.printed import BIDDER, DOCUMENTS, SECRET, Printed, as_printed, document, told
from tests.world import pki
from tests.world.authority import TimeWorld
from vault.errors import AuthorityUnavailable
from vault.lifecycle import Reason
from vault.prints import (
    Language,
    MinutedOpening,
    PrintSeal,
    print_closing,
    print_minutes,
    print_receipt,
    print_registration,
    print_withdrawal,
)
from vault.prints.glyphs import RANGES, displayable
from vault.prints.page import Page, Words, set_page
from vault.prints.words import clock

FRENCH, ENGLISH = Language.FRENCH, Language.ENGLISH


@cache
def told_once() -> Printed:
    return Printed()


def receipt(printed: Printed, language: Language = FRENCH) -> bytes:
    return print_receipt(
        printed.checked(), printed.evidence, documents=printed.documents, secret=SECRET, language=language
    )


@cache
def minuted() -> MinutedOpening:
    printed = told_once()
    closed = printed.closed([printed.told.seal() for _ in range(6)])
    return printed.minuted(closed, failed=[3], left_out=(5,))


@cache
def made(name: str, language: Language) -> bytes:
    printed = told_once()
    makers: dict[str, Callable[[], bytes]] = {
        "receipt": lambda: receipt(printed, language),
        "withdrawal": lambda: print_withdrawal(printed.checked_withdrawal(), printed.evidence, language=language),
        "registration": lambda: print_registration(
            printed.registration, printed.policies, documents=DOCUMENTS, secret=SECRET, language=language
        ),
        "closing": lambda: print_closing(minuted().closings[0], printed.policies, language=language),
        "minutes": lambda: print_minutes(minuted(), printed.policies, language=language),
    }
    return makers[name]()


EVERY = [
    (name, language)
    for name in ("receipt", "withdrawal", "registration", "closing", "minutes")
    for language in Language
]
every_print = pytest.mark.parametrize(("name", "language"), EVERY)


def text_of(pdf: bytes) -> str:
    """The text of all pages on one line, without what only lets lines end."""
    command = ["pdftotext", "-raw", "-", "-"]
    shown = subprocess.run(command, input=pdf, capture_output=True, check=True).stdout.decode()
    return " ".join(shown.replace("\u200b", "").replace("\u202f", " ").replace("\u00a0", " ").split())


needs_text = pytest.mark.skipif(shutil.which("pdftotext") is None, reason="poppler-utils is not installed")


@pytest.mark.proves("ACK-03", "T46")
def test_a_list_that_is_not_the_receipts_is_not_printed() -> None:
    printed = told_once()
    for documents in (DOCUMENTS[:-1], DOCUMENTS[::-1], (*DOCUMENTS[:-1], replace(DOCUMENTS[-1], size=1))):
        with pytest.raises(ManifestError):
            print_receipt(printed.checked(), printed.evidence, documents=documents, secret=SECRET, language=FRENCH)
        with pytest.raises(ManifestError):
            print_registration(
                printed.registration, printed.policies, documents=documents, secret=SECRET, language=FRENCH
            )


@pytest.mark.proves("ACK-03")
def test_without_the_deposit_secret_no_list_is_printed() -> None:
    printed = told_once()
    with pytest.raises(ManifestError):
        print_receipt(printed.checked(), printed.evidence, documents=DOCUMENTS, secret=bytes(32), language=FRENCH)


def test_receipt_and_withdrawal_are_not_taken_for_each_other() -> None:
    printed = told_once()
    with pytest.raises(KindError):
        print_withdrawal(printed.checked(), printed.evidence, language=FRENCH)
    with pytest.raises(KindError):
        print_receipt(
            printed.checked_withdrawal(), printed.evidence, documents=DOCUMENTS, secret=SECRET, language=FRENCH
        )
    with pytest.raises(KindError):
        print_registration(printed.receipt, printed.policies, documents=DOCUMENTS, secret=SECRET, language=FRENCH)


def test_a_statement_that_the_vault_did_not_sign_is_not_printed() -> None:
    printed = told_once()
    unsigned = replace(printed.registration, signatures=())
    with pytest.raises(SignatureError):
        print_registration(unsigned, printed.policies, documents=DOCUMENTS, secret=SECRET, language=FRENCH)
    closed = minuted().closings[0]
    with pytest.raises(SignatureError):
        print_closing(
            replace(closed, closing=replace(closed.closing, signatures=())), printed.policies, language=FRENCH
        )


def test_a_statement_under_another_policy_is_not_printed() -> None:
    with pytest.raises(PolicyError):
        print_closing(minuted().closings[0], Printed(told()).policies[:0], language=FRENCH)


@pytest.mark.proves("T37")
def test_a_list_that_was_not_closed_is_not_printed() -> None:
    printed, closed = told_once(), minuted().closings[0]
    for entries in (closed.entries.entries[1:], closed.entries.entries[::-1]):
        with pytest.raises(ListError):
            print_closing(replace(closed, entries=EnvelopeList(entries)), printed.policies, language=FRENCH)
    with pytest.raises(TimestampError):
        print_closing(replace(closed, tokens=printed.told.tokens(bytes(32))), printed.policies, language=FRENCH)


def test_minutes_are_printed_only_with_what_they_are_of() -> None:
    whole, policies = minuted(), told_once().policies
    other = told_once().minuted(told_once().closed([told_once().told.seal()]))
    with pytest.raises(OpeningError):
        print_minutes(replace(whole, opening=other.opening), policies, language=FRENCH)
    with pytest.raises(ListError):
        print_minutes(replace(whole, closings=other.closings), policies, language=FRENCH)
    with pytest.raises(ManifestError):
        print_minutes(replace(whole, opened=whole.opened[1:]), policies, language=FRENCH)
    swapped = replace(whole.opened[0], documents=(document("another.pdf"),))
    with pytest.raises(ManifestError):
        print_minutes(replace(whole, opened=(swapped, *whole.opened[1:])), policies, language=FRENCH)


@needs_text
@pytest.mark.proves("ACK-01")
def test_a_receipt_has_the_five_mentions() -> None:
    text = text_of(made("receipt", FRENCH))
    for mention in (
        "SIRET 552 081 317 66522",
        BIDDER,
        "Ville de Rennes",
        "SIRET 213 502 388 00019",
        "2026-DCP-0417",
        "Léon-Grimault",
        "Lot 1, offre technique",
        "1er décembre 2026, 16:47:57 (Europe/Paris, UTC+01:00)",
        "2026-12-01 15:47:57.250 UTC",
        *(one.path for one in DOCUMENTS),
        *(f"{one.sha256.hex()[:32]} {one.sha256.hex()[32:]}" for one in DOCUMENTS),
        *(str(one.size) for one in DOCUMENTS),  # the thin spaces between digits do not come back as text
    ):
        assert mention in text


@needs_text
@pytest.mark.proves("ACK-04", "LATE-01")
@pytest.mark.parametrize(
    ("verdict", "reason", "words"),
    [
        (Verdict.IN_TIME, Reason.LAST_BYTE_BEFORE_DEADLINE, ("Reçu dans les délais", "Received in time")),
        (Verdict.LATE, Reason.AFTER_DEADLINE, ("Reçu hors délai", "Received late")),
        (Verdict.REVIEW, Reason.UNDECIDED, ("délai à examiner", "to be reviewed")),
    ],
)
def test_every_verdict_gets_its_receipt_and_says_so(verdict: Verdict, reason: Reason, words: tuple[str, str]) -> None:
    printed = Printed(told_once().told, verdict=verdict, reason=reason)
    assert words[0] in text_of(receipt(printed))
    assert words[1] in text_of(receipt(printed, ENGLISH))


@needs_text
def test_the_words_on_secrecy_are_those_of_the_level() -> None:
    sealed = text_of(made("receipt", ENGLISH))
    assert "which read this bid once, in memory, while receiving it, and kept no readable copy" in sealed
    assert "only by 3 of 5 custodians with the gate, after 1 December 2026, 19:00:00" in sealed
    assert "Test only" not in sealed
    test_only = text_of(receipt(Printed(told_once().told, level=0), ENGLISH))
    assert "Test only. No promise of secrecy." in test_only
    assert "kept no readable copy" not in test_only


@needs_text
@pytest.mark.proves("TIME-08")
def test_a_receipt_prints_between_which_moments_each_of_its_tokens_was_made() -> None:
    text = " ".join(text_of(made("receipt", ENGLISH)).split())
    tokens = told_once().checked().tokens

    assert tokens
    for one in tokens:
        assert f"{clock(one.earliest)} – {clock(one.latest)}" in text


@needs_text
@pytest.mark.proves("ACK-02")
def test_a_notice_says_that_the_receipt_follows_and_gives_no_verdict() -> None:
    text = text_of(made("registration", FRENCH))
    assert "accusé de réception à suivre" in text
    assert "dans les délais" not in text
    assert "+33 2 99 00 00 00" in text


@needs_text
@pytest.mark.proves("T47")
@pytest.mark.parametrize("name", ["receipt", "withdrawal", "registration"])
def test_no_print_before_the_closing_says_how_many_there_are(name: str) -> None:
    text = text_of(made(name, ENGLISH)).lower()
    for word in ("index", "checkpoint", "tree size", "number of envelopes"):
        assert word not in text


@needs_text
def test_minutes_tell_each_envelopes_fate_and_who_opened_it() -> None:
    text = text_of(made("minutes", FRENCH))
    assert text.count("laissé scellé par l’acheteur") == 1
    assert text.count("échec") == 1
    assert text.count("documents : 5") == 4
    assert all(name in text for name in ("Claire Le Goff", "Youssef Benali", "Anne-Marie Kerbrat"))
    assert "Ewen Riou" not in text
    assert "3 sur 5 nécessaires, 3 ont contribué" in text


@needs_text
def test_a_closing_list_names_envelopes_and_nobody() -> None:
    text = text_of(made("closing", ENGLISH))
    assert "siret:" not in text.replace("SIRET", "")
    assert all(entry.file_hash.hex()[:32] in text for entry in minuted().closings[0].entries.entries)


@needs_text
@pytest.mark.parametrize(
    "hostile", ["#strong[x]", "$ x^2 $", "= Heading", "*bold* _it_ `raw` <label> @ref", '"} + panic()', "\\u{41}"]
)
def test_words_of_bidders_are_never_markup(hostile: str) -> None:
    documents = (document(f"{hostile}.pdf"),)
    text = text_of(receipt(Printed(told_once().told, documents=documents, bidder=f"other:{hostile}")))
    assert f"other:{hostile}" in text
    assert f"{hostile}.pdf" in text


@needs_text
def test_characters_without_a_glyph_are_shown_by_number_and_attached_as_they_are() -> None:
    documents = (document("报价/مناقصة 😀.pdf"), document("Ελλάδα/Київ/Łódź/ĳ.pdf"))
    pdf = receipt(Printed(told_once().told, documents=documents))
    text = text_of(pdf)
    assert "‹U+62A5›‹U+4EF7›" in text
    assert "Ελλάδα/Київ/Łódź" in text
    assert "报价/مناقصة 😀.pdf".encode() in read_attachments(pdf)["documents.cbor"]


def test_every_character_said_to_have_a_glyph_has_one() -> None:
    every = [chr(number) for first, last in RANGES for number in range(first, last + 1)]
    lines = tuple(Words(" ".join(f"a{one}" for one in every[at : at + 64])) for at in range(0, len(every), 64))
    assert all(displayable(one) == one for one in every)
    page = Page("fr", "t", "s", "a", pki.Clock().now, ("", ""), "", "", "", lines, ())
    assert set_page(page).startswith(b"%PDF")


def test_letters_that_still_cannot_be_shown_do_not_stop_a_print() -> None:
    page = Page("fr", "t", "s", "a", pki.Clock().now, ("", ""), "", "", "\u4e2d", (Words("Łódź"),), ())
    assert set_page(page).startswith(b"%PDF")


@needs_text
def test_an_empty_closing_and_an_opening_without_reservation_are_printed() -> None:
    printed = told_once()
    empty = printed.closed([])
    assert "Aucun pli." in text_of(print_closing(empty, printed.policies, language=FRENCH))
    assert "Plis ouverts" in text_of(print_minutes(printed.minuted(empty), printed.policies, language=FRENCH))


@needs_text
def test_a_supplementary_closing_names_its_decision() -> None:
    printed = told_once()
    closed = printed.told.supplementary(printed.told.seal())
    assert closed.decision is not None
    text = text_of(print_closing(as_printed(printed.told, closed), printed.policies, language=ENGLISH))
    assert "Supplementary list by decision" in text
    assert closed.decision.id.hex() in text


@every_print
def test_the_same_statement_gives_the_same_bytes(name: str, language: Language) -> None:
    assert made(name, language) == made.__wrapped__(name, language)


def test_two_hundred_documents_and_names_without_end_are_set(tmp_path: Path) -> None:
    documents = tuple(
        document(f"{'d' * (index % 255 + 1)}/{'long nom ' * 20}{index}.pdf", 10 ** (index % 9)) for index in range(200)
    )
    pdf = receipt(Printed(told_once().told, documents=documents))
    (tmp_path / "long.pdf").write_bytes(pdf)
    with pikepdf.open(BytesIO(pdf)) as read:
        assert len(read.pages) > 10


@every_print
@pytest.mark.proves("ACK-03")
def test_a_print_keeps_what_pdf_a_and_pdf_ua_ask(name: str, language: Language) -> None:
    with pikepdf.open(BytesIO(made(name, language))) as pdf:
        require_declared(pdf, language)
        require_fonts_embedded(pdf)
        require_nothing_active(pdf)
        require_associated_files(pdf)


def require_declared(pdf: pikepdf.Pdf, language: Language) -> None:
    meta = pdf.open_metadata()
    assert (meta["pdfaid:part"], meta["pdfaid:conformance"]) == ("3", "B")
    assert meta["pdfuaid:part"] == "1"
    assert meta["dc:title"]
    root = pdf.Root
    assert str(root.Lang) == language.value
    assert root.MarkInfo.Marked
    assert "/StructTreeRoot" in root
    assert root.ViewerPreferences.DisplayDocTitle
    assert any(intent.S == "/GTS_PDFA1" and "/DestOutputProfile" in intent for intent in root.OutputIntents)
    assert "/ID" in pdf.trailer
    assert not pdf.is_encrypted


def require_fonts_embedded(pdf: pikepdf.Pdf) -> None:
    found = 0
    for thing in pdf.objects:
        if isinstance(thing, pikepdf.Dictionary) and thing.get("/Type") == "/FontDescriptor":
            found += 1
            assert "/FontFile" in thing or "/FontFile2" in thing or "/FontFile3" in thing
    assert found


def require_nothing_active(pdf: pikepdf.Pdf) -> None:
    forbidden = {"/JavaScript", "/Launch", "/URI", "/SubmitForm", "/Movie", "/Sound"}
    for thing in pdf.objects:
        if isinstance(thing, pikepdf.Dictionary):
            assert str(thing.get("/S", "")) not in forbidden
            assert "/JS" not in thing


def require_associated_files(pdf: pikepdf.Pdf) -> None:
    named = {name: pdf.attachments[name].obj for name in pdf.attachments}
    assert "statement.note" in named
    relations = {name: str(one["/AFRelationship"]) for name, one in named.items()}
    assert relations["statement.note"] == "/Source"
    assert set(relations.values()) <= {"/Source", "/Data", "/Supplement"}
    assert len(pdf.Root.AF) == len(named)
    assert all(str(one["/Desc"]) for one in named.values())


@pytest.mark.proves("ACK-03")
def test_a_receipts_print_carries_all_that_proves_it() -> None:
    printed, files = told_once(), read_attachments(made("receipt", FRENCH))
    evidence = ReceiptEvidence.decode(files["receipt.evidence"])
    checked = check_receipt(files["statement.note"], evidence, anchors=pki.time_anchors())
    assert checked.record == printed.record
    listed = Fields.decode(files["documents.cbor"], limit=1 << 20, mandatory=(1, 2))
    assert documents_tag(listed.bstr(1, size=32), DOCUMENTS) == printed.record.documents_tag


def test_closing_and_minutes_carry_statements_lists_and_tokens() -> None:
    files = read_attachments(made("minutes", FRENCH))
    closed = minuted().closings[0]
    assert parse_note(files["statement.note"], Kind.MINUTES) == minuted().minutes
    assert parse_note(files["opening.note"], Kind.OPENING) == minuted().opening
    assert parse_note(files["closing-1.note"], Kind.CLOSING) == closed.closing
    assert EnvelopeList.decode(files["list-1.cbor"]) == closed.entries
    assert [files[f"token-1-{place}.der"] for place in (1, 2)] == [token.token for token in closed.tokens]
    assert EnvelopeList.decode(read_attachments(made("closing", FRENCH))["list.cbor"]) == closed.entries


@pytest.fixture
def seal() -> tuple[PrintSeal, TimeWorld]:
    key = pki.key("seal").private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"words"))
    chain = b"".join(
        load_der_x509_certificate(pki.certificate(label)).public_bytes(Encoding.PEM) for label in ("seal", "seal-root")
    )
    world = TimeWorld()
    return PrintSeal(load_seal(key, b"words", chain), world.authorities), world


@pytest.mark.proves("ACK-03", "TIME-05")
def test_while_no_authority_answers_no_print_is_given_away(seal: tuple[PrintSeal, TimeWorld]) -> None:
    sealing, world = seal
    world.line.is_cut = True
    with pytest.raises(AuthorityUnavailable):
        sealing.sign(made("receipt", FRENCH), at=world.clock.now, reason="receipt")


@every_print
@pytest.mark.proves("ACK-03")
def test_a_sealed_print_verifies_alone_and_keeps_its_claims(
    seal: tuple[PrintSeal, TimeWorld], name: str, language: Language
) -> None:
    sealing, world = seal
    whole = sealing.sign(made(name, language), at=world.clock.now, reason=name)

    verified = verify_pdf(whole, seal_anchors=[pki.anchor("seal")], time_anchors=pki.time_anchors())

    assert verified.level == "B-LT"
    assert parse_note(verified.attachments["statement.note"], Kind(name)).kind == name
    with pikepdf.open(BytesIO(whole)) as pdf:
        require_declared(pdf, language)
        require_nothing_active(pdf)
        require_associated_files(pdf)


@pytest.mark.skipif(shutil.which("pdfsig") is None, reason="poppler-utils is not installed")
def test_pdfsig_agrees_that_the_whole_print_is_signed(seal: tuple[PrintSeal, TimeWorld], tmp_path: Path) -> None:
    sealing, world = seal
    (tmp_path / "a.pdf").write_bytes(sealing.sign(made("receipt", FRENCH), at=world.clock.now, reason="receipt"))
    command = ["pdfsig", "-nocert", "a.pdf"]
    told_by = subprocess.run(command, cwd=tmp_path, capture_output=True, check=True).stdout.decode()
    assert "Signature is Valid" in told_by
    assert "Total document signed" in told_by
    assert "ETSI.CAdES.detached" in told_by
