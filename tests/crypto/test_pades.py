# SPDX-License-Identifier: EUPL-1.2
"""The seal of a PDF: what is refused, then what it proves."""

import shutil
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache
from io import BytesIO
from pathlib import Path
from random import Random

import pikepdf
import pytest
import typst
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, NoEncryption, PrivateFormat
from cryptography.x509 import load_der_x509_certificate
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from pyhanko.pdf_utils.reader import PdfFileReader

from crypto.certificates import NO_EVIDENCE, RevocationEvidence
from crypto.errors import (
    CryptoError,
    FormatError,
    KeyFileError,
    PassphraseError,
    SignatureError,
    TimestampError,
    UnprovenSignatureError,
    UnprovenTimestampError,
)
from crypto.pades import (
    MAX_ATTACHED,
    MAX_ATTACHMENTS,
    MAX_PDF,
    SealKey,
    SealTime,
    VerifiedPdf,
    load_seal,
    read_attachments,
    sign_pdf,
    verify_pdf,
)
from tests.world import pki
from tests.world.authority import SimulatedAuthority
from vault.errors import AuthorityUnavailable

NOON = pki.Clock().now
PASSPHRASE = b"a passphrase"
SOURCE = """
#set document(title: "A print", date: datetime(year: 2026, month: 12, day: 1, hour: 12, minute: 0, second: 0))
#set text(lang: "en")
#pdf.attach("statement.note", bytes("bidvault/receipt/v1\\nAAAA\\n"), relationship: "source",
  mime-type: "text/plain", description: "the statement")
= A print
"""


@cache
def unsigned() -> bytes:
    return typst.compile(SOURCE.encode(), format="pdf", pdf_standards=["a-3b", "ua-1"], ignore_system_fonts=True)


def chain_pem(label: str) -> bytes:
    ders = (pki.certificate(label), pki.certificate("seal-root"))
    return b"".join(load_der_x509_certificate(der).public_bytes(Encoding.PEM) for der in ders)


@cache
def seal(label: str = "seal") -> SealKey:
    key = pki.key(label).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(PASSPHRASE))
    return load_seal(key, PASSPHRASE, chain_pem(label))


def stamper(tsa: SimulatedAuthority | None = None) -> Callable[[bytes], SealTime]:
    asked = tsa or SimulatedAuthority("a", lambda: NOON)
    return lambda digest: SealTime(asked.token(digest), asked.evidence())


@cache
def signed(label: str = "seal") -> bytes:
    return sign_pdf(
        unsigned(),
        seal(label),
        stamp=stamper(),
        at=NOON,
        reason="receipt",
        evidence=pki.evidence(label, "seal", at=NOON),
    )


def verify(pdf: bytes, *, evidence: RevocationEvidence = NO_EVIDENCE) -> VerifiedPdf:
    return verify_pdf(pdf, seal_anchors=[pki.anchor("seal")], time_anchors=pki.time_anchors(), evidence=evidence)


@pytest.mark.proves("ACK-03")
@pytest.mark.parametrize("tail", [b"\n", b"%%EOF\n", b"x" * 100])
def test_one_byte_behind_the_end_refuses_the_file(tail: bytes) -> None:
    with pytest.raises(CryptoError):
        verify(signed() + tail)


@pytest.mark.proves("ACK-03")
def test_a_revision_added_behind_the_seal_refuses_the_file() -> None:
    writer = IncrementalPdfFileWriter(BytesIO(signed()))
    writer.set_info(None)
    writer.root["/Lang"] = writer.root["/Lang"]
    writer.update_root()  # type: ignore[no-untyped-call]  # pyHanko leaves it untyped
    out = BytesIO()
    writer.write(out)  # type: ignore[no-untyped-call]  # pyHanko leaves it untyped
    assert out.getvalue().startswith(signed())
    with pytest.raises(SignatureError, match="added"):
        verify(out.getvalue())


@pytest.mark.proves("ACK-03")
def test_no_byte_of_a_sealed_file_can_change() -> None:
    whole = signed()
    start, end = contents_of(whole)
    for place in range(0, len(whole), 997):
        changed = bytearray(whole)
        changed[place] ^= 1
        if start < place < end and bytes(changed[place : place + 1]).isalnum():
            continue  # padding behind the signature, or its outer form: not signed, and without meaning
        with pytest.raises(CryptoError):
            verify(bytes(changed))


@pytest.mark.proves("ACK-03")
def test_an_attachment_put_in_place_of_another_refuses_the_file() -> None:
    with pikepdf.open(BytesIO(signed())) as pdf:
        pdf.attachments["statement.note"].obj["/EF"]["/F"].write(b"another statement")
        out = BytesIO()
        pdf.save(out)
    with pytest.raises(CryptoError):
        verify(out.getvalue())


@pytest.mark.proves("ACK-03")
def test_a_file_cut_short_is_refused() -> None:
    for end in (0, 9, 1000, len(signed()) // 2, len(signed()) - 40):
        with pytest.raises(FormatError):
            verify(signed()[:end])


def test_a_file_without_seal_is_refused() -> None:
    with pytest.raises(FormatError, match="0 signatures"):
        verify(unsigned())


def test_a_file_with_two_seals_is_refused() -> None:
    twice = sign_pdf(unsigned(), seal(), stamp=stamper(), at=NOON, reason="one")
    with pytest.raises(FormatError):
        sign_pdf(twice, seal(), stamp=stamper(), at=NOON, reason="two")


def test_a_zeroed_signature_is_refused() -> None:
    start, end = contents_of(signed())
    with pytest.raises(CryptoError):
        verify(signed()[: start + 1] + b"0" * (end - start - 1) + signed()[end:])


def test_a_seal_under_another_root_is_unproven() -> None:
    with pytest.raises(UnprovenSignatureError):
        verify_pdf(signed(), seal_anchors=[pki.anchor("foreign")], time_anchors=pki.time_anchors())


def test_a_token_under_another_root_is_unproven() -> None:
    with pytest.raises(UnprovenTimestampError):
        verify_pdf(signed(), seal_anchors=[pki.anchor("seal")], time_anchors=[pki.anchor("b")])


def test_a_seal_without_revocation_data_is_unproven_until_it_is_given() -> None:
    bare = sign_pdf(unsigned(), seal(), stamp=stamper(), at=NOON, reason="receipt")
    with pytest.raises(UnprovenSignatureError):
        verify(bare)
    assert verify(bare, evidence=pki.evidence("seal", "seal", at=NOON)).level == "B-T"


def test_a_revoked_seal_is_refused() -> None:
    with pytest.raises(SignatureError, match="not to be trusted") as refused:
        verify(signed("seal-revoked"))
    assert not isinstance(refused.value, UnprovenSignatureError)


def test_a_token_over_something_else_refuses_the_file() -> None:
    tsa = SimulatedAuthority("a", lambda: NOON)
    wrong = sign_pdf(
        unsigned(),
        seal(),
        stamp=lambda _digest: SealTime(tsa.token(bytes(32)), tsa.evidence()),
        at=NOON,
        reason="receipt",
        evidence=pki.evidence("seal", "seal", at=NOON),
    )
    with pytest.raises(TimestampError, match="something else"):
        verify(wrong)


def test_what_the_stamping_raises_goes_through_unchanged() -> None:
    def silent(_digest: bytes) -> SealTime:
        raise AuthorityUnavailable(("nobody answers",))

    with pytest.raises(AuthorityUnavailable, match="nobody answers"):
        sign_pdf(unsigned(), seal(), stamp=silent, at=NOON, reason="receipt")


@pytest.mark.parametrize(
    "junk", [b"", b"%PDF-1.7\n", b"not a PDF", b"%PDF-1.7\n" + b"[" * 60_000], ids=["0", "1", "2", "3"]
)
def test_what_is_no_pdf_is_refused(junk: bytes) -> None:
    with pytest.raises(FormatError):
        verify(junk)
    with pytest.raises(FormatError):
        read_attachments(junk)
    with pytest.raises(FormatError):
        sign_pdf(junk, seal(), stamp=stamper(), at=NOON, reason="receipt")


def test_an_encrypted_file_is_refused() -> None:
    out = BytesIO()
    with pikepdf.open(BytesIO(unsigned())) as pdf:
        pdf.save(out, encryption=pikepdf.Encryption(owner="o", user=""))
    with pytest.raises(FormatError, match="encrypted"):
        verify(out.getvalue())


def test_a_file_larger_than_any_print_is_refused_unread() -> None:
    with pytest.raises(FormatError, match="at most"):
        read_attachments(bytes(MAX_PDF + 1))


def test_a_signature_of_another_form_is_refused() -> None:
    other = signed().replace(b"/ETSI.CAdES.detached", b"/adbe.pkcs7.detached")
    with pytest.raises(FormatError, match="PAdES"):
        verify(other)


def test_one_name_for_two_attached_files_is_refused() -> None:
    with pytest.raises(FormatError, match="twice"):
        read_attachments(attached([("a", b"1"), ("a", b"2")]))


def test_more_attached_files_than_allowed_are_refused() -> None:
    with pytest.raises(FormatError, match="too many"):
        read_attachments(attached([(f"{place:03}", b"x") for place in range(MAX_ATTACHMENTS + 1)]))


def test_attached_files_beyond_the_limit_are_refused() -> None:
    with pytest.raises(FormatError, match="larger"):
        read_attachments(attached([("a", Random(1).randbytes(MAX_ATTACHED)), ("b", b"1")]))


def test_a_tree_of_names_that_leads_back_to_itself_is_refused() -> None:
    pdf = pikepdf.open(BytesIO(attached([("a", b"1")])))
    tree = pdf.make_indirect(pdf.Root.Names.EmbeddedFiles)
    tree.Kids = pikepdf.Array([tree])
    pdf.Root.Names.EmbeddedFiles = tree
    out = BytesIO()
    pdf.save(out)
    with pytest.raises(FormatError):
        read_attachments(out.getvalue())


def test_attached_files_are_found_below_the_first_level_of_names() -> None:
    pdf = pikepdf.open(BytesIO(attached([("a", b"1"), ("b", b"2")])))
    leaf = pdf.make_indirect(pdf.Root.Names.EmbeddedFiles)
    pdf.Root.Names.EmbeddedFiles = pikepdf.Dictionary(Kids=pikepdf.Array([leaf]))
    out = BytesIO()
    pdf.save(out)
    assert read_attachments(out.getvalue()) == {"a": b"1", "b": b"2"}


def attached(files: Sequence[tuple[str, bytes]]) -> bytes:
    """A PDF with these files in its tree of names, as they come."""
    pdf = pikepdf.new()
    names = pikepdf.Array()
    for name, content in files:
        stream = pdf.make_indirect(pikepdf.Stream(pdf, content))
        names.append(pikepdf.String(name))
        names.append(pdf.make_indirect(pikepdf.Dictionary(F=name, EF=pikepdf.Dictionary(F=stream))))
    pdf.Root.Names = pikepdf.Dictionary(EmbeddedFiles=pikepdf.Dictionary(Names=names))
    out = BytesIO()
    pdf.save(out)
    return out.getvalue()


def test_a_verified_pdf_cannot_be_made_without_the_checks() -> None:
    verified = verify(signed())
    with pytest.raises(TypeError, match="verify_pdf"):
        VerifiedPdf("x", b"", b"", verified.signed_at, "B-LT", {})
    with pytest.raises((TypeError, ValueError)):
        replace(verified, signer="somebody else")


def test_a_seal_opens_only_with_its_passphrase_its_kind_of_key_and_its_certificate() -> None:
    wrapped = BestAvailableEncryption(PASSPHRASE)
    good = pki.key("seal").private_bytes(Encoding.PEM, PrivateFormat.PKCS8, wrapped)
    other = ed25519.Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, wrapped)
    curve = ec.generate_private_key(ec.SECP384R1()).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, wrapped)
    clear = pki.key("seal").private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    with pytest.raises(PassphraseError):
        load_seal(good, b"wrong", chain_pem("seal"))
    for key in (other, curve, clear):
        with pytest.raises(KeyFileError):
            load_seal(key, PASSPHRASE, chain_pem("seal"))
    with pytest.raises(KeyFileError, match="not the seal's"):
        load_seal(good, PASSPHRASE, chain_pem("seal-revoked"))
    assert "PRIVATE" not in repr(seal())


@pytest.mark.proves("ACK-03")
def test_a_sealed_file_verifies_alone_with_its_attachments() -> None:
    verified = verify(signed())

    assert verified.level == "B-LT"
    assert verified.signed_at.at == NOON
    assert verified.signer.startswith("Test seal of the vault")
    assert verified.anchor_hash == pki.anchor("seal").hash
    assert dict(verified.attachments) == {"statement.note": b"bidvault/receipt/v1\nAAAA\n"}
    assert read_attachments(signed()) == verified.attachments


@pytest.mark.proves("ACK-03")
def test_the_time_claimed_is_the_one_given_and_the_signature_is_pades() -> None:
    signature = PdfFileReader(BytesIO(signed())).embedded_regular_signatures[0]
    assert signature.sig_object["/SubFilter"] == "/ETSI.CAdES.detached"
    assert signature.self_reported_timestamp == NOON


def test_a_token_is_asked_for_once_where_its_authority_is_known_and_twice_where_it_is_not() -> None:
    tsa = SimulatedAuthority("a", lambda: NOON)
    answers: list[bytes] = []

    def stamp(digest: bytes) -> SealTime:
        answers.append(digest)
        return SealTime(tsa.token(digest), known)

    known = tsa.evidence()
    of_seal = pki.evidence("seal", "seal", at=NOON)
    sign_pdf(unsigned(), seal(), stamp=stamp, at=NOON, reason="receipt", evidence=of_seal.joined(known))
    assert len(answers) == 1
    sign_pdf(unsigned(), seal(), stamp=stamp, at=NOON, reason="receipt", evidence=of_seal)
    assert len(answers) == 3


def test_a_seal_stays_good_after_its_authoritys_answers_have_ended() -> None:
    """Judged as of the token: the OCSP answers inside ended minutes later, and the file verifies for ever."""
    late = SimulatedAuthority("a", lambda: NOON + timedelta(minutes=9))
    whole = sign_pdf(
        unsigned(), seal(), stamp=stamper(late), at=NOON, reason="x", evidence=pki.evidence("seal", "seal", at=NOON)
    )
    assert verify(whole).level == "B-LT"


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed")
@pytest.mark.proves("ACK-03")
def test_openssl_agrees_on_the_signature_and_on_its_token(tmp_path: Path) -> None:
    now = datetime.now(UTC)
    tsa = SimulatedAuthority("a", lambda: now)
    whole = sign_pdf(unsigned(), seal(), stamp=stamper(tsa), at=now, reason="receipt")
    signature = PdfFileReader(BytesIO(whole)).embedded_regular_signatures[0]
    start, end = contents_of(whole)
    unsigned_attributes = signature.signer_info["unsigned_attrs"]
    files = {
        "cms.der": signature.signer_info and signature.pkcs7_content.rstrip(b"\x00"),
        "covered": whole[:start] + whole[end:],
        "root.pem": pki.anchors_pem("seal"),
        "token.der": unsigned_attributes[0]["values"][0].dump(),
        "value": signature.signer_info["signature"].native,
        "time.pem": pki.anchors_pem("a"),
    }
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)

    def run(*arguments: str) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(["openssl", *arguments], cwd=tmp_path, capture_output=True, check=False)  # noqa: S607

    cms = ["cms", "-verify", "-cades", "-binary", "-inform", "DER", "-in", "cms.der", "-purpose", "any"]
    good = run(*cms, "-content", "covered", "-CAfile", "root.pem", "-out", "ignored")
    assert good.returncode == 0, good.stderr
    assert run(*cms, "-content", "root.pem", "-CAfile", "root.pem", "-out", "ignored").returncode != 0
    token = ["ts", "-verify", "-token_in", "-in", "token.der", "-data"]
    assert run(*token, "value", "-CAfile", "time.pem").returncode == 0
    assert run(*token, "covered", "-CAfile", "time.pem").returncode != 0


@pytest.mark.skipif(shutil.which("qpdf") is None, reason="qpdf is not installed")
def test_qpdf_finds_nothing_wrong(tmp_path: Path) -> None:
    (tmp_path / "a.pdf").write_bytes(signed())
    assert subprocess.run(["qpdf", "--check", "a.pdf"], cwd=tmp_path, capture_output=True, check=False).returncode == 0  # noqa: S607


def contents_of(pdf: bytes) -> tuple[int, int]:
    """Where the signature's hexadecimal digits begin (with their bracket) and end."""
    start = pdf.index(b"/Contents <") + len(b"/Contents ")
    return start, pdf.index(b">", start) + 1
