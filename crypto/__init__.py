# SPDX-License-Identifier: EUPL-1.2
"""Formats and mathematics: bytes in, bytes out; no socket, no database, nothing of ours outside."""
