# SPDX-License-Identifier: EUPL-1.2
"""What can go wrong with an archive package, one class for each thing a caller may want to tell apart."""

from typing import ClassVar


class RetentionError(Exception):
    """The root of all errors of this package."""

    code: ClassVar[str] = "retention"


class PackageError(RetentionError):
    """A package is not what a package must be; `file` names the part of it, where there is one."""

    code: ClassVar[str] = "package"

    def __init__(self, sentence: str, *, file: str = "") -> None:
        super().__init__(sentence)
        self.file = file


class NotAPackage(PackageError):
    """Neither a receipt, nor a print, nor a package."""

    code: ClassVar[str] = "not-a-package"


class UnsafePackage(PackageError):
    """It would write outside its folder, follow a link, hold a name twice, or be larger than it says."""

    code: ClassVar[str] = "unsafe-package"


class CutPackage(PackageError):
    """It ends before its end."""

    code: ClassVar[str] = "cut-package"


class MissingPart(PackageError):
    """A part that the package must hold is not in it."""

    code: ClassVar[str] = "missing-part"


class ChangedPart(PackageError):
    """A part is not what the package, or a signed statement in it, says it is."""

    code: ClassVar[str] = "changed-part"


class BadTrust(RetentionError):
    """The directory of what the checker trusts cannot be used."""

    code: ClassVar[str] = "bad-trust"


class RulebookRefused(RetentionError):
    """A rulebook is not whole, or a buyer's own one shortens something; the text names the rule."""

    code: ClassVar[str] = "rulebook-refused"
