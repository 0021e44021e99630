# SPDX-License-Identifier: EUPL-1.2
"""Test keys, data only: README.md beside them says what they are for."""
