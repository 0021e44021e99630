# SPDX-License-Identifier: EUPL-1.2
"""The order of the chapters, from the stack that starts to the stack that has stopped."""

import os
import shutil
import time
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from api.bootstrap import compose
from deploy.demo import clock, deposits, ending, opening, operator, preparing, procedure, proofs, together
from deploy.demo.cast import CUSTODIANS
from deploy.demo.places import Places
from deploy.demo.screen import Screen
from deploy.demo.stage import Stage
from deploy.up import RunningVault
from vault.errors import DevelopmentOnly
from vault.settings import Settings
from vault.work import Works

PROMISE = (
    "A contracting authority buys works in two lots. You will watch bids being sealed, kept shut, opened together, "
    "proved, exported and verified, on a vault that starts now on this machine alone and stops at the end."
)
PINS = "XDG_CONFIG_HOME"  # where the custodians' tool remembers what it pinned


def tell(out: Path, screen: Screen) -> None:
    """Tell the whole story, its files under `out`.

    Raises:
        DeployError: the vault did not start, or the story did not go as it must; everything is stopped.
    """
    with Places.taken(out) as places, _environment({PINS: str(places.keys)}):
        screen.title("bidvault", PROMISE)
        vault = RunningVault(places.vault)
        with screen.busy("Starting database, object store, two time authorities, worker and API"), _quiet():
            vault.start()
        try:
            with _environment(vault.environment):
                seconds = _tell_all(vault, places, screen)
        finally:
            with screen.busy("Stopping everything"):
                vault.stop()
    ending.tell(screen, places, seconds=seconds)


def _tell_all(vault: RunningVault, places: Places, screen: Screen) -> float:
    """All chapters; how many seconds they took."""
    began = time.monotonic()
    stage = Stage(screen, places, vault, _compose())
    try:
        screen.done("The vault runs", f"{vault.url}; for development: sealed at level 0")
        _write_trust(stage)
        preparing.tell_files(stage)
        key_seconds = _timed_keys(stage)
        procedure.tell(stage, key_seconds=key_seconds)
        deposits.tell(stage)
        deposits.tell_changes(stage)
        clock.tell(stage)
        together.tell(stage)
        deposits.require_before_deadline(stage)
        deposits.tell_late(stage)
        operator.tell(stage)
        deposits.tell_prints(stage)
        opening.tell_closing(stage)
        opening.tell_opening(stage)
        opening.tell_downloads(stage)
        opening.tell_prints(stage)
        proofs.tell_export(stage)
        proofs.tell_verification(stage)
        proofs.tell_change(stage)
    finally:
        stage.works.engine.dispose()
    return time.monotonic() - began


def _timed_keys(stage: Stage) -> float:
    """Tell the chapter of the keys; how many seconds one key took."""
    began = time.monotonic()
    preparing.tell_keys(stage)
    return (time.monotonic() - began) / len(CUSTODIANS)


def _write_trust(stage: Stage) -> None:
    for root in sorted(stage.vault.trust.glob("*.pem")):
        shutil.copyfile(root, stage.places.trust / root.name)
    keys = stage.works.service_keys
    for name, signer in (("statement", keys.statement), ("journal", keys.journal)):
        (stage.places.trust / f"{name}.vkey").write_text(signer.verifier.vkey + "\n", encoding="ascii")


def _compose() -> Works:
    """The operator's hand in the vault: issues tokens, and looks into database and store in the chapter about that."""
    with _quiet():
        return compose(Settings.model_validate({}))


@contextmanager
def _quiet() -> Iterator[None]:
    """The stand-ins' warnings are one line of the screen."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DevelopmentOnly)
        yield


@contextmanager
def _environment(given: Mapping[str, str]) -> Iterator[None]:
    """Settings in the environment, and as it was before afterwards."""
    before = {name: os.environ.get(name) for name in given}
    os.environ.update(given)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
