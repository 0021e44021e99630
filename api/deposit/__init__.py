# SPDX-License-Identifier: EUPL-1.2
"""The face of tender platforms: envelopes come in as streams, receipts go out."""
