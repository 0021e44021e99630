# SPDX-License-Identifier: EUPL-1.2
"""The deposit: a bid comes in as a stream, leaves as a sealed envelope, and its depositor gets a receipt.

`journey` holds the act (D0 to D5), `announcement` what is checked before a byte is read, `pipeline` the one pass over
the bytes, `own` what a depositor is told of an envelope later.
"""
