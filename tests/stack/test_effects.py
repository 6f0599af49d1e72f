"""The files' keys are those that are known to have an effect in the chart that they are for."""

from __future__ import annotations

from pathlib import Path

import pytest

from generate.stack import COPY
from tests.rig.helm import Helm
from tests.stack.effects import README, SAME, NoEffect, Stack, known, settings
from tests.stack.files import BASE, FILES, FOLDER, ROOT, leaves, read, spelt


@pytest.mark.parametrize("name", FILES)
def test_each_key_is_known_to_have_an_effect(name: str) -> None:
    """A key that is new, renamed or misspelt stands out: `python -m tests.stack` has not seen what it does."""
    assert {spelt(path) for path, _ in leaves(read(name))} == set(known()["files"][name])


def test_each_setting_of_the_readme_is_known() -> None:
    """The commands' `--set` are held to the chart as the files are."""
    assert settings(README.read_text("utf-8")) == list(known()["commands"])


def test_the_version_is_said_everywhere() -> None:
    """The files, the README's commands and what was rendered are about one version of the chart."""
    chart, version = known()["chart"].split()
    assert f"{chart} {version} " in (FOLDER / BASE).read_text("utf-8").splitlines()[0]
    readme = README.read_text("utf-8")
    assert readme.count(f"--version {version}") >= 2
    assert readme.count("--version ") == readme.count(f"--version {version}")


@pytest.fixture
def chart(tmp_path: Path) -> Path:
    """A chart that knows one of the base's keys, and has another one's value itself."""
    folder = tmp_path / "small"
    (folder / "templates").mkdir(parents=True)
    (folder / "Chart.yaml").write_text("{apiVersion: v2, name: small, version: 1.2.3}")
    (folder / "values.yaml").write_text("kubeDns: {enabled: false}")
    (folder / "templates" / "map.yaml").write_text(
        '{apiVersion: v1, kind: ConfigMap, metadata: {name: map}, data: {tag: \'{{ dig "crds" "upgradeJob" "image" '
        '"busybox" "tag" "none" (.Values | merge (dict)) }}\', random: {{ randAlpha 9 | quote }}}}'
    )
    return folder


def test_an_effect_is_found_and_its_lack_is_too(helm: Helm, chart: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of two keys the small chart shows one, and has the other by itself; what it does not know is refused."""
    stack = Stack(helm, chart)
    assert stack.version == "1.2.3"
    part = {"crds": read(BASE)["crds"], "kubeDns": {"enabled": False}}
    del part["crds"]["upgradeJob"]["enabled"]
    monkeypatch.setattr("tests.stack.effects.read", lambda name: part)
    assert stack.effects(BASE) == {
        "crds.upgradeJob.image.busybox.tag": "ConfigMap/map: data.tag",
        "kubeDns.enabled": SAME,
    }
    assert stack.effect("crds.upgradeJob.image.busybox.tag=1") == "ConfigMap/map: data.tag"
    with pytest.raises(NoEffect, match=r"--set crds\.tag=1 changes nothing"):
        stack.effect("crds.tag=1")
    part["crdz"] = {"tag": 1}
    with pytest.raises(NoEffect, match=r"values\.yaml: crdz\.tag changes nothing"):
        stack.effects(BASE)


def test_settings_are_read_out_of_commands() -> None:
    """Quoted or not, on one line or on several."""
    text = "```sh\nhelm upgrade x \\\n  --set a.b=1 --set-literal 'c\\.d={x}' \\\n  -f z\n```\nor `--set e=2`."
    assert settings(text) == ["a.b=1", "c.d={x}", "e=2"]


def test_the_chart_has_these_files_and_no_others() -> None:
    """What is packed into the chart has no file that the folder has lost; each one's text is looked at elsewhere."""
    assert {path.name for path in (ROOT / COPY).iterdir()} == {path.name for path in FOLDER.iterdir()}
