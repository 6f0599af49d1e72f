"""The chart as a release packages it: one that installs without a word about the image."""

from __future__ import annotations

from pathlib import Path

from release.chart import publishable
from remediator import __version__
from tests.chart.charts import CHART, VALUES
from tests.rig.helm import Helm


def test_the_package_runs_the_image_of_its_release(helm: Helm, tmp_path: Path) -> None:
    """Packaged by Helm as the release does it, it names registry, repository and version, and passes lint."""
    chart = publishable(CHART.parents[1], tmp_path, image="ghcr.io/acme/remediator")
    helm.lint(chart, values=[VALUES["minimal"]])
    helm.run("package", str(chart), "--destination", str(tmp_path))
    package = tmp_path / f"remediator-{__version__}.tgz"
    (deployment,) = (
        found for found in helm.template(package, values=[VALUES["minimal"]]) if found["kind"] == "Deployment"
    )
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    assert container["image"] == f"ghcr.io/acme/remediator:{__version__}"
