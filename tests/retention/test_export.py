# SPDX-License-Identifier: EUPL-1.2
"""Packages as they are exported."""

from pathlib import Path

import bagit
import pytest

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


def test_nothing_in_a_package_is_a_link(told: Story) -> None:
    assert not [path for path in told.folder.rglob("*") if path.is_symlink()]
