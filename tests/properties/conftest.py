# SPDX-License-Identifier: EUPL-1.2
"""Properties: no example is judged by how long it takes, for machines differ."""

from hypothesis import settings

settings.register_profile("house", deadline=None)
settings.load_profile("house")
