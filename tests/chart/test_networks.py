"""Where the chart's NetworkPolicies let pods go: names by the same ports everywhere, and what each one's values say."""

from __future__ import annotations

from typing import Any

import pytest

from tests.chart.charts import CHART, VALUES
from tests.rig.api import Json
from tests.rig.helm import Helm, HelmError

ALL: dict[str, Any] = {
    "blackbox": {"enabled": True},
    "mysqld": {
        "servers": {
            "shop": {"address": "shop.test:3306", "secret": "shop"},
            "blog": {"address": "blog.test:3307", "secret": "blog", "podPort": 3306},
        }
    },
    "relay": {"enabled": True, "secret": "relay"},
    "events": {"enabled": True, "secret": {"name": "robot"}},
}
"""Everything that has a NetworkPolicy, as it comes."""

EVERYONE = {"", "-blackbox", "-mysqld-blog", "-mysqld-shop", "-relay", "-events"}
"""The ends of their names; the daemon's has none."""

NARROW = [{"to": [{"ipBlock": {"cidr": "10.0.0.7/32"}}], "ports": [{"port": 8443, "protocol": "TCP"}]}]


def egress(helm: Helm, *values: Json, **network: object) -> dict[str, list[Json]]:
    """The rules for the way out of each NetworkPolicy, by what its name has after the daemon's."""
    given = {"networkPolicy": {"enabled": True, **network}}
    rendered = helm.template(CHART, values=[VALUES["minimal"], ALL, given, *values])
    return {
        one["metadata"]["name"].removeprefix("remediator"): one["spec"]["egress"]
        for one in rendered
        if one["kind"] == "NetworkPolicy"
    }


def names(*ports: int) -> Json:
    """The rule for names by these ports: both protocols, every address, since nobody knows the DNS of all clusters."""
    return {"ports": [{"port": port, "protocol": protocol} for port in ports for protocol in ("UDP", "TCP")]}


@pytest.mark.parametrize("ports", [[53], [5353], [53, 5353]])
def test_names_are_asked_for_by_the_same_ports_everywhere(helm: Helm, ports: list[int]) -> None:
    """OpenShift's DNS listens on 5353: one value is for all policies, and no port but those is left over from 53."""
    rules = egress(helm, **({} if ports == [53] else {"dnsPorts": ports}))
    assert rules.keys() == EVERYONE
    for name, found in rules.items():
        assert found[0] == names(*ports), name
        assert {one["port"] for rule in found[1:] for one in rule.get("ports", ())} & {53, 5353} == set(), name


@pytest.mark.parametrize("ports", [[], None, [53, 53], ["dns"]])
def test_no_ports_for_names_are_not_all_of_them(helm: Helm, ports: object) -> None:
    """A rule with an empty list would let everything out: the place is named instead, as it is for what is no port."""
    with pytest.raises(HelmError, match=r"- at '/networkPolicy(/dnsPorts(/0)?)?': "):
        egress(helm, dnsPorts=ports)


def test_as_it_comes_each_reaches_what_it_is_for(helm4: Helm) -> None:
    """Beside names: anything to probe, the database's own port, robots by https; for events the API server too."""
    rules = {name: found[1:] for name, found in egress(helm4).items()}
    https = {"ports": [{"port": 443, "protocol": "TCP"}]}
    server = {"ports": [{"port": 443, "protocol": "TCP"}, {"port": 6443, "protocol": "TCP"}]}
    database = {"ports": [{"port": 3306, "protocol": "TCP"}]}
    prometheus = {"ports": [{"port": 9090, "protocol": "TCP"}]}
    assert rules == {
        "": [server, prometheus],
        "-blackbox": [{}],
        "-mysqld-blog": [database],
        "-mysqld-shop": [database],
        "-relay": [https],
        "-events": [server, https],
    }


@pytest.mark.parametrize("who", ["blackbox", "mysqld", "relay", "events"])
def test_what_is_said_of_one_is_said_of_it_alone(helm4: Helm, who: str) -> None:
    """Its own `egress` takes the place of what it may reach for its work; names, and the API server, stay."""
    before = egress(helm4)
    after = egress(helm4, {who: {"networkPolicy": {"egress": NARROW}}})
    changed = {name for name in before if after[name] != before[name]}
    assert changed == {name for name in before if name.startswith(f"-{who}")}
    for name in changed:
        assert after[name] == [*before[name][:-1], *NARROW]


def test_more_for_the_daemon_is_for_the_daemon_alone(helm4: Helm) -> None:
    """What its hooks need lets nothing else out."""
    before, after = egress(helm4), egress(helm4, extraEgress=NARROW)
    assert {name: found for name, found in after.items() if found != before[name]} == {"": [*before[""], *NARROW]}


def test_the_relay_asks_for_names_by_them_while_other_policies_are_off(helm4: Helm) -> None:
    """It has a policy whatever `networkPolicy.enabled` says, and DNS listens where it listens."""
    assert egress(helm4, enabled=False, dnsPorts=[5353]).keys() == {"-relay"}
    assert egress(helm4, enabled=False, dnsPorts=[5353])["-relay"][0] == names(5353)
