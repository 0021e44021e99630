# SPDX-License-Identifier: EUPL-1.2
"""A table of faults as a page shows it."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Table:
    """Title, a paragraph, the head and the rows; cells are Markdown."""

    title: str
    opening: str
    head: Sequence[str]
    rows: Sequence[Sequence[str]]
