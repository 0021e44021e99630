# SPDX-License-Identifier: EUPL-1.2
"""Opening: closed boxes are opened together, by k custodians and the gate (protocol steps O0 to O8).

In order: `offer` (O0-O2), `contributing` (O3), `keying` (O4-O6), `reading` (O7-O8), `documents` (what was opened).
The only package that unseals bids and reads opened documents.
"""
