# SPDX-License-Identifier: EUPL-1.2
"""`bidvault demo`: the story from start to end, exit 0 by itself; a failure is one sentence and exit 1.

Rules
  1. Ctrl-C and a termination signal stop what was started and clean up, as the end does.

Left to others: the chapters (deploy.demo).
"""

import logging
import signal
from pathlib import Path
from types import FrameType
from typing import Annotated

import structlog
import typer

from api.cli.remote import VaultRefused
from api.client import ClientError
from api.errors import ApiError
from crypto.errors import CryptoError
from deploy.demo import story
from deploy.demo.screen import Screen
from deploy.errors import DeployError
from vault.errors import VaultError

app = typer.Typer(add_completion=False)


@app.command()
def demo(
    out: Annotated[Path, typer.Option(help="Folder for what the demo leaves; made, or of an earlier demo.")] = Path(
        "out"
    ),
) -> None:
    """Watch real bids being sealed, kept shut, opened, proved and verified; takes about four minutes."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))  # the screen tells it
    screen = Screen()
    try:
        story.tell(out, screen)
    except KeyboardInterrupt:
        screen.failed("Interrupted; everything was stopped.")
        raise typer.Exit(1) from None
    except (DeployError, VaultError, CryptoError, ApiError, ClientError, VaultRefused, OSError) as error:
        screen.failed(f"The demo ended early: {error}")
        raise typer.Exit(1) from error
    except Exception as error:  # whatever it is, the person gets a sentence and everything was stopped
        screen.failed(f"The demo ended early by a fault of its own: {type(error).__name__}: {error}")
        raise typer.Exit(1) from error


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt
