# SPDX-License-Identifier: EUPL-1.2
"""PAdES: sign a PDF with the vault's seal and a time token, verify one offline, take attachments out.

Rules
  1. A signature is at least B-T: without a token there is no signed PDF. Revocation data at hand goes into the
     document security store before the signature, which so covers it: then the file alone verifies (B-LT).
  2. Verification trusts only the anchors it is given, reads no network, and judges at the token's genTime.
  3. There is one signature and it covers the entire file; one byte behind it refuses the file.
  4. A `VerifiedPdf` exists only if every check passed.

Left to others: the page itself (vault.prints), asking for the token (vault.authorities).
"""

import asyncio
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import InitVar, dataclass, field
from datetime import datetime
from io import BytesIO

from asn1crypto import cms, ocsp
from asn1crypto import crl as asn1_crl
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA
from cryptography.hazmat.primitives.hashes import SHA256
from pyhanko.pdf_utils.decode_limits import DecodeLimits, DocumentDecodeBudget, StreamDecodeLimits
from pyhanko.pdf_utils.generic import ArrayObject, DictionaryObject, StreamObject
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.pdf_utils.writer import BasePdfFileWriter
from pyhanko.sign.fields import SigFieldSpec, SigSeedSubFilter
from pyhanko.sign.signers.pdf_cms import Signer
from pyhanko.sign.signers.pdf_signer import PdfSignatureMetadata, PdfSigner, PdfSigningSession
from pyhanko.sign.timestamps import TimeStamper
from pyhanko.sign.validation import DocumentSecurityStore
from pyhanko.sign.validation.pdf_embedded import EmbeddedPdfSignature, async_validate_pdf_signature
from pyhanko.sign.validation.policy_decl import bootstrap_validation_data_handlers
from pyhanko.sign.validation.settings import KeyUsageConstraints
from pyhanko.sign.validation.status import PdfSignatureStatus, SignatureCoverageLevel
from pyhanko_certvalidator.ltv.types import ValidationTimingInfo
from pyhanko_certvalidator.registry import SimpleCertificateStore

from crypto.certificates import (
    MISSING,
    NO_EVIDENCE,
    Anchor,
    RevocationEvidence,
    certificate_name,
    load_certificate,
    run_offline,
    spec_for,
)
from crypto.encoding import sha256
from crypto.errors import (
    CryptoError,
    FormatError,
    SignatureError,
    UnprovenSignatureError,
)
from crypto.seal import SealKey, load_seal
from crypto.timestamp import VerifiedTimestamp, judge_token

__all__ = ["SealKey", "SealTime", "VerifiedPdf", "load_seal", "read_attachments", "sign_pdf", "verify_pdf"]

MAX_PDF = 64 * 1024 * 1024  # minutes of protocol 3.8 are at most 16 MiB, the page beside them less
MAX_ATTACHMENTS = 64
MAX_ATTACHED = 48 * 1024 * 1024  # bytes of all attachments together
FIELD = "Seal"
RESERVED = 48 * 1024  # hexadecimal digits kept for the signature: 24 KiB; qualified tokens are below 10 KB
_TREE_DEPTH = 16
_INFLATED = DecodeLimits(  # a small file does not become a large one: digests and base64 hardly compress
    per_stream=StreamDecodeLimits(max_ratio=100, max_output_size=MAX_ATTACHED),
    document_budget=DocumentDecodeBudget(base_allowance=16 * 1024 * 1024, max_ratio=20),
)
_SEAL_USAGE = KeyUsageConstraints(key_usage={"non_repudiation", "digital_signature"}, match_all_key_usages=False)
_CHECKED = object()


@dataclass(frozen=True)
class SealTime:
    """A time token over a digest with what verifies it: what `stamp` of `sign_pdf` returns."""

    token: bytes = field(repr=False)
    evidence: RevocationEvidence


@dataclass(frozen=True)
class VerifiedPdf:
    """A PDF whose seal passed every check.

    Attributes:
        signer: the seal's subject, for people.
        seal_hash: H(SPKI) of the seal's key.
        anchor_hash: H(SPKI) of the anchor of the seal.
        signed_at: its verified token.
        level: "B-LT" when the file alone holds what verifies it, else "B-T".
        attachments: the embedded files by name.
    """

    signer: str
    seal_hash: bytes
    anchor_hash: bytes
    signed_at: VerifiedTimestamp
    level: str
    attachments: Mapping[str, bytes] = field(repr=False)
    checked: InitVar[object] = None

    def __post_init__(self, checked: object) -> None:
        """Refuse to exist without the checks."""
        if checked is not _CHECKED:
            raise TypeError("a verified PDF comes from verify_pdf only")


def sign_pdf(
    pdf: bytes,
    seal: SealKey,
    *,
    stamp: Callable[[bytes], SealTime],
    at: datetime,
    reason: str,
    evidence: RevocationEvidence = NO_EVIDENCE,
) -> bytes:
    """Sign a PDF invisibly, PAdES B-T, or B-LT as far as `evidence` tells the state of seal and authority.

    Args:
        pdf: the unsigned file.
        seal: the vault's seal.
        stamp: gives a time token over a SHA-256 digest; called once, twice where the first token came from an
            authority whose revocation data was not in `evidence`.
        at: the signing time claimed in the signature.
        reason: shown by PDF readers.
        evidence: revocation data of the seal's chain, and of the authority expected to answer.

    Raises:
        FormatError: not a PDF that can be signed, or the token is larger than any in use.
    """
    signed, used = _sign_once(pdf, seal, stamp=stamp, at=at, reason=reason, evidence=evidence)
    together = evidence.joined(used)
    if together == evidence:
        return signed
    return _sign_once(pdf, seal, stamp=stamp, at=at, reason=reason, evidence=together)[0]


def verify_pdf(
    pdf: bytes,
    *,
    seal_anchors: Sequence[Anchor],
    time_anchors: Sequence[Anchor],
    evidence: RevocationEvidence = NO_EVIDENCE,
) -> VerifiedPdf:
    """Verify the seal of a PDF with given anchors, offline.

    Raises:
        FormatError: not a PDF that can be read, or none of ours (no signature, several, no token).
        SignatureError: altered, appended to, or the seal is not to be trusted; UnprovenSignatureError where
            only an anchor or revocation data is missing.
        TimestampError: its token fails a check; UnprovenTimestampError likewise.
    """
    reader = _read(pdf)
    with _Translated("the PDF cannot be judged"):
        signature = _only_signature(reader)
        token, imprint = _token(signature)
        own = _stored_evidence(reader)
    try:
        signed_at = judge_token(token, imprint, anchors=time_anchors, evidence=own)
        (status, anchor), level = _judge(signature, signed_at.at, seal_anchors, own), "B-LT"
    except CryptoError:
        if evidence == NO_EVIDENCE:
            raise
        both = own.joined(evidence)
        signed_at = judge_token(token, imprint, anchors=time_anchors, evidence=both)
        (status, anchor), level = _judge(signature, signed_at.at, seal_anchors, both), "B-T"
    return VerifiedPdf(
        signer=certificate_name(status.signing_cert),
        seal_hash=sha256(status.signing_cert.public_key.dump()),
        anchor_hash=anchor,
        signed_at=signed_at,
        level=level,
        attachments=_attachments(reader),
        checked=_CHECKED,
    )


def read_attachments(pdf: bytes) -> Mapping[str, bytes]:
    """The files embedded in a PDF by name; nothing about its seal is checked.

    Raises:
        FormatError: not a PDF that can be read, or embedded files beyond the limits.
    """
    return _attachments(_read(pdf))


class _Translated:
    """Turns whatever pyHanko leaks on bad files (signatures.md §1.3, 4) into FormatError."""

    def __init__(self, sentence: str) -> None:
        self._sentence = sentence

    def __enter__(self) -> None:
        """Begin."""

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        """Translate all but our own errors."""
        if isinstance(error, Exception) and not isinstance(error, CryptoError):
            raise FormatError(self._sentence) from error


class _LoadedSigner(Signer):
    """A signer that keeps the loaded key: pyHanko's own loads it anew for each signature."""

    def __init__(self, seal: SealKey) -> None:
        store = SimpleCertificateStore()  # type: ignore[no-untyped-call]  # pyHanko leaves it untyped
        store.register_multiple(load_certificate(der) for der in seal.chain)
        super().__init__(signing_cert=load_certificate(seal.chain[0]), cert_registry=store, embed_roots=False)
        self._key = seal.key

    async def async_sign_raw(self, data: bytes, digest_algorithm: str, dry_run: bool = False) -> bytes:  # noqa: FBT001, FBT002 - pyHanko's own signature
        if digest_algorithm != "sha256":
            raise FormatError(f"the seal signs SHA-256 only, not {digest_algorithm}")
        return bytes(72) if dry_run else self._key.sign(data, ECDSA(SHA256()))


class _Stamper(TimeStamper):
    """Hands pyHanko a token that our own tool got and judged."""

    def __init__(self, stamp: Callable[[bytes], SealTime]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # pyHanko leaves it untyped
        self._stamp = stamp
        self.used = NO_EVIDENCE
        self.failure: Exception | None = None

    async def async_timestamp(self, message_digest: bytes, md_algorithm: str) -> cms.ContentInfo:
        if md_algorithm != "sha256":
            raise FormatError(f"tokens are over SHA-256, not {md_algorithm}")
        try:
            given = self._stamp(message_digest)
        except Exception as error:  # the caller's own: it goes through unchanged
            self.failure = error
            raise
        self.used = given.evidence
        return cms.ContentInfo.load(given.token)


class _SignerAt(PdfSigner):
    """Signs as of a given time; pyHanko would read the system's clock."""

    claimed_at: datetime

    def init_signing_session(
        self,
        pdf_out: BasePdfFileWriter,
        existing_fields_only: bool = False,  # noqa: FBT001, FBT002 - pyHanko's own signature
    ) -> PdfSigningSession:
        session = super().init_signing_session(pdf_out, existing_fields_only=existing_fields_only)
        session.system_time = self.claimed_at
        return session


def _sign_once(
    pdf: bytes,
    seal: SealKey,
    *,
    stamp: Callable[[bytes], SealTime],
    at: datetime,
    reason: str,
    evidence: RevocationEvidence,
) -> tuple[bytes, RevocationEvidence]:
    """One signature; returns the file and the evidence of the token in it."""
    stamper = _Stamper(stamp)
    about = PdfSignatureMetadata(
        field_name=FIELD, md_algorithm="sha256", reason=reason, name=seal.name, subfilter=SigSeedSubFilter.PADES
    )
    signer = _SignerAt(about, _LoadedSigner(seal), timestamper=stamper, new_field_spec=SigFieldSpec(FIELD))
    signer.claimed_at = at
    out = BytesIO()
    try:
        writer = IncrementalPdfFileWriter(BytesIO(pdf))
        _store_evidence(writer, evidence, seal)
        _run(signer.async_sign_pdf(writer, bytes_reserved=RESERVED, output=out))
    except Exception as error:  # signatures.md §1.3, 4: many kinds
        if stamper.failure is not None:
            raise stamper.failure from error
        raise FormatError("the PDF cannot be signed") from error
    return out.getvalue(), stamper.used


def _run(signing: Coroutine[object, object, object]) -> None:
    """Run pyHanko's signing in a loop of its own: it gathers attributes concurrently, on whatever thread we are."""
    with ThreadPoolExecutor(1) as threads:
        threads.submit(asyncio.run, signing).result()


def _store_evidence(writer: IncrementalPdfFileWriter, evidence: RevocationEvidence, seal: SealKey) -> None:
    if evidence == NO_EVIDENCE:
        return
    certificates = dict.fromkeys((*seal.chain[:1], *evidence.certificates))
    DocumentSecurityStore.supply_dss_in_writer(
        writer,
        None,
        certs=[load_certificate(der) for der in certificates],
        ocsps=[ocsp.OCSPResponse.load(der) for der in evidence.ocsps],
        crls=[asn1_crl.CertificateList.load(der) for der in evidence.crls],
    )


def _read(pdf: bytes) -> PdfFileReader:
    if len(pdf) > MAX_PDF:
        raise FormatError(f"a PDF of {len(pdf)} bytes, at most {MAX_PDF} allowed")
    with _Translated("not a PDF that can be read"):
        reader = PdfFileReader(BytesIO(pdf), strict=True, decode_limits=_INFLATED)
        if reader.encrypted:
            raise FormatError("the PDF is encrypted")
    return reader


def _only_signature(reader: PdfFileReader) -> EmbeddedPdfSignature:
    if len(reader.embedded_signatures) != 1 or len(reader.embedded_regular_signatures) != 1:
        raise FormatError(f"{len(reader.embedded_signatures)} signatures where one seal is expected")
    signature: EmbeddedPdfSignature = reader.embedded_regular_signatures[0]
    if signature.sig_object.get("/SubFilter") != SigSeedSubFilter.PADES.value:
        raise FormatError("the signature is not PAdES")
    return signature


def _token(signature: EmbeddedPdfSignature) -> tuple[bytes, bytes]:
    """The signature's time token, and the digest it must be over."""
    unsigned = signature.signer_info["unsigned_attrs"]
    tokens = [one["values"] for one in unsigned if one["type"].native == "signature_time_stamp_token"]
    if len(tokens) != 1 or len(tokens[0]) != 1:
        raise FormatError("the seal carries no time token, or several")
    return tokens[0][0].dump(), sha256(signature.signer_info["signature"].native)


def _stored_evidence(reader: PdfFileReader) -> RevocationEvidence:
    """What the document security store of the file holds."""
    if "/DSS" not in reader.root:
        return NO_EVIDENCE
    store = DocumentSecurityStore.read_dss(reader)
    return RevocationEvidence(
        certificates=tuple(one.dump() for one in store.load_certs()),
        ocsps=tuple(one.get_object().data for one in store.ocsps),
        crls=tuple(one.get_object().data for one in store.crls),
    )


def _judge(
    signature: EmbeddedPdfSignature, at: datetime, anchors: Sequence[Anchor], evidence: RevocationEvidence
) -> tuple[PdfSignatureStatus, bytes]:
    """What pyHanko says on the seal as of its token's time, and H(SPKI) of the anchor that its chain ends in."""
    spec = spec_for(anchors, evidence, _SEAL_USAGE)
    as_of = ValidationTimingInfo(validation_time=at, best_signature_time=at, point_in_time_validation=True)
    context = spec.cert_validation_policy.build_validation_context(
        timing_info=as_of, handlers=bootstrap_validation_data_handlers(spec=spec, timing_info=as_of)
    )
    with _Translated("the seal cannot be judged"):
        status = run_offline(
            async_validate_pdf_signature(signature, context, key_usage_settings=_SEAL_USAGE, skip_diff=True)
        )
    if not (status.intact and status.valid):
        raise SignatureError("the PDF was altered after it was sealed")
    if status.coverage is not SignatureCoverageLevel.ENTIRE_FILE:
        raise SignatureError("something was added to the PDF after it was sealed")
    if status.trust_problem_indic in MISSING:
        raise UnprovenSignatureError(f"no anchor or no revocation data judges the seal: {status.trust_problem_indic}")
    path = status.validation_path
    if not status.trusted or path is None:
        raise SignatureError(f"the seal is not to be trusted: {status.trust_problem_indic}")
    return status, sha256(path.first.public_key.dump())


def _attachments(reader: PdfFileReader) -> Mapping[str, bytes]:
    """The embedded files by name, no name twice, within the limits."""
    found: dict[str, bytes] = {}
    with _Translated("the embedded files of the PDF cannot be read"):
        names = reader.root.get("/Names", {})
        for name, file_spec in _leaves(names.get("/EmbeddedFiles", {}), depth=0):
            stream = file_spec["/EF"]["/F"]
            if not isinstance(stream, StreamObject) or name in found or len(found) >= MAX_ATTACHMENTS:
                raise FormatError("an embedded file appears twice, or is none, or there are too many")
            found[name] = stream.data
            if sum(len(data) for data in found.values()) > MAX_ATTACHED:
                raise FormatError("the embedded files are larger than allowed")
    return found


def _leaves(node: Mapping[str, ArrayObject], *, depth: int) -> Iterator[tuple[str, DictionaryObject]]:
    if depth > _TREE_DEPTH:
        raise FormatError("the names of the PDF are nested too deep")
    names = node.get("/Names", ArrayObject())
    for index in range(0, len(names) - 1, 2):
        yield str(names[index]), names[index + 1]
    for child in node.get("/Kids", ArrayObject()):
        yield from _leaves(child.get_object() if hasattr(child, "get_object") else child, depth=depth + 1)
