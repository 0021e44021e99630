# SPDX-License-Identifier: EUPL-1.2
"""After the opening: archive packages, and checking them without the vault."""
