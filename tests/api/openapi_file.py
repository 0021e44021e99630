# SPDX-License-Identifier: EUPL-1.2
"""Writes `deploy/openapi.json` from the program: `python -m tests.api.openapi_file`."""

from pathlib import Path

from api.app import FACES
from api.description import as_text
from tests.api.frame import Frame

COMMITTED = Path(__file__).parent.parent.parent / "deploy" / "openapi.json"


def current() -> str:
    """The description of the program as it stands."""
    return as_text(Frame(faces=FACES).app().openapi())


if __name__ == "__main__":
    COMMITTED.write_text(current())
