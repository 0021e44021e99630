# SPDX-License-Identifier: EUPL-1.2
"""The page docs/reference/routes.md, from the committed description of the API.

Left to others: the description (api.description, held to the app by a test), the manner (docs/reference/api.md).
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from tests.rules.requirements_register import ROOT

DESCRIPTION: Final = ROOT / "deploy" / "openapi.json"
PAGE: Final = ROOT / "docs" / "reference" / "routes.md"
METHODS: Final = ("get", "put", "post", "delete", "patch")
TITLES: Final = {
    "procedures": "Procedures",
    "deposit": "Deposit",
    "opening": "Closing and opening",
    "archive": "Archive",
    "audit": "Audit",
}

HEAD: Final = """# Routes

<!-- Written by `make requirements` from deploy/openapi.json. Do not edit. -->

Who may call what. How bodies, headers and answers look is in `deploy/openapi.json`, and in the pages that the program
serves under `/docs`; the manner of all of them is in [API](api.md).
"""


@dataclass(frozen=True)
class Operation:
    """One method of one address."""

    method: str
    path: str
    face: str
    roles: tuple[str, ...]
    does: str


def operations() -> Iterator[Operation]:
    """Every operation of the description, in its order."""
    for path, methods in json.loads(DESCRIPTION.read_text(encoding="utf-8"))["paths"].items():
        for method in METHODS:
            if method in methods:
                told = methods[method]
                does = str(told.get("description", told.get("summary", ""))).split("\n\n")[0].replace("\n", " ")
                face = (told.get("tags") or ["service"])[0]
                yield Operation(method.upper(), path, face, tuple(told.get("x-roles", ())), does)


def page() -> str:
    """One table for each face."""
    found = list(operations())
    parts = [HEAD]
    for face in sorted({one.face for one in found}, key=lambda name: [*TITLES, name].index(name)):
        parts.append(f"\n## {TITLES.get(face, face.capitalize())}\n\n| route | who | |\n|---|---|---|\n")
        for one in found:
            if one.face == face:
                who = ", ".join(one.roles) or "everybody"
                parts.append(f"| `{one.method} {one.path}` | {who} | {one.does.replace('|', '·')} |\n")
    return "".join(parts)
