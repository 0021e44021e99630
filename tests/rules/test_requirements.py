# SPDX-License-Identifier: EUPL-1.2
"""The register of requirements agrees with the tests and with its page, and its reader reads what it says it reads."""

from pathlib import Path

import pytest

from tests.rules.requirements_page import page
from tests.rules.requirements_register import (
    FAMILIES,
    PAGE,
    PROVED,
    REGISTER,
    ROOT,
    THIS_WORK,
    Proof,
    RegisterError,
    Requirement,
    collect,
    contradictions,
    load,
    missing,
    provable,
    settle,
)


def _requirement(name: str, state: str) -> Requirement:
    return Requirement(id=name, says="Something holds.", level="must", source="", state=state, note="")


def _tests_with(folder: Path, source: str) -> Path:
    tests = folder / "tests"
    tests.mkdir()
    (tests / "test_it.py").write_text(source, encoding="utf-8")
    return tests


def test_no_test_proves_an_unknown_id_and_no_proved_id_lacks_a_test() -> None:
    assert contradictions(load(), collect(ROOT / "tests")) == ()


def test_the_page_is_what_the_register_and_the_tests_say() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(load(), collect(ROOT / "tests")), "stale: run `make requirements`"


def test_every_family_and_all_attacks_are_in_the_register() -> None:
    ids = [entry.id for entry in load()]
    assert {entry.family for entry in load()} == set(FAMILIES)
    assert [name for name in ids if "-" not in name] == [f"T{number}" for number in range(1, 66)]


def test_within_a_family_the_numbers_run_without_a_gap() -> None:
    numbered: dict[str, list[int]] = {}
    for entry in load():
        if "-" in entry.id:
            numbered.setdefault(entry.family, []).append(int(entry.id.split("-")[1]))
    assert all(numbers == list(range(1, len(numbers) + 1)) for numbers in numbered.values())


@pytest.mark.parametrize(
    "entry",
    [
        pytest.param('[DEP-1]\nsays = "x"\nstate = "proved"\n', id="an id of another form"),
        pytest.param('[ABC-01]\nsays = "x"\nstate = "proved"\n', id="an unknown family"),
        pytest.param('[DEP-01]\nsays = "x"\nstate = "soon"\n', id="an unknown state"),
        pytest.param('[DEP-01]\nsays = "x"\n', id="no state"),
        pytest.param('[DEP-01]\nstate = "proved"\n', id="no words"),
        pytest.param('[DEP-01]\nsays = "x"\nstate = "proved"\nowner = "y"\n', id="an unknown key"),
        pytest.param('[DEP-01]\nsays = "x"\nstate = "proved"\nlevel = "maybe"\n', id="an unknown level"),
    ],
)
def test_an_entry_that_cannot_be_understood_is_refused(tmp_path: Path, entry: str) -> None:
    (tmp_path / "requirements.toml").write_text(entry, encoding="utf-8")
    with pytest.raises(RegisterError):
        load(tmp_path / "requirements.toml")


def test_marks_are_found_on_tests_classes_rows_and_modules(tmp_path: Path) -> None:
    source = """
import pytest
pytestmark = pytest.mark.proves("DEP-01")
ROWS = [pytest.param(1, marks=pytest.mark.proves("T33"))]

@pytest.mark.proves("T1", "T2")
def test_a(): ...

@pytest.mark.parametrize("row", ROWS)
def test_b(row): ...

@pytest.mark.proves("KEY-01")
class TestC:
    @pytest.mark.proves("KEY-02")
    def test_d(self): ...
    def helper(self): ...
"""
    found = collect(_tests_with(tmp_path, source))
    assert {(proof.test.removeprefix("tests/test_it.py::"), proof.requirement) for proof in found} == {
        *(("test_a", name) for name in ("DEP-01", "T1", "T2")),
        *(("test_b", name) for name in ("DEP-01", "T33")),
        *(("TestC::test_d", name) for name in ("DEP-01", "KEY-01", "KEY-02")),
    }


def test_a_mark_whose_id_is_computed_is_refused(tmp_path: Path) -> None:
    tests = _tests_with(tmp_path, "import pytest\n@pytest.mark.proves(NAME)\ndef test_a(): ...\n")
    with pytest.raises(RegisterError, match=r"test_it\.py:2"):
        collect(tests)


def test_contradictions_name_the_unknown_id_and_the_bare_one() -> None:
    register = [_requirement("DEP-01", PROVED), _requirement("DEP-02", THIS_WORK)]
    found = contradictions(register, [Proof("DEP-03", "tests/x.py::test_x")])
    assert len(found) == 2
    assert "DEP-03" in found[0]
    assert "DEP-01" in found[1]


def test_missing_is_what_this_work_owes_and_provable_what_it_may_claim() -> None:
    register = [
        _requirement("DEP-01", THIS_WORK),
        _requirement("DEP-02", THIS_WORK),
        _requirement("RET-01", "retention"),
    ]
    proofs = [Proof("DEP-02", "tests/x.py::test_x")]
    assert [entry.id for entry in missing(register, proofs)] == ["DEP-01"]
    assert [entry.id for entry in provable(register, proofs)] == ["DEP-02"]


def test_an_id_is_settled_only_with_a_test_and_changes_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "requirements.toml"
    path.write_text(REGISTER.read_text(encoding="utf-8"), encoding="utf-8")
    before = load(path)
    with pytest.raises(RegisterError):
        settle(path, ["RET-01"], [])
    settle(path, ["RET-01"], [Proof("RET-01", "tests/x.py::test_x")])
    changed = [(old.id, new.state) for old, new in zip(before, load(path), strict=True) if old != new]
    assert changed == [("RET-01", PROVED)]


def test_the_page_tells_what_an_unproved_id_waits_for_and_which_tests_touch_it() -> None:
    text = page([_requirement("RET-01", "retention")], [Proof("RET-01", "tests/x.py::test_x")])
    assert "waits: retention" in text
    assert "`tests/x.py::test_x`" in text
