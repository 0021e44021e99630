# SPDX-License-Identifier: EUPL-1.2
"""Key holders: where private keys lie and how they are used."""
