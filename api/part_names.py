# SPDX-License-Identifier: EUPL-1.2
"""The parts of a bid by the names that addresses, bodies and commands give them; the protocol numbers them."""

from enum import StrEnum
from typing import Self

from crypto.policy import Part


class PartName(StrEnum):
    """Which part of a bid an envelope is, or a box holds."""

    APPLICATION = "application"
    TECHNICAL = "technical"
    FINANCIAL = "financial"
    IDENTITY = "identity"

    @property
    def part(self) -> Part:
        """The number that the protocol gives it."""
        return Part[self.name]

    @classmethod
    def of(cls, part: Part) -> Self:
        """The name of a part."""
        return cls[part.name]
