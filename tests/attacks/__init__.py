# SPDX-License-Identifier: EUPL-1.2
"""The attacks of protocol §6, each a test whose name begins with `test_attack_T` and its number, by theme."""
