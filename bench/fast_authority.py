# SPDX-License-Identifier: EUPL-1.2
"""A time authority that answers at once: `python -m bench.fast_authority`, for the bench alone.

Rules
  1. Its tokens are those of the test authority whose key lies in deploy/pki: one token of that one is taken as the
     form, and imprint, nonce, number, time and signature of each answer are its own.
  2. It says nothing about certificates: their state is asked where the certificate says.
"""

import argparse
import asyncio
import hashlib
import os
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from asn1crypto import cms, tsp
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, EllipticCurvePrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from crypto.timestamp import build_request, token_of
from deploy.authorities import HERE
from vault.authorities import QUERY_TYPE, HttpLine

ANSWER_TYPE = "application/timestamp-reply"
PATIENCE = timedelta(seconds=10)


@dataclass(frozen=True)
class Form:
    """A token, and what of it is another in each."""

    token: bytes
    content: bytes  # TSTInfo
    attributes: bytes  # the signed ones, as they are signed
    signature: bytes
    key: EllipticCurvePrivateKey

    @classmethod
    def of(cls, address: str, key: str) -> "Form":
        """Ask the authority at an address, whose key file has this name."""
        token = _token(address)
        signed = cms.ContentInfo.load(token)["content"]
        signer = signed["signer_infos"][0]
        loaded = load_pem_private_key((HERE / "pki" / f"{key}.key.pem").read_bytes(), password=None)
        assert isinstance(loaded, EllipticCurvePrivateKey)
        return cls(
            token=token,
            content=bytes(signed["encap_content_info"]["content"]),
            attributes=signer["signed_attrs"].untag().dump(),
            signature=signer["signature"].native,
            key=loaded,
        )

    def answer(self, query: bytes) -> bytes:
        """TimeStampResp for a query."""
        asked, old = tsp.TimeStampReq.load(query), tsp.TSTInfo.load(self.content)
        old["gen_time"], old["serial_number"] = _now(), _number(old["serial_number"].contents)
        old["message_imprint"], old["nonce"] = asked["message_imprint"], asked["nonce"]
        content = bytes(old.dump())
        assert len(content) == len(self.content)
        before, after = hashlib.sha256(self.content).digest(), hashlib.sha256(content).digest()
        attributes = self.attributes.replace(before, after)
        signature = self._signed(attributes)
        token = self.token.replace(self.content, content).replace(before, after).replace(self.signature, signature)
        return _sequence(b"\x30\x03\x02\x01\x00" + token)

    def _signed(self, attributes: bytes) -> bytes:
        """A signature of the form's own length: one of two or three has it, and no length around it changes."""
        while len(signature := self.key.sign(attributes, ECDSA(SHA256()))) != len(self.signature):
            continue
        return signature


async def serve(form: Form, port: int) -> None:
    """HTTP/1.1 with kept connections, and nothing else of it."""

    async def converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                length = next(
                    int(line.split(b":")[1]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-len")
                )
                answer = form.answer(await reader.readexactly(length))
                said = f"HTTP/1.1 200 OK\r\nContent-Type: {ANSWER_TYPE}\r\nContent-Length: {len(answer)}\r\n\r\n"
                writer.write(said.encode() + answer)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    async with await asyncio.start_server(converse, "127.0.0.1", port) as server:
        await server.serve_forever()


def main() -> None:
    """The child's entry."""
    parser = argparse.ArgumentParser(description="A time authority for the bench.")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--like", required=True, help="the address of the test authority")
    parser.add_argument("--key", required=True, help="the name of its key")
    given = parser.parse_args()
    asyncio.run(serve(Form.of(given.like, given.key), given.port))


def _token(address: str) -> bytes:
    """One token whose time has all its digits: DER drops the last ones where they are zero."""
    with HttpLine() as line:
        while True:
            request = build_request(os.urandom(32))
            token = token_of(line.exchange(address, request.der, media_type=QUERY_TYPE, patience=PATIENCE), request)
            content = cms.ContentInfo.load(token)["content"]["encap_content_info"]["content"].parsed
            if content["gen_time"].native.microsecond % 10:
                return token


def _now() -> datetime:
    now = datetime.now(UTC)
    return now.replace(microsecond=now.microsecond // 10 * 10 + 1)


def _number(form: bytes) -> int:
    """A number of as many bytes: the form's beginning, and another end."""
    return int.from_bytes(form[:2] + os.urandom(len(form) - 2), "big")


def _sequence(inner: bytes) -> bytes:
    return b"\x30\x82" + len(inner).to_bytes(2, "big") + inner


if __name__ == "__main__":
    main()
