# SPDX-License-Identifier: EUPL-1.2
"""The gate: the vault's own holder of a share, bound to time and to the closed box.

It is a module of its own with its own schema, database role, clock and keys, and trusts nothing of the vault.
"""
