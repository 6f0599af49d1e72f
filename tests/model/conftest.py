"""Properties are searched as thoroughly as those of the unit tests."""

from tests.unit import conftest as _profiles  # noqa: F401 (its import registers them)
