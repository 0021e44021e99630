# SPDX-License-Identifier: EUPL-1.2
"""PDFs that nobody of ours made: bombs, no token, nothing stored beside the seal, trees without end."""

import asyncio
import zlib
from io import BytesIO

import pikepdf
import pytest
from pyhanko.pdf_utils.generic import ArrayObject
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from pyhanko.sign.fields import SigFieldSpec, SigSeedSubFilter
from pyhanko.sign.signers.pdf_signer import PdfSignatureMetadata, PdfSigner

from crypto.certificates import NO_EVIDENCE
from crypto.errors import FormatError, UnprovenTimestampError
from crypto.pades import FIELD, SealTime, _leaves, _LoadedSigner, _Stamper, read_attachments, sign_pdf
from tests.crypto.test_pades import NOON, seal, stamper, unsigned, verify
from tests.world import pki
from tests.world.authority import SimulatedAuthority


def bomb(size: int, *, layers: int) -> bytes:
    """A print whose attached file inflates to that size."""
    data = bytes(size)
    for _ in range(layers):
        data = zlib.compress(data, 9)
    with pikepdf.open(BytesIO(unsigned())) as pdf:
        (name,) = pdf.attachments
        stream = pdf.attachments[name].obj["/EF"]["/F"]
        stream.write(data, filter=pikepdf.Array([pikepdf.Name("/FlateDecode")] * layers))
        out = BytesIO()
        pdf.save(out)
    return out.getvalue()


@pytest.mark.proves("T33", "T34")
@pytest.mark.parametrize("layers", [1, 2, 3])
def test_a_small_file_that_would_inflate_to_a_large_one_is_refused(layers: int) -> None:
    with pytest.raises(FormatError):
        read_attachments(bomb(40 << 20, layers=layers))


def test_a_seal_without_a_time_token_is_refused() -> None:
    about = PdfSignatureMetadata(field_name=FIELD, md_algorithm="sha256", subfilter=SigSeedSubFilter.PADES)
    out = BytesIO()
    signer = PdfSigner(about, _LoadedSigner(seal()), new_field_spec=SigFieldSpec(FIELD))
    asyncio.run(signer.async_sign_pdf(IncrementalPdfFileWriter(BytesIO(unsigned())), output=out))

    with pytest.raises(FormatError):
        verify(out.getvalue())


@pytest.mark.proves("ACK-03")
def test_a_seal_with_nothing_stored_beside_it_is_judged_by_what_is_given() -> None:
    tsa = SimulatedAuthority("a", lambda: NOON)
    bare = sign_pdf(
        unsigned(), seal(), stamp=lambda digest: SealTime(tsa.token(digest), NO_EVIDENCE), at=NOON, reason="receipt"
    )

    with pytest.raises(UnprovenTimestampError):
        verify(bare)
    given = pki.evidence("seal", "seal", at=NOON).joined(tsa.evidence())
    assert verify(bare, evidence=given).level == "B-T"


def test_seal_and_stamper_refuse_digests_that_are_not_sha_256() -> None:
    with pytest.raises(FormatError):
        asyncio.run(_LoadedSigner(seal()).async_sign_raw(b"", "sha1"))
    with pytest.raises(FormatError):
        asyncio.run(_Stamper(stamper()).async_timestamp(bytes(20), "sha1"))


def test_a_tree_of_names_deeper_than_any_is_refused() -> None:
    tree: dict[str, ArrayObject] = {}
    for _ in range(18):
        tree = {"/Kids": ArrayObject([tree])}

    with pytest.raises(FormatError, match="deep"):
        list(_leaves(tree, depth=0))
