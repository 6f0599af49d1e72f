"""Time zones, and which moment a time of day is: also in a night in which the clock is changed."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import cache
from importlib import resources
from zoneinfo import ZoneInfo

from remediator.policy.words import quote

_MINUTE = timedelta(minutes=1)


def zone(name: str) -> ZoneInfo:
    """Give a time zone by its IANA name. Raises ValueError with one sentence for a person.

    The names are those of the tzdata package, so that a file that loads here loads in the container as well.
    """
    known = _zones()
    if name in known.values():
        return ZoneInfo(name)
    plain = name.strip().lower().replace(" ", "_")
    # `Etc/GMT+8` lies eight hours west of UTC, so nobody who writes GMT+8 gets it from us.
    cities = (key for key in known if key.endswith(f"/{plain}") and not key.startswith("etc/"))
    meant = known.get(plain) or known.get(next(cities, ""))
    message = f"{quote(name)} is not the IANA name of a time zone; write {meant or 'such as Europe/Berlin'}"
    raise ValueError(message)


def first_moment(wall: datetime, place: ZoneInfo) -> datetime:
    """Give the first moment, in UTC, at which the clock shows that whole minute or a later one.

    One that is skipped comes when the clock has jumped, and of one that comes twice it is the first.
    """
    while True:
        # Without a fold it is the first of the two.
        moment = wall.replace(tzinfo=place).astimezone(UTC)
        if moment.astimezone(place).replace(tzinfo=None) == wall:
            return moment
        wall += _MINUTE


@cache
def _zones() -> Mapping[str, str]:
    names = resources.files("tzdata").joinpath("zones").read_text("ascii").split()
    return {name.lower(): name for name in names if name != "Factory"}
