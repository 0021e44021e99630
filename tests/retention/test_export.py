# SPDX-License-Identifier: EUPL-1.2
"""Packages as they are exported."""

import shutil
import subprocess
from pathlib import Path

import bagit
import pytest

from crypto.statement import Kind, parse_note
from retention.formats.bagit import stream_tar, tar_length
from tests.retention.opened import DOCUMENTS, Story


@pytest.mark.proves("ARC-13")
def test_the_same_export_twice_is_the_same_bytes(told: Story) -> None:
    again = b"".join(stream_tar(told.export()))
    assert again == told.tar.read_bytes()


def test_the_length_of_a_package_is_known_before_its_first_byte(told: Story) -> None:
    assert tar_length(told.export()) == told.tar.stat().st_size


@pytest.mark.proves("ARC-03")
def test_a_package_is_a_bag_that_another_tool_accepts(told: Story) -> None:
    bag = bagit.Bag(str(told.folder))
    assert bag.validate()
    assert {path.name for path in told.folder.iterdir()} == {
        "bag-info.txt", "bagit.txt", "data", "manifest-sha256.txt", "manifest-sha512.txt", "tagmanifest-sha512.txt",
    }  # fmt: skip


def test_opened_documents_lie_in_the_package_byte_for_byte(told: Story) -> None:
    for path, content in DOCUMENTS.items():
        assert (told.folder_of("acme") / "documents" / path).read_bytes() == content


@pytest.mark.proves("OPEN-08")
def test_what_stays_sealed_is_only_named(told: Story) -> None:
    whole = told.tar.read_bytes()
    opened = {name for name in told.envelopes if any(Path(told.folder).rglob(str(told.envelopes[name])))}
    assert opened == {"acme", "zenith", "price", "admitted"}
    assert told.envelopes["late"].hex[:8].encode() in whole


@pytest.mark.proves("ARC-08")
def test_another_tool_verifies_a_token_of_the_package_given_the_roots(told: Story, tmp_path: Path) -> None:
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("openssl is not installed")
    box = told.folder / "data" / "box-1"
    closing = parse_note((box / "closing.note").read_bytes(), Kind.CLOSING)
    roots = tmp_path / "roots.pem"
    roots.write_bytes(b"".join((told.trust / f"{which}.pem").read_bytes() for which in ("a", "b")))
    for token in sorted(box.glob("closing-[0-9].tst")):
        asked = ["ts", "-verify", "-digest", closing.id.hex(), "-in", str(token), "-token_in", "-CAfile", str(roots)]
        at = str(int(told.world.now.timestamp()))
        done = subprocess.run([openssl, *asked, "-attime", at], capture_output=True, check=False)
        assert b"Verification: OK" in done.stdout + done.stderr


def test_nothing_in_a_package_is_a_link(told: Story) -> None:
    assert not [path for path in told.folder.rglob("*") if path.is_symlink()]
