# SPDX-License-Identifier: EUPL-1.2
"""The sweep: a periodic job goes on where deposits stopped, and clears what nobody will come back for."""

from dataclasses import dataclass, field
from datetime import datetime

from vault.work import Works


@dataclass
class Sightings:
    """Wraps seen without an object, and since when; one per worker process."""

    since: dict[str, datetime] = field(default_factory=dict)


def received(works: Works) -> int:
    """Steps D4 and D5 for every received deposit; tells how many still wait."""
    raise NotImplementedError


def attempts(works: Works) -> int:
    """End the attempts that nobody works on any more; tells how many."""
    raise NotImplementedError


def uploads(works: Works) -> int:
    """Give back the parts of uploads that nobody works on any more; tells how many."""
    raise NotImplementedError


def wraps(works: Works, sightings: Sightings) -> int:
    """Destroy object keys without an object; tells how many."""
    raise NotImplementedError
