# SPDX-License-Identifier: EUPL-1.2
"""Fixtures of the attacks: the worlds that the vault's own tests use."""

from tests.api.conftest import site
from tests.vault.conftest import open_world, shared_world

__all__ = ["open_world", "shared_world", "site"]
