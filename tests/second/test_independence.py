# SPDX-License-Identifier: EUPL-1.2
"""The second implementation is second: nothing of ours is in it."""

import ast
from pathlib import Path

import pytest

HERE = Path(__file__).parent
WRITTEN = sorted(path.name for path in HERE.glob("[!_]*.py") if not path.name.startswith("test_"))
OURS = {"crypto", "vault", "retention", "api", "deploy", "bench"}


def imported(module: str) -> set[str]:
    nodes = list(ast.walk(ast.parse((HERE / module).read_text(encoding="utf-8"))))
    whole = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    return whole | {node.module or "" for node in nodes if isinstance(node, ast.ImportFrom)}


@pytest.mark.proves("CONF-11")
@pytest.mark.parametrize("module", WRITTEN)
def test_the_second_implementation_imports_nothing_of_ours(module: str) -> None:
    names = imported(module)

    assert not {name.split(".")[0] for name in names} & OURS
    assert all(name.startswith("tests.second.") for name in names if name.startswith("tests"))
