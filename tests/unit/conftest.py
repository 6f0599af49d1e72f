"""How thoroughly properties are searched: the same few examples in each run; many at random by ``make properties``.

What fails after a change fails because of it; what nobody has thought of is found by the other.
"""

from __future__ import annotations

from hypothesis import HealthCheck, settings

# Both cores are busy in a run of everything, so that time says nothing about an example.
settings.register_profile(
    "quick", max_examples=25, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile("thorough", settings.get_profile("quick"), max_examples=5000, derandomize=False)
settings.load_profile("quick")
