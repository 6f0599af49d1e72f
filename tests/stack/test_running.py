"""Alertmanager itself with these files: what arrives at robots and by mail, and what does not."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.rig import waiting
from tests.rig.helm import Helm
from tests.stack.alertmanager import QUICK, Alertmanager, running
from tests.stack.files import ROBOTS
from tests.stack.messages import LONG, NASTY, alert, nasty
from tests.stack.postbox import Postbox
from tests.stack.robots import Robots, texts
from tests.stack.secret import secret

USER, PASSWORD = "alertmanager@site.test", "pass:word \u00e4%@$"
KEYWORD = "告警"

pytestmark = pytest.mark.xdist_group("alertmanager")


def until(holds: Callable[[], bool], what: Callable[[], object]) -> None:
    """Waits for something that comes by itself. Raises AssertionError with ``what`` where that takes two minutes."""
    waiting.until(holds, "it comes by itself", every=0.05, seen=what)


@pytest.fixture(scope="module")
def robots() -> Iterator[Robots]:
    """The four robots; each wants the keyword."""
    with Robots(keyword=KEYWORD) as found:
        yield found


@pytest.fixture(scope="module")
def postbox() -> Iterator[Postbox]:
    """The mail server."""
    with Postbox(user=USER, password=PASSWORD) as found:
        yield found


@pytest.fixture(scope="module")
def alertmanager(
    helm: Helm, robots: Robots, postbox: Postbox, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Alertmanager]:
    """Alertmanager with mail and all robots at once, in Chinese."""
    folder = tmp_path_factory.mktemp("alertmanager")
    secrets = folder / "secrets" / "alertmanager-receivers"
    secrets.mkdir(parents=True)
    for robot in ROBOTS:
        # As `kubectl create secret --from-file` keeps a file that an editor wrote.
        (secrets / f"{robot}-url").write_text(f"{robots.url(robot)}\n")
    (secrets / "mail-password").write_text(PASSWORD)
    # The mail server of the tests speaks no TLS; over loopback Alertmanager sends a password without.
    plain = {"smtp_smarthost": f"127.0.0.1:{postbox.port}", "smtp_require_tls": False, "smtp_auth_username": USER}
    values = {"alertmanager": {"config": {**QUICK["alertmanager"]["config"], "global": plain}}}
    names = [f"{channel}.yaml" for channel in ("mail", *ROBOTS)]
    made = secret(helm, *names, "messages-chinese.yaml", values=values)
    with running(made.write(folder), external_url="https://alertmanager.site.test") as found:
        yield found


def about(name: str, robots: Robots, robot: str) -> list[dict[str, Any]]:
    """What a robot took about an alert of that name."""
    return [body for body in robots.of(robot) if any(name in text for text in texts(body))]


def until_told(name: str, robots: Robots, robot: str) -> None:
    """Waits until a robot took something about an alert of that name."""
    until(lambda: bool(about(name, robots, robot)), lambda: f"{robot} was told nothing of {name}: {robots.refused}")


@pytest.mark.parametrize("what", NASTY)
def test_nasty_texts_arrive_as_they_are(alertmanager: Alertmanager, robots: Robots, what: str) -> None:
    """Through Alertmanager's own reading of the rendered JSON as YAML, every robot gets and takes the whole message."""
    name = f"Nasty{what.title()}"
    one = nasty(NASTY[what])
    alertmanager.send({**one, "labels": {**one["labels"], "alertname": name, "severity": "warning"}})
    for robot in ROBOTS:
        until_told(name, robots, robot)
    if what in {"number", "colon", "json", "yaml"}:
        (body, *_) = about(name, robots, "feishu")
        assert any(NASTY[what] in text for text in texts(body))
    assert robots.refused == []


def test_a_big_incident_arrives(alertmanager: Alertmanager, robots: Robots) -> None:
    """A hundred alerts with texts of 5000 characters reach all four robots, counted in one message."""
    text = LONG["chinese"]
    alertmanager.send(
        *(
            alert("BigIncident", summary=text, description=text, labels={"pod": f"web-{number}"})
            for number in range(100)
        )
    )
    for robot in ROBOTS:
        until(lambda robot=robot: "(100)" in str(about("BigIncident", robots, robot)), lambda: robots.refused)  # type: ignore[misc]
    assert robots.refused == []


def test_a_mail_arrives(alertmanager: Alertmanager, postbox: Postbox) -> None:
    """By the password from the file, with the subject in Chinese and the alert's texts as text."""
    alertmanager.send(alert("MailMe", severity="critical", summary="<b>demo/web: 92%</b>"))
    until(lambda: any("MailMe" in str(mail["Subject"]) for _, mail in postbox.mails), lambda: postbox.mails)
    (recipients, mail) = next(one for one in postbox.mails if "MailMe" in str(one[1]["Subject"]))
    assert recipients == ["on-call@site.test"]
    assert mail["Subject"] == "告警 (1) 严重: MailMe · shop"
    body = mail.get_body(("html",))
    assert body is not None
    assert "&lt;b&gt;demo/web: 92%&lt;/b&gt;" in body.get_content()
    assert postbox.refused == 0


def test_resolved_is_told(alertmanager: Alertmanager, robots: Robots) -> None:
    """An alert that ends is told as resolved, in green."""
    alertmanager.send(alert("GoesAway"))
    until_told("GoesAway", robots, "feishu")
    alertmanager.send(alert("GoesAway", resolved=True))
    until(lambda: len(about("GoesAway", robots, "feishu")) == 2, lambda: robots.of("feishu"))
    *_, last = about("GoesAway", robots, "feishu")
    assert last["card"]["header"]["template"] == "green"
    assert "告警恢复 (1)" in last["card"]["header"]["title"]["content"]


def test_what_is_critical_silences_what_is_less_of_the_same(alertmanager: Alertmanager) -> None:
    """From critical down, never up, and only the same alert about the same thing."""
    disk = {"persistentvolumeclaim": "data-0"}
    alertmanager.send(
        alert("Disk", severity="critical", labels=disk),
        alert("Disk", severity="warning", labels=disk),
        alert("Disk", severity="info", labels=disk),
        alert("Other", severity="warning", labels=disk),
    )
    lower = {"Disk/warning": "suppressed", "Disk/info": "suppressed"}
    wanted = {"Disk/critical": "active", **lower, "Other/warning": "active"}
    until(lambda: wanted.items() <= alertmanager.states().items(), alertmanager.states)


@pytest.mark.parametrize("label", ["persistentvolumeclaim", "device", "mountpoint"])
def test_the_same_alert_about_something_else_is_told(alertmanager: Alertmanager, label: str) -> None:
    """A full volume does not silence another one of its namespace, nor a full file system another one of its node."""
    name = f"Full-{label}"
    alertmanager.send(
        alert(name, severity="critical", labels={label: "data-0"}),
        alert(name, severity="warning", labels={label: "data-1"}),
    )
    until(
        lambda: {f"{name}/critical": "active", f"{name}/warning": "active"}.items() <= alertmanager.states().items(),
        alertmanager.states,
    )


def test_infos_are_held_back_by_infoinhibitor(alertmanager: Alertmanager) -> None:
    """While InfoInhibitor fires for a namespace, its infos are not told; those of other namespaces are."""
    alertmanager.send(
        alert("InfoInhibitor", severity="none", labels={"namespace": "quiet"}),
        alert("Held", severity="info", labels={"namespace": "quiet"}),
        alert("Free", severity="info", labels={"namespace": "loud"}),
    )
    until(
        lambda: {"Held/info": "suppressed", "Free/info": "active"}.items() <= alertmanager.states().items(),
        alertmanager.states,
    )


def test_watchdog_is_told_to_nobody(alertmanager: Alertmanager, robots: Robots) -> None:
    """Watchdog goes nowhere, while an alert that was sent after it has arrived."""
    alertmanager.send(alert("Watchdog", severity="none"))
    alertmanager.send(alert("AfterWatchdog"))
    for robot in ROBOTS:
        until_told("AfterWatchdog", robots, robot)
        assert not [body for body in about("Watchdog", robots, robot) if "AfterWatchdog" not in str(body)]


def test_what_is_grouped_comes_together(alertmanager: Alertmanager, robots: Robots) -> None:
    """Alerts of one name in one namespace are one message; those of another namespace are another."""
    both = [{"namespace": namespace, "pod": pod} for namespace in ("a", "b") for pod in ("p-1", "p-2")]
    alertmanager.send(*(alert("Grouped", labels=labels) for labels in both))
    titles = {"告警 (2) 警告: Grouped · a", "告警 (2) 警告: Grouped · b"}
    until(lambda: titles <= {body["text"] for body in about("Grouped", robots, "slack")}, lambda: robots.of("slack"))
    # Whatever came in between, nothing was about both namespaces.
    assert not [
        body for body in about("Grouped", robots, "slack") if "namespace=a" in str(body) and "namespace=b" in str(body)
    ]


def test_a_refusal_in_a_200_is_no_failure_to_alertmanager(helm: Helm, tmp_path: Path) -> None:
    """What README.md warns of: a robot that refuses inside a 200 leaves no trace in Alertmanager, Slack's 400 does."""
    with Robots(keyword="another word") as strict:
        secrets = tmp_path / "secrets" / "alertmanager-receivers"
        secrets.mkdir(parents=True)
        for robot in ROBOTS:
            (secrets / f"{robot}-url").write_text(strict.url(robot))
        # What has failed is sent again with the group's next word: there is none within the test.
        once = {
            "alertmanager": {"config": {"route": {**QUICK["alertmanager"]["config"]["route"], "group_interval": "1h"}}}
        }
        made = secret(helm, *(f"{robot}.yaml" for robot in ROBOTS), values=once)
        with running(made.write(tmp_path), external_url="https://alertmanager.site.test") as other:
            other.send(alert("Refused"))
            failed, ended = "alertmanager_notifications_failed_total", "alertmanager_notification_latency_seconds_count"
            until(lambda: other.counted(ended, integration="webhook") == 4, lambda: strict.refused)
            until(lambda: other.counted(failed, integration="webhook") == 1, other.log.read_text)
    assert sorted(robot for robot, *_ in strict.refused) == sorted(ROBOTS)
    assert strict.taken == []
