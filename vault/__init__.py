# SPDX-License-Identifier: EUPL-1.2
"""From the tender procedure to the opening: envelopes are received, kept sealed, closed and opened together."""
