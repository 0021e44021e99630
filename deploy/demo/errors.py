# SPDX-License-Identifier: EUPL-1.2
"""How the demo ends when it cannot go on; each with a sentence that says what to do."""

from typing import ClassVar

from deploy.errors import DeployError


class DemoFailed(DeployError):
    """The story did not go as it must: something was possible that must not be, or something differs."""

    code: ClassVar[str] = "demo-failed"


class TooSlow(DemoFailed):
    """The machine did not get through a chapter before the deadline that the procedure had set."""

    code = "too-slow"


class PlaceTaken(DeployError):
    """The folder for the demo's files holds something else."""

    code = "place-taken"


class CommandRefused(DeployError):
    """A command of `bidvault` refused; the text is what it told."""

    code = "refused"
