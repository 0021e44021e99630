# SPDX-License-Identifier: EUPL-1.2
"""Suites of others, beside the project where they exist; a test without its suite is skipped and says so."""

import json
from pathlib import Path

import pytest

_SECURITY = Path(__file__).resolve().parents[3] / "shared" / "data" / "security"


def load(name: str) -> object:
    """The JSON file of that name under the outside suites, or a skipped test."""
    path = _SECURITY / name
    if not path.exists():
        pytest.skip(f"the outside suite {name} is not beside this clone")
    return json.loads(path.read_text(encoding="utf-8"))
