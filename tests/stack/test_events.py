"""kube-eventer as the chart makes it, and the messages by its templates. The program itself does not run here."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.rig.helm import Helm, HelmError
from tests.stack.beside import objects, written
from tests.stack.files import ROBOTS
from tests.stack.messages import LONG, NASTY
from tests.stack.robots import Refusal, accepted, texts

WORD = {"en": "Kubernetes event", "zh": "Kubernetes 事件"}


def on(**more: object) -> dict[str, Any]:
    """Values that switch it on."""
    return {"events": {"enabled": True, "secret": {"name": "events-robot"}, **more}}


def container(found: dict[str, Any]) -> dict[str, Any]:
    """Its one container."""
    (only,) = found["Deployment/remediator-events"]["spec"]["template"]["spec"]["containers"]
    return dict(only)


def test_it_wants_its_secret(helm: Helm) -> None:
    """Without a robot's address there is nothing to run."""
    with pytest.raises(HelmError, match=r"events\.enabled needs events\.secret\.name"):
        objects(helm, {"events": {"enabled": True}})


def test_the_address_is_in_no_argument(helm: Helm) -> None:
    """It is a variable out of the Secret, which kube-eventer itself puts in: it logs its arguments when it starts."""
    found = container(objects(helm, on()))
    assert found["env"] == [
        {"name": "ROBOT_URL", "valueFrom": {"secretKeyRef": {"name": "events-robot", "key": "url"}}}
    ]
    sinks = [one for one in found["args"] if one.startswith("--sink=")]
    assert len(sinks) == 1
    assert sinks[0].startswith("--sink=webhook:${ROBOT_URL}?")
    assert "$(" not in sinks[0]


@pytest.mark.parametrize("robot", ROBOTS)
def test_what_is_told_is_a_query_behind_the_address(helm: Helm, robot: str) -> None:
    """Two robots have a query in their address already; what filters arrives character by character."""
    filters = {"namespaces": ["shop", "kube-system"], "kinds": ["Pod"], "reasons": ["^(OOM|Back)&?", "Failed.*$"]}
    (sink,) = (
        one for one in container(objects(helm, on(robot=robot, level="Normal", **filters)))["args"] if "sink" in one
    )
    address = {"dingtalk": "https://robot.test/send?access_token=x", "wecom": "https://robot.test/send?key=x"}
    url = sink.removeprefix("--sink=webhook:").replace("${ROBOT_URL}", address.get(robot, "https://robot.test/hook/x"))
    options = parse_qs(urlsplit(url).query)
    for own in ("access_token", "key"):
        assert options.pop(own, ["x"]) == ["x"]
    assert options == {
        "method": ["POST"],
        "header": ["Content-Type=application/json"],
        "custom_body_configmap": ["remediator-events"],
        "custom_body_configmap_namespace": ["remediator"],
        "level": ["Normal"],
        "namespaces": ["shop,kube-system"],
        "kinds": ["Pod"],
        "reason": ["^(OOM|Back)&?", "Failed.*$"],
    }
    assert url.count("?") == 1 + url.split("?", 1)[1].count("?")


def test_it_may_read_events_and_one_configmap(helm: Helm) -> None:
    """Nothing else, and no path of the host is mounted."""
    found = objects(helm, on())
    assert found["ClusterRole/remediator-events.remediator"]["rules"] == [
        {"apiGroups": [""], "resources": ["events"], "verbs": ["list", "watch"]}
    ]
    assert found["Role/remediator-events"]["rules"] == [
        {"apiGroups": [""], "resources": ["configmaps"], "resourceNames": ["remediator-events"], "verbs": ["get"]}
    ]
    pod = found["Deployment/remediator-events"]["spec"]["template"]["spec"]
    assert pod["serviceAccountName"] == "remediator-events"
    assert pod["automountServiceAccountToken"] is True
    assert "volumes" not in pod
    assert found["ServiceAccount/remediator-events"]["automountServiceAccountToken"] is False


def test_it_is_probed_and_never_there_twice(helm: Helm) -> None:
    """At /healthz on 8084; two would tell each event twice."""
    found = objects(helm, on())
    assert container(found)["livenessProbe"]["httpGet"] == {"path": "/healthz", "port": "healthz"}
    assert container(found)["ports"] == [{"name": "healthz", "containerPort": 8084}]
    spec = found["Deployment/remediator-events"]["spec"]
    assert (spec["replicas"], spec["strategy"]) == (1, {"type": "Recreate"})


def test_a_changed_message_starts_it_anew(helm: Helm) -> None:
    """It reads the template once: the pod changes with it, and with nothing else."""

    def checksum(**more: object) -> str:
        template = objects(helm, on(**more))["Deployment/remediator-events"]["spec"]["template"]
        found: str = template["metadata"]["annotations"]["checksum/body"]
        return found

    assert checksum() == checksum(level="Normal")
    assert len({checksum(), checksum(language="zh"), checksum(robot="slack"), checksum(template="{}")}) == 4


def event(**more: object) -> dict[str, object]:
    """An event as kube-eventer hands it to the template."""
    return {
        "Type": "Warning",
        "Reason": "BackOff",
        "Message": "Back-off restarting failed container",
        "InvolvedObject": {"Kind": "Pod", "Namespace": "shop", "Name": "web-1"},
        "LastTimestamp": "2026-01-01 12:00:00 +0000 UTC",
        "Count": 3,
        "Source": {"Component": "kubelet"},
        **more,
    }


def bodies(helm: Helm, folder: Path, robot: str, language: str, *events: dict[str, object]) -> list[str]:
    """What a robot gets."""
    template = objects(helm, on(robot=robot, language=language))["ConfigMap/remediator-events"]["data"]["content"]
    return written(helm, folder, template, *events)


@pytest.mark.parametrize("robot", ROBOTS)
@pytest.mark.parametrize("language", WORD)
def test_a_robot_takes_an_event(helm: Helm, tmp_path: Path, robot: str, language: str) -> None:
    """What, where, when, how often and by whom."""
    (text,) = bodies(helm, tmp_path, robot, language, event())
    said = "\n".join(texts(accepted(robot, text, keyword=WORD[language])))
    for part in (
        "BackOff",
        "Back-off restarting failed container",
        "Pod shop/web-1",
        "2026-01-01 12:00:00",
        "3",
        "kubelet",
    ):
        assert part in said


@pytest.mark.parametrize("robot", ROBOTS)
def test_no_text_breaks_a_message(helm: Helm, tmp_path: Path, robot: str) -> None:
    """Newlines, quotes, braces, backslashes: the message arrives, with the text in it."""
    bad = [text for what, text in NASTY.items() if what != "control"]
    for text, found in zip(bad, bodies(helm, tmp_path, robot, "en", *(event(Message=one) for one in bad)), strict=True):
        assert text in "\n".join(texts(accepted(robot, found)))


@pytest.mark.parametrize("robot", ROBOTS)
def test_a_long_message_is_cut(helm: Helm, tmp_path: Path, robot: str) -> None:
    """To what each robot takes: WeCom's texts have 2048 bytes at most."""
    long = [event(Message=text, Reason=text) for text in LONG.values()]
    for found in bodies(helm, tmp_path, robot, "zh", *long):
        accepted(robot, found)


def test_control_characters_are_the_limit(helm: Helm, tmp_path: Path) -> None:
    """The template has Go's quoting alone, which writes such characters in a way that JSON does not know."""
    with pytest.raises(Refusal, match="no JSON"):
        accepted("feishu", bodies(helm, tmp_path, "feishu", "en", event(Message="bell\x07"))[0])


def test_its_network(helm: Helm) -> None:
    """With `networkPolicy.enabled` it reaches names, the API server and robots, and nobody reaches it."""
    spec = objects(helm, {**on(), "networkPolicy": {"enabled": True}})["NetworkPolicy/remediator-events"]["spec"]
    assert "ingress" not in spec
    assert spec["policyTypes"] == ["Ingress", "Egress"]
    assert sorted({port["port"] for rule in spec["egress"] for port in rule["ports"]}) == [53, 443, 6443]
    assert not [name for name in objects(helm, on()) if re.match("NetworkPolicy/.*events", name)]
