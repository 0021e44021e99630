# SPDX-License-Identifier: EUPL-1.2
"""Packages made to harm whoever opens them: each is refused by name, and nothing is written outside."""

import io
import os
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from retention.errors import CutPackage, UnsafePackage
from retention.formats.bagit import escape, unpack
from retention.formats.paths import require_new, require_safe
from retention.verification import Outcome, Trust, Wanted, verify
from tests.retention.breaking import broken
from tests.retention.opened import Story

Add = Callable[[tarfile.TarFile], None]


def member(name: str, *, kind: bytes = tarfile.REGTYPE, size: int = 4, target: str = "") -> Add:
    """Adds one member to a TAR."""

    def add(tar: tarfile.TarFile) -> None:
        info = tarfile.TarInfo(name)
        info.type, info.size, info.linkname = kind, size if kind == tarfile.REGTYPE else 0, target
        tar.addfile(info, io.BytesIO(bytes(info.size)))

    return add


HOSTILE = {
    "climbs": member("p/../../evil"),
    "climbs at once": member("../evil"),
    "absolute": member("/etc/evil"),
    "backslash": member("p/data\\..\\evil"),
    "control": member("p/data/a\nb"),
    "symbolic link": member("p/data/link", kind=tarfile.SYMTYPE, target="/etc/passwd"),
    "hard link": member("p/data/link", kind=tarfile.LNKTYPE, target="p/data/one"),
    "device": member("p/data/null", kind=tarfile.CHRTYPE),
    "fifo": member("p/data/pipe", kind=tarfile.FIFOTYPE),
    "same name": member("p/data/one"),
    "same name to some": member("p/data/ONE"),
    "second folder": member("q/data/two"),
}


def tar_of(path: Path, *adds: Add) -> Path:
    """A TAR with these members."""
    with tarfile.open(path, "w") as tar:
        for add in (member("p/data/one"), *adds):
            add(tar)
    return path


@pytest.mark.parametrize("hostile", HOSTILE)
def test_a_hostile_archive_is_neither_unpacked_nor_checked(tmp_path: Path, hostile: str) -> None:
    tar = tar_of(tmp_path / "package.tar", HOSTILE[hostile])
    with pytest.raises(UnsafePackage):
        unpack(tar, tmp_path / "inner" / "out")
    assert {path.name for path in tmp_path.iterdir()} == {"package.tar", "inner"}
    assert list((tmp_path / "inner" / "out").rglob("*")) == []
    assert verify(Wanted(tar), Trust()).outcome is Outcome.BROKEN


def test_a_header_that_claims_to_be_huge_is_refused_before_it_is_read(tmp_path: Path) -> None:
    info = tarfile.TarInfo("p/data/one")
    info.type, info.size = tarfile.XHDTYPE, 1 << 40
    tar = tmp_path / "package.tar"
    tar.write_bytes(info.tobuf(tarfile.GNU_FORMAT) + bytes(1 << 16))
    with pytest.raises(UnsafePackage):
        unpack(tar, tmp_path / "out")


def test_nothing_is_unpacked_over_what_is_there(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine").write_text("mine")
    with pytest.raises(UnsafePackage):
        unpack(tar_of(tmp_path / "package.tar"), tmp_path / "out")


@pytest.mark.parametrize("part", [0.0001, 0.3, 0.6, 0.95, 0.98])
def test_a_cut_archive_is_broken(told: Story, tmp_path: Path, part: float) -> None:
    whole = told.tar.read_bytes()
    cut = tmp_path / "package.tar"
    cut.write_bytes(whole[: max(1024, int(len(whole) * part))])
    report = verify(Wanted(cut), Trust())
    assert report.outcome is Outcome.BROKEN
    assert broken(report)


def test_an_archive_without_its_end_or_with_more_behind_it_is_cut(told: Story, tmp_path: Path) -> None:
    whole = told.tar.read_bytes()
    for number, changed in enumerate((whole.rstrip(b"\0"), whole + b"more".ljust(512))):
        tar = tmp_path / f"{number}.tar"
        tar.write_bytes(changed)
        with pytest.raises(CutPackage):
            unpack(tar, tmp_path / f"out-{number}")


@pytest.mark.parametrize("kind", ["file", "folder", "fifo"])
def test_a_directory_with_a_link_or_a_pipe_is_refused_by_name(copy: Path, tmp_path: Path, kind: str) -> None:
    there = copy / "data" / "box-1" / "extra"
    if kind == "fifo":
        os.mkfifo(there)
    else:
        there.symlink_to("/etc/passwd" if kind == "file" else tmp_path)
    report = verify(Wanted(copy), Trust())
    assert report.outcome is Outcome.BROKEN
    assert any(file.endswith("extra") for file in broken(report))


def test_a_file_that_is_none_of_ours_is_told_so(tmp_path: Path) -> None:
    strange = tmp_path / "strange"
    for content in (b"", b"PK\x03\x04", b"bidvault/nothing/v1\n", b"bidvault/policy/v1\nAAAA\n", b"%PDF-1.7\n"):
        strange.write_bytes(content)
        assert verify(Wanted(strange), Trust()).outcome is Outcome.BROKEN


def test_a_percent_in_a_path_is_written_as_bagit_says() -> None:
    assert escape("prix 100 %.txt") == "prix 100 %25.txt"


@pytest.mark.parametrize(
    "path", ["", "/a", "a//b", "a/./b", "a/../b", "..", "a\\b", "a\tb", "a/" + "b" * 256, "\ud800"]
)
def test_paths_that_no_package_holds(path: str) -> None:
    with pytest.raises(UnsafePackage):
        require_safe(path)


def test_names_that_some_file_systems_take_for_one_are_refused() -> None:
    seen: set[str] = set()
    require_new("data/caf\u00e9", seen)
    with pytest.raises(UnsafePackage):
        require_new("data/CAFE\u0301", seen)
