# SPDX-License-Identifier: EUPL-1.2
"""Known answers: the protocol's own, and the suites of others that lie outside this repository."""
