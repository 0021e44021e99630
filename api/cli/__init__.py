# SPDX-License-Identifier: EUPL-1.2
"""Commands, one module each. They start no stack; deploy.command mounts them."""
