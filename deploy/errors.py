# SPDX-License-Identifier: EUPL-1.2
"""What can go wrong while starting and stopping the parts; every message is a sentence that says what to do."""

from typing import ClassVar

REFUSED = 3  # exit status of a serving process that may not start; its last line says why


class DeployError(Exception):
    """Root of what this package raises."""

    code: ClassVar[str] = "deploy"


class AlreadyRunning(DeployError):
    """Another bidvault holds this data directory."""

    code = "already-running"


class PartFailed(DeployError):
    """A part of the embedded stack did not start, or ended."""

    code = "part-failed"


class PartMissing(DeployError):
    """A program that a wheel should have brought is not there."""

    code = "part-missing"


class StoreUnfit(DeployError):
    """The object store cannot keep the vault's promises."""

    code = "store-unfit"


class StartRefused(DeployError):
    """A serving process may not start on what it was given; the text is its own sentence."""

    code = "start-refused"
