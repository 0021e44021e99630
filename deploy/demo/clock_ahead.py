# SPDX-License-Identifier: EUPL-1.2
"""One more API process of the same vault whose clock runs a day ahead: `python -m deploy.demo.clock_ahead`.

Rules
  1. Only the demo starts it; everything sealed there is level 0, and says so.

Left to others: serving (deploy.serve), what the wrong clock must not be able to do (the chapter on clocks).
"""

from datetime import timedelta

from api import bootstrap
from crypto.keys.memory import keep_memory_private
from deploy.serve import serve_api
from vault.settings import Settings
from vault.work import SandboxClock

AHEAD = timedelta(days=1)


def main() -> None:
    """Serve with the wrong clock until a signal comes."""
    keep_memory_private()
    serve_api(bootstrap.compose(Settings.model_validate({}), clock=SandboxClock(AHEAD)))


if __name__ == "__main__":
    main()
