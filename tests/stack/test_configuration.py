"""Alertmanager's configuration as the files of values make it, together and apart."""

from __future__ import annotations

import re
from itertools import combinations
from pathlib import Path
from typing import Any, cast

import pytest

from tests.rig.helm import VERSIONS, Helm, HelmError, Version
from tests.stack.amtool import Refused, check, receivers
from tests.stack.files import BASE, CHANNELS, FILES, ROBOTS, leaves, read
from tests.stack.secret import secret


@pytest.fixture(scope="module", params=VERSIONS, ids=[f"helm{version}" for version in VERSIONS])
def helm(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Helm:
    """Each version of Helm in turn: it is they who merge the files."""
    return Helm(cast("Version", request.param), tmp_path_factory.mktemp("helm"))


ALL = [f"{channel}.yaml" for channel in CHANNELS]


def told(channels: dict[str, list[dict[str, Any]]]) -> set[str]:
    """What tells an alert: `mail`, `relay`, or the file with a robot's address."""
    webhooks = channels.get("webhook_configs", [])
    robots = {Path(one["url_file"]).name.removesuffix("-url") for one in webhooks if "url_file" in one}
    relay = {"relay" for one in webhooks if ".svc:8080/prometheusalert?" in one.get("url", "")}
    return {"mail" for _ in channels.get("email_configs", [])} | robots | relay


@pytest.mark.parametrize("names", [[], *([name] for name in ALL), ALL], ids=lambda names: "+".join(names) or "base")
def test_amtool_takes_it(helm: Helm, amtool: Path, tmp_path: Path, names: list[str]) -> None:
    """The base, each channel alone and all of them make a configuration and templates that Alertmanager takes."""
    said = check(amtool, secret(helm, *names).write(tmp_path))
    assert "3 receivers" in said
    assert "3 inhibit rules" in said
    assert "1 templates" in said


@pytest.mark.parametrize("two", [*combinations(CHANNELS, 2), CHANNELS], ids="+".join)
def test_channels_add_up(helm: Helm, two: tuple[str, ...]) -> None:
    """Files of channels given together all take effect, in any order, though lists in values replace each other."""
    for order in (two, two[::-1]):
        made = secret(helm, *(f"{channel}.yaml" for channel in order))
        assert told(made.channels("on-call")) == set(two)
        assert told(made.channels("critical")) == set(two)
        assert made.channels("null") == {}


def test_receivers_written_the_charts_own_way_are_kept(helm: Helm) -> None:
    """Who brings `alertmanager.config.receivers` and a route of their own has these beside ours."""
    own = [{"name": "null"}, {"name": "phone", "webhook_configs": [{"url": "http://phone.test/"}]}]
    made = secret(helm, "feishu.yaml", values={"alertmanager": {"config": {"receivers": own}}})
    assert [one["name"] for one in made.configuration["receivers"]] == ["critical", "null", "on-call", "phone"]
    assert made.channels("phone") == {"webhook_configs": [{"url": "http://phone.test/"}]}


def test_a_channel_is_taken_away_by_null(helm: Helm) -> None:
    """A channel can be kept for what is critical alone."""
    quiet = {"alertmanager": {"receivers": {"on-call": {"webhook_configs": {"feishu": None}}}}}
    made = secret(helm, "feishu.yaml", "mail.yaml", values=quiet)
    assert told(made.channels("on-call")) == {"mail"}
    assert told(made.channels("critical")) == {"mail", "feishu"}


def test_examples_are_refused(helm: Helm) -> None:
    """Who forgets to set an address learns it from Helm, not from the silence of the night."""
    with pytest.raises(HelmError, match=r"alertmanager: on-call@example\.com is an example; set your own"):
        secret(
            helm,
            "mail.yaml",
            examples=True,
            values={
                "alertmanager": {
                    "config": {
                        "global": {
                            "smtp_smarthost": "smtp.site.test:25",
                            "smtp_from": "a@site.test",
                            "smtp_auth_username": "a",
                        }
                    }
                }
            },
        )


@pytest.mark.parametrize("name", FILES)
def test_no_secret_stands_in_a_file(name: str) -> None:
    """Passwords, tokens and robots' addresses are files of Secrets, or come by reference."""
    for path, value in leaves(read(name)):
        key = path[-1].lower()
        if re.search(r"password|secret|token|url", key) and not re.search(
            r"_file$|^existingsecret$|key$|^bearer|^secrets$", key
        ):
            # The relay's address is one inside the cluster, without a key.
            assert re.fullmatch(r"http://[a-z.-]+\.svc:8080/prometheusalert\?type=fs&tpl=[a-z-]+", value), path
        if not path[-1].endswith(".tmpl"):
            assert not re.search(r"https?://[^/]*(feishu|dingtalk|qyapi|slack)", str(value)), path


def test_what_the_operator_refuses_is_not_there(helm: Helm) -> None:
    """These fields amtool takes; the operator's copy of the configuration does not know them, and refuses it whole."""
    configuration = secret(helm, *ALL).configuration

    def routes(route: dict[str, Any]) -> list[dict[str, Any]]:
        return [route, *(inner for one in route.get("routes", []) for inner in routes(one))]

    assert not {"tracing", "event_recorder"} & configuration.keys()
    assert not [rule for rule in configuration["inhibit_rules"] if "name" in rule]
    assert not [route for route in routes(configuration["route"]) if "labels" in route]
    assert not [one for one in configuration["receivers"] if "labels" in one]


def test_a_payload_is_one_string(helm: Helm) -> None:
    """Of a map, Alertmanager reads each text again as YAML: `demo/web: 92%` would become an object."""
    channels = secret(helm, *ALL).channels("on-call")["webhook_configs"]
    payloads = [one["payload"] for one in channels if "payload" in one]
    assert sorted(payloads) == sorted(f'{{{{ template "{robot}" . }}}}' for robot in ROBOTS)


PAGED: list[tuple[dict[str, str], str]] = [
    ({"alertname": "Watchdog", "severity": "none"}, "null"),
    ({"alertname": "InfoInhibitor", "severity": "none", "namespace": "shop"}, "null"),
    ({"alertname": "KubePodCrashLooping", "severity": "warning", "namespace": "shop", "pod": "web-1"}, "on-call"),
    ({"alertname": "KubeAPIDown", "severity": "critical"}, "critical"),
    ({"alertname": "CPUThrottlingHigh", "severity": "info", "namespace": "shop"}, "on-call"),
    ({"alertname": "RemediatorDown", "severity": "critical", "namespace": "remediator"}, "critical"),
    ({"alertname": "RemediatorEvaluationFailing", "severity": "warning", "namespace": "remediator"}, "on-call"),
    ({"alertname": "EtcdNoLeader", "severity": "critical", "job": "kube-etcd"}, "critical"),
    ({"alertname": "BlackboxProbeFailed", "severity": "critical", "instance": "https://shop.test"}, "critical"),
    ({"alertname": "MysqlReplicationLag", "severity": "warning", "instance": "orders"}, "on-call"),
    ({"alertname": "TargetDown", "severity": "warning", "namespace": "kube-system"}, "on-call"),
    ({"alertname": "SomethingOfAnothers", "severity": "page"}, "on-call"),
    ({"alertname": "WithoutSeverity"}, "on-call"),
    ({"alertname": "WatchdogOfAnother", "severity": "critical"}, "critical"),
]
"""Alerts and where they go."""


@pytest.mark.parametrize(("labels", "receiver"), PAGED, ids=[labels["alertname"] for labels, _ in PAGED])
def test_each_alert_goes_where_it_should(
    helm: Helm, amtool: Path, tmp_path: Path, labels: dict[str, str], receiver: str
) -> None:
    """Watchdog and InfoInhibitor nowhere, what is critical apart, everything else to whoever is on call."""
    assert receivers(amtool, secret(helm).write(tmp_path), labels) == [receiver]


def test_what_is_told_again_when(helm: Helm) -> None:
    """Two hours, twelve for an info; grouped by alert and namespace, after half a minute."""
    route = secret(helm).configuration["route"]
    assert (route["repeat_interval"], route["group_wait"], route["group_by"]) == (
        "2h",
        "30s",
        ["alertname", "namespace"],
    )
    assert {one["matchers"][0]: one["repeat_interval"] for one in route["routes"] if "repeat_interval" in one} == {
        'severity = "info"': "12h"
    }


def test_an_undefined_receiver_is_refused(helm: Helm, amtool: Path, tmp_path: Path) -> None:
    """The amtool of these tests does refuse: without the receiver `null` the routes have nowhere to go."""
    made = secret(helm, values={"alertmanager": {"receivers": {"null": None}, "config": {"receivers": []}}})
    with pytest.raises(Refused, match='undefined receiver "null"'):
        check(amtool, made.write(tmp_path))


def test_the_base_is_enough(helm: Helm) -> None:
    """Without a channel there are receivers that tell nobody, and no Secret that Alertmanager would wait for."""
    made = secret(helm)
    assert made.channels("on-call") == made.channels("critical") == {}
    assert "secrets" not in read(BASE)["alertmanager"]["alertmanagerSpec"]
