"""What the chart makes for the relay and for events, and their templates as Go writes them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.rig.api import Json
from tests.rig.helm import Helm
from tests.stack.files import ROOT

CHART = ROOT / "charts" / "remediator"

_URL = {"prometheus": {"url": "http://prometheus.test:9090"}}


def objects(helm: Helm, values: Mapping[str, Any], *, more: tuple[str, ...] = ()) -> dict[str, Json]:
    """Everything that a release `remediator` in such a namespace has, by `Kind/name`. Raises `HelmError`."""
    found = helm.template(CHART, values=[{**_URL, **values}], more=more)
    return {f"{one['kind']}/{one['metadata']['name']}": one for one in found}


def written(helm: Helm, folder: Path, template: str, *of: Mapping[str, Any]) -> list[str]:
    """A template of Go's text/template, as it is written for each map: Helm's engine is that of these programs too."""
    chart = folder / "writer"
    if not chart.exists():
        (chart / "templates").mkdir(parents=True)
        (chart / "Chart.yaml").write_text("{apiVersion: v2, name: writer, version: 1.0.0}")
        (chart / "templates" / "map.yaml").write_text(
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: written}\ndata:\n"
            "{{- range $index, $one := .Values.of }}\n"
            '  "{{ $index }}": {{ tpl $.Values.template $one | toJson }}\n'
            "{{- end }}\n"
        )
    (found,) = helm.template(chart, values=[{"template": template, "of": [dict(one) for one in of]}])
    return [found["data"][str(index)] for index in range(len(of))]


def as_helm_has_it(template: str) -> str:
    """A template of PrometheusAlert with Helm's functions in the place of its own three."""
    nested = re.sub(r'\{\{ \.((?: \| reReplaceAll "(?:\\.|[^"\\])*" "[^"]*")+) \}\}', _nested, template)
    nested = nested.replace("{{ if match ", "{{ if regexMatch ")
    return nested.replace("GetCSTtime .startsAt", '.startsAt | replace "T12:" "T20:"')


def _nested(pipeline: re.Match[str]) -> str:
    # Helm's regexReplaceAll has the text in the middle, where no pipe can put it.
    inner = "."
    for pattern, replacement in re.findall(r'reReplaceAll ("(?:\\.|[^"\\])*") ("[^"]*")', pipeline[1]):
        inner = f"(regexReplaceAll {pattern} {inner} {replacement.replace('$1', '${1}')})"
    return f"{{{{ {inner} }}}}"
