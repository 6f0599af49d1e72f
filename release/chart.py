"""The chart as it is published: the tree's, with the image of the release in its values.

In the tree the values name no registry, because nobody has published an image there. Who installs the published chart
sets none, so the chart brings it.
"""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import yaml

from release.errors import ReleaseError

CHART = "charts/remediator"
_IMAGE = re.compile(r"(?P<registry>[a-z0-9.-]+(:\d+)?)/(?P<repository>[a-z0-9]+([._/-][a-z0-9]+)*)")


def publishable(root: Path, folder: Path, *, image: str) -> Path:
    """A copy of the chart in ``folder``, whose values name ``image`` (``ghcr.io/owner/remediator``, without a tag).

    Comments and everything else stay as they are. Raises ReleaseError where that is no name of an image, or the values
    have no place for it.
    """
    named = _IMAGE.fullmatch(image)
    if named is None:
        message = f"{image!r} is no image with a registry and without a tag; write such as ghcr.io/owner/remediator"
        raise ReleaseError(message)
    target = folder / "remediator"
    shutil.copytree(root / CHART, target)
    values = target / "values.yaml"
    before = values.read_text("utf-8")
    after = before
    for key in ("registry", "repository"):
        after, times = re.subn(rf"(?m)^(  {key}:) .*$", rf"\1 {named[key]}", after, count=1)
        if not times:
            message = f"{CHART}/values.yaml has no line `  {key}: …`, where the image of the release would go"
            raise ReleaseError(message)
    wanted = yaml.safe_load(before)
    wanted["image"] |= {key: named[key] for key in ("registry", "repository")}
    if yaml.safe_load(after) != wanted:
        message = f"{CHART}/values.yaml: the first `registry` and `repository` are not those of `image`; put it first"
        raise ReleaseError(message)
    values.write_text(after, "utf-8")
    return target
