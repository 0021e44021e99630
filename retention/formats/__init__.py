# SPDX-License-Identifier: EUPL-1.2
"""Formats of archive packages; they know neither vault nor network."""
