# SPDX-License-Identifier: EUPL-1.2
"""What holds for every input, tried by Hypothesis; no example depends on how fast the machine is."""

from hypothesis import HealthCheck, settings

settings.register_profile("properties", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("properties")
