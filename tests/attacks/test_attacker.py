# SPDX-License-Identifier: EUPL-1.2
"""The attacker itself: a search that cannot find proves nothing, so each form is planted once and found."""

import base64
import gzip
import json
import zlib
from pathlib import Path
from urllib.parse import quote

import pytest

from tests.attacks import attacker

NAME = "Charpente Évrard & Fils"
KEY = bytes(range(7, 39))
BEFORE, AFTER = b"\x91some bytes before it, ", b" and some after"
AS_TEXT = {
    "utf-8": NAME.encode(),
    "utf-16": NAME.encode("utf-16"),
    "latin-1": NAME.encode("latin-1"),
    "base64": base64.b64encode(b"x" + NAME.encode() + b"yz"),
    "base64 of json": base64.b64encode(json.dumps({"bidder": NAME}, ensure_ascii=False).encode()),
    "hex": NAME.encode().hex().encode(),
    "json": json.dumps({"bidder": NAME}).encode(),
    "address": quote(f"/v1/{NAME}").encode(),
    "zlib": zlib.compress(f"about {NAME} and others".encode()),
    "gzip": gzip.compress(f"about {NAME} and others".encode()),
    "capitals": NAME.upper().encode(),
}
AS_BYTES = {
    "as it is": KEY,
    "hex": KEY.hex().encode(),
    "base64": base64.b64encode(KEY),
    "base64 in a larger one": base64.b64encode(b"{" + KEY + b"}"),
    "base64url in a larger one": base64.urlsafe_b64encode(b"{{" + KEY + b"}"),
    "python": repr(KEY).encode(),
    "zlib": zlib.compress(b"key:" + KEY),
}


@pytest.mark.parametrize("form", AS_TEXT)
def test_a_text_is_found_in_every_form(tmp_path: Path, form: str) -> None:
    (tmp_path / "loot").write_bytes(BEFORE + AS_TEXT[form] + AFTER)

    assert {one.secret for one in attacker.search(attacker.read(tmp_path), {"a name": NAME})} == {"a name"}


@pytest.mark.parametrize("form", AS_BYTES)
def test_a_key_is_found_in_every_form(tmp_path: Path, form: str) -> None:
    (tmp_path / "loot").write_bytes(BEFORE + AS_BYTES[form] + AFTER)

    assert {one.secret for one in attacker.search(attacker.read(tmp_path), {"a key": KEY})} == {"a key"}


@pytest.mark.parametrize("length", range(6, 33))
def test_base64_is_found_at_every_alignment_and_length(length: int) -> None:
    secret = KEY[:length]

    for before in range(4):
        for after in range(4):
            written = base64.b64encode(bytes(range(before)) + secret + bytes(range(after)))
            assert attacker.search([("loot", written)], {"a key": secret}), (before, after)


def test_a_name_of_a_file_is_loot_and_what_is_not_there_is_not_found(tmp_path: Path) -> None:
    (tmp_path / f"{NAME}.pdf").write_bytes(b"")
    (tmp_path / "noise").write_bytes(bytes(range(256)) * 64)

    found = attacker.search(attacker.read(tmp_path), {"a name": NAME, "a key": KEY[::-1], "another": "Menuiserie Noël"})

    assert {one.secret for one in found} == {"a name"}
