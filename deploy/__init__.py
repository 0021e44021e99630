# SPDX-License-Identifier: EUPL-1.2
"""Running bidvault: the command, the embedded stack, the demo. On top of everything; nothing imports it."""
