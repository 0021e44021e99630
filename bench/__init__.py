# SPDX-License-Identifier: EUPL-1.2
"""What the vault costs, beside what does the same work without it: `python -m bench`."""
