"""How thoroughly properties are searched: ``--hypothesis-profile=thorough`` takes minutes."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

# Both cores are busy in a run of everything, so that time says nothing about an example.
settings.register_profile("quick", max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("thorough", settings.get_profile("quick"), max_examples=5000)
settings.load_profile("quick")
