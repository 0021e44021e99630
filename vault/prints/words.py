# SPDX-License-Identifier: EUPL-1.2
"""The languages of prints."""

from enum import StrEnum


class Language(StrEnum):
    """A language that prints are made in."""

    FRENCH = "fr"
    ENGLISH = "en"
