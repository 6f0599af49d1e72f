"""The exporters' objects: who selects whom, what a pod may, what is off until it is asked for."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import pytest
import yaml

from tests.exporters.chart import CHART, NAMESPACE, of_kind, rendered, the
from tests.rig.api import Json
from tests.rig.helm import Helm, HelmError

EVERYTHING: dict[str, Any] = {
    "replicas": 2,
    "serviceMonitor": {"enabled": True, "labels": {"release": "kps"}},
    "networkPolicy": {"enabled": True},
    "blackbox": {"enabled": True, "ingress": {"enabled": True, "hosts": ["blackbox.test"]}},
    "mysqld": {
        "servers": {
            "shop": {"address": "shop.test:3306", "secret": "shop"},
            "shop-2": {"address": "shop-2.test:3306", "secret": "shop-2"},
        }
    },
}

RELEASES = ["shop", "remediator", "blackbox-exporter", "1234567890.123", "r" * 53]
"""Odd ones among them: with an exporter's name, with a dot and digits alone, as long as Helm allows."""


def matches(selector: Mapping[str, str], labels: Mapping[str, str]) -> bool:
    """Whether these labels are selected."""
    return selector.items() <= labels.items()


def pods(objects: list[Json]) -> dict[str, dict[str, str]]:
    """The labels of the pods of each Deployment."""
    return {
        one["metadata"]["name"]: one["spec"]["template"]["metadata"]["labels"] for one in of_kind(objects, "Deployment")
    }


def selected(objects: list[Json], selector: Mapping[str, str]) -> set[str]:
    """The Deployments whose pods are selected."""
    return {name for name, labels in pods(objects).items() if matches(selector, labels)}


def test_the_chart_twice_in_a_release_has_two_of_each(helm: Helm) -> None:
    """Under two aliases, whose names are in those of their objects: no exporter is the other's."""
    both = [
        *rendered(helm, {**EVERYTHING, "fullnameOverride": "a"}),
        *rendered(helm, {**EVERYTHING, "fullnameOverride": "b"}),
    ]
    for one in of_kind(both, "Service"):
        if "exporter" in one["metadata"]["labels"].get("app.kubernetes.io/component", ""):
            assert selected(both, one["spec"]["selector"]) == {one["metadata"]["name"]}


def test_the_recommended_labels_are_the_users_to_set(helm: Helm) -> None:
    """`part-of` and `component` for all objects go over ours, once, and every selector still meets its own pods."""
    own = {"app.kubernetes.io/part-of": "platform", "app.kubernetes.io/component": "monitoring"}
    objects = rendered(helm, {**EVERYTHING, "commonLabels": own})
    for deployment in of_kind(objects, "Deployment"):
        assert own.items() <= deployment["metadata"]["labels"].items()
        assert own.items() <= deployment["spec"]["template"]["metadata"]["labels"].items()
        assert selected(objects, deployment["spec"]["selector"]["matchLabels"]) == {deployment["metadata"]["name"]}
    text = helm.render(CHART, values=[{"prometheus": {"url": "http://p"}}, EVERYTHING, {"commonLabels": own}])
    for document in text.split("\n---\n"):
        labels = document.partition("  labels:\n")[2].partition("\nspec:")[0]
        assert labels.count("\n    app.kubernetes.io/part-of:") <= 1, labels


def test_names_like_numbers_and_keys_with_nothing_behind_them(helm: Helm) -> None:
    """Names stay text, and an empty key is as good as none."""
    nothing = {"podLabels": None, "podAnnotations": None}
    values = {
        **EVERYTHING,
        "commonLabels": None,
        "commonAnnotations": None,
        "blackbox": {**EVERYTHING["blackbox"], **nothing, "priorityClassName": "12"},
        "mysqld": {**EVERYTHING["mysqld"], **nothing},
        "rules": {"enabled": True, "alerts": None, "alertLabels": None, "labels": None},
    }
    objects = rendered(helm, values, namespace="99")
    for monitor in of_kind(objects, "ServiceMonitor"):
        assert monitor["spec"]["namespaceSelector"]["matchNames"] == ["99"]
    classes = {one["spec"]["template"]["spec"].get("priorityClassName") for one in of_kind(objects, "Deployment")}
    assert classes == {None, "12"}


@pytest.mark.parametrize("word", ["123", "true", "a: b"])
def test_names_that_yaml_would_read_otherwise_stay_text(helm: Helm, word: str) -> None:
    """Modules, Secrets and the Ingress's class may be called like a number, a truth value or a pair."""
    values = {
        "blackbox": {
            "enabled": True,
            "modules": {word: {"prober": "http"}},
            "ingress": {"enabled": True, "hosts": ["blackbox.test"], "className": word, "paths": ["/ #a"]},
        },
        "probes": {
            "static": {"sites": {"module": word, "targets": ["http://a.test"]}},
            "services": {"enabled": True, "module": word},
        },
    }
    objects = rendered(helm, values)
    assert the(objects, "Probe", "-sites")["spec"]["module"] == word
    assert the(objects, "ScrapeConfig", "-services")["spec"]["params"]["module"] == [word]
    shown = the(objects, "Ingress", "-blackbox")["spec"]
    assert shown["ingressClassName"] == word
    assert [path["path"] for path in shown["rules"][0]["http"]["paths"]] == ["/ #a"]


def test_secrets_like_numbers_stay_text(helm: Helm) -> None:
    """A Secret's name may be digits alone."""
    servers = {"7": {"address": "db.test:3306", "secret": "42"}}
    objects = rendered(helm, {"blackbox": {"enabled": True, "secrets": ["99"]}, "mysqld": {"servers": servers}})
    volumes = [one for name in ("-blackbox", "-7") for one in
               the(objects, "Deployment", name)["spec"]["template"]["spec"]["volumes"]]  # fmt: skip
    assert [one["secret"]["secretName"] for one in volumes if "secret" in one] == ["99", "42"]


def test_maps_with_nothing_behind_them_are_empty_ones(helm: Helm) -> None:
    """Where a map is empty by default, or one that a platform fills, null is no error."""
    values = {
        "serviceMonitor": {"labels": None},
        "blackbox": {"enabled": True},
        "probes": {"labels": None, "dns": {"enabled": True}},
    }
    assert the(rendered(helm, values), "Probe", "-dns")["spec"]["module"] == "dns"
    assert of_kind(rendered(helm, {"blackbox": {"enabled": True}, "probes": {"static": None}}), "Probe") == []
    (pod,) = [
        one["spec"]["template"]["spec"]
        for one in rendered(helm, {"blackbox": {"enabled": True}, "podSecurityContext": None})
        if one["metadata"]["name"].endswith("-blackbox") and one["kind"] == "Deployment"
    ]
    assert set(pod["securityContext"]) == {"sysctls"}
    servers = {"shop": {"address": "db.test:3306", "secret": "db"}}
    rendered(helm, {"mysqld": {"servers": servers, "extraArgs": None}})
    rendered(helm, {"events": {"enabled": True, "secret": {"name": "robot"}, "podAnnotations": None}})


@pytest.mark.parametrize("release", RELEASES)
def test_nobody_selects_anothers_pods(helm: Helm, release: str) -> None:
    """Each Service, NetworkPolicy and Deployment selects the pods of its own name, the daemon's budget the daemon's."""
    objects = rendered(helm, EVERYTHING, release=release)
    assert len(pods(objects)) == 4
    for one in of_kind(objects, "Service"):
        assert selected(objects, one["spec"]["selector"]) == {one["metadata"]["name"]}
    for kind, field in (
        ("NetworkPolicy", "podSelector"),
        ("Deployment", "selector"),
        ("PodDisruptionBudget", "selector"),
    ):
        found = of_kind(objects, kind)
        assert found, kind
        for one in found:
            assert selected(objects, one["spec"][field]["matchLabels"]) == {one["metadata"]["name"]}


@pytest.mark.parametrize("release", RELEASES)
def test_each_monitor_meets_one_service_by_a_port_that_it_has(helm: Helm, release: str) -> None:
    """A ServiceMonitor selects the Service of its own name, in whose pods the port exists."""
    objects = rendered(helm, EVERYTHING, release=release)
    monitors = of_kind(objects, "ServiceMonitor")
    assert len(monitors) == 4
    for monitor in monitors:
        (service,) = (
            one
            for one in of_kind(objects, "Service")
            if matches(monitor["spec"]["selector"]["matchLabels"], one["metadata"]["labels"])
        )
        assert service["metadata"]["name"] == monitor["metadata"]["name"]
        assert monitor["spec"]["namespaceSelector"] == {"matchNames": [NAMESPACE]}
        (endpoint,) = monitor["spec"]["endpoints"]
        (port,) = service["spec"]["ports"]
        assert endpoint["port"] == port["name"]
        (container,) = the(objects, "Deployment", service["metadata"]["name"])["spec"]["template"]["spec"]["containers"]
        assert port["targetPort"] in {one["name"] for one in container["ports"]}


def test_two_releases_in_one_namespace_do_not_meet(helm: Helm) -> None:
    """Neither selects the other's exporters, and no object has the same name."""
    first, second = (rendered(helm, EVERYTHING, release=release) for release in ("shop", "shop-two"))
    both = first + second
    assert len({(one["kind"], one["metadata"]["name"]) for one in both}) == len(both)
    for one in of_kind(both, "Service"):
        assert selected(both, one["spec"]["selector"]) == {one["metadata"]["name"]}


def test_each_mysql_server_has_its_own(helm: Helm) -> None:
    """Deployment, Service, ServiceMonitor and NetworkPolicy for each, whose `instance` is the server's name."""
    objects = rendered(helm, EVERYTHING)
    for server in EVERYTHING["mysqld"]["servers"]:
        name = f"-mysqld-{server}"
        for kind in ("Deployment", "Service", "NetworkPolicy"):
            assert the(objects, kind, name)
        (endpoint,) = the(objects, "ServiceMonitor", name)["spec"]["endpoints"]
        assert endpoint["relabelings"] == [{"targetLabel": "instance", "replacement": server}]


def test_servers_with_long_names_stay_apart(helm: Helm) -> None:
    """Names that are cut to what Kubernetes allows end in something of their own."""
    servers = {f"{'a' * 50}-{end}": {"address": "db.test:3306", "secret": "db"} for end in ("one", "two")}
    objects = rendered(helm, {"mysqld": {"servers": servers}}, release="r" * 53)
    names = {one["metadata"]["name"] for one in of_kind(objects, "Service")}
    assert len(names) == 3
    assert all(len(name) <= 63 for name in names)


def test_all_of_it_is_off_until_it_is_asked_for(helm: Helm) -> None:
    """With the chart's own values there is the daemon, and no exporter and no probe."""
    objects = rendered(helm, {"serviceMonitor": {"enabled": True}})
    assert set(pods(objects)) == {"shop-remediator"}
    assert len(of_kind(objects, "ServiceMonitor")) == 1
    assert not of_kind(objects, "Probe")
    assert not of_kind(objects, "ScrapeConfig")


def test_a_server_or_a_group_is_taken_away_by_null(helm: Helm) -> None:
    """An overlay may remove what the file before it brought."""
    before = {
        "blackbox": {"enabled": True},
        "mysqld": EVERYTHING["mysqld"],
        "probes": {"static": {"sites": {"module": "http_2xx", "targets": ["http://a.test"]}}},
    }
    overlay = {"mysqld": {"servers": {"shop": None}}, "probes": {"static": {"sites": None}}}
    needed = {"prometheus": {"url": "http://prometheus.test:9090"}}
    objects = helm.template(CHART, values=[needed, before, overlay], name="shop")
    assert set(pods(objects)) == {"shop-remediator", "shop-remediator-blackbox", "shop-remediator-mysqld-shop-2"}
    assert not of_kind(objects, "Probe")


def test_the_images_are_pinned(helm: Helm) -> None:
    """Each by a version of its own, or by a digest where the values have one."""
    for one in of_kind(rendered(helm, EVERYTHING), "Deployment"):
        (container,) = one["spec"]["template"]["spec"]["containers"]
        assert re.fullmatch(r"[\w./-]+:v?\d+\.\d+\.\d+", container["image"])
    digest = f"sha256:{'0' * 64}"
    (blackbox,) = of_kind(
        rendered(helm, {"blackbox": {"enabled": True, "image": {"digest": digest}}}), "Deployment", "-blackbox"
    )
    image = blackbox["spec"]["template"]["spec"]["containers"][0]["image"]
    assert image == f"quay.io/prometheus/blackbox-exporter@{digest}"


@pytest.mark.parametrize("exporter", ["blackbox", "mysqld-shop"])
def test_hosts_that_no_dns_knows_are_known_to_the_exporter(helm: Helm, exporter: str) -> None:
    """They stand in the pod's own /etc/hosts."""
    aliases = [{"ip": "10.0.0.7", "hostnames": ["intranet.example.com", "wiki.example.com"]}]
    values = {
        "blackbox": {"enabled": True, "hostAliases": aliases},
        "mysqld": {**EVERYTHING["mysqld"], "hostAliases": aliases},
    }
    made = the(rendered(helm, values), "Deployment", exporter)["spec"]["template"]["spec"]
    assert made["hostAliases"] == aliases


@pytest.mark.parametrize("exporter", ["blackbox", "mysqld-shop"])
def test_an_exporter_has_no_way_to_the_api_server(helm: Helm, exporter: str) -> None:
    """No token is mounted, and the account is the namespace's own, to which nothing is bound."""
    made = the(rendered(helm, EVERYTHING), "Deployment", exporter)["spec"]["template"]["spec"]
    assert made["automountServiceAccountToken"] is False
    assert "serviceAccountName" not in made


@pytest.mark.parametrize("exporter", ["blackbox", "mysqld-shop"])
def test_a_platform_may_assign_user_and_group(helm: Helm, exporter: str) -> None:
    """Null for the daemon's ids takes the exporters' away, and nothing else of the context."""
    values = {**EVERYTHING, "podSecurityContext": {"runAsUser": None, "runAsGroup": None, "fsGroup": None}}
    context = the(rendered(helm, values), "Deployment", exporter)["spec"]["template"]["spec"]["securityContext"]
    assert context.keys() & {"runAsUser", "runAsGroup", "fsGroup"} == set()
    assert context["runAsNonRoot"] is True


def test_credentials_are_read_from_a_secret_alone(helm: Helm) -> None:
    """my.cnf is mounted from the server's Secret, for the exporter's group; no ConfigMap and no variable has it."""
    objects = rendered(helm, EVERYTHING)
    made = the(objects, "Deployment", "-mysqld-shop")["spec"]["template"]["spec"]
    assert made["volumes"] == [{"name": "credentials", "secret": {"secretName": "shop", "defaultMode": 0o400}}]
    assert made["securityContext"]["fsGroup"] == made["securityContext"]["runAsGroup"]
    (container,) = made["containers"]
    assert [one["name"] for one in container["env"]] == ["DOLLAR"]
    assert not of_kind(objects, "ConfigMap", "shop")
    assert not of_kind(objects, "Secret")


def test_who_may_reach_the_exporters(helm: Helm) -> None:
    """Who may scrape, and beside them the page's readers; where nobody is named, everybody, whatever the page says."""
    prometheus = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}}}
    ingress = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "ingress-nginx"}}}
    blackbox = {"enabled": True, "networkPolicy": {"pageFrom": [ingress]}}
    given = {"networkPolicy": {"enabled": True, "metricsFrom": [prometheus]}, "mysqld": EVERYTHING["mysqld"]}
    objects = rendered(helm, {**given, "blackbox": blackbox})
    (rule,) = the(objects, "NetworkPolicy", "-blackbox")["spec"]["ingress"]
    assert rule["from"] == [prometheus, ingress]
    (rule,) = the(objects, "NetworkPolicy", "-mysqld-shop")["spec"]["ingress"]
    assert rule["from"] == [prometheus]
    objects = rendered(helm, {"networkPolicy": {"enabled": True}, "blackbox": blackbox})
    (rule,) = the(objects, "NetworkPolicy", "-blackbox")["spec"]["ingress"]
    assert "from" not in rule


def test_a_mysqld_exporter_reaches_names_and_its_database(helm: Helm) -> None:
    """Nothing else: port 53, and that of the database's pods where a Service in front of it has another."""
    servers = {
        "plain": {"address": "db.test:3307", "secret": "db"},
        "behind": {"address": "db.test:3307", "secret": "db", "podPort": 3306},
    }
    objects = rendered(helm, {"networkPolicy": {"enabled": True}, "mysqld": {"servers": servers}})
    for server, port in (("plain", 3307), ("behind", 3306)):
        egress = the(objects, "NetworkPolicy", f"-mysqld-{server}")["spec"]["egress"]
        ports = [(one["port"], one["protocol"]) for rule in egress for one in rule["ports"]]
        assert ports == [(53, "UDP"), (53, "TCP"), (port, "TCP")]


def test_the_page_is_shown_without_the_way_to_probe(helm: Helm) -> None:
    """The Ingress lets `/` and `/logs` through, exactly those: whoever reached `/probe` could call any address."""
    (rule,) = the(rendered(helm, EVERYTHING), "Ingress", "-blackbox")["spec"]["rules"]
    assert rule["host"] == "blackbox.test"
    assert {(one["path"], one["pathType"]) for one in rule["http"]["paths"]} == {("/", "Exact"), ("/logs", "Exact")}


SITES = {"sites": {"module": "http_2xx", "targets": ["http://a.test"]}}


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        pytest.param({"probes": {"static": SITES}}, r"blackbox\.enabled=true", id="no exporter"),
        pytest.param(
            {"probes": {"services": {"enabled": True}}}, r"blackbox\.enabled=true", id="no exporter for services"
        ),
        pytest.param(
            {"blackbox": {"enabled": True, "url": "http://x:9115"}, "probes": {"static": SITES}},
            "Leave one out",
            id="two exporters",
        ),
        pytest.param(
            {"blackbox": {"enabled": True}, "probes": {"dns": {"enabled": True, "module": "dsn"}}},
            r'probes\.dns\.module is "dsn".*There are dns, http_2xx',
            id="no such module",
        ),
        pytest.param(
            {
                "blackbox": {"enabled": True},
                "probes": {"static": {"sites": {"module": "htp", "targets": ["http://a.test"]}}},
            },
            r"probes\.static\.sites\.module",
            id="no such module for a group",
        ),
        pytest.param(
            {"blackbox": {"enabled": True}, "probes": {"ingresses": {"enabled": True, "matchLabels": None}}},
            r"probes\.ingresses\.matchLabels is empty",
            id="every Ingress",
        ),
        pytest.param(
            {"blackbox": {"enabled": True, "ingress": {"enabled": True}}}, r"blackbox\.ingress\.hosts", id="no host"
        ),
        pytest.param(
            {"blackbox": {"enabled": True}, "probes": {"interval": "9s", "static": SITES}},
            r"probes\.static\.sites: scrapeTimeout is 10s and interval 9s.*set scrapeTimeout to 9s",
            id="longer than the interval",
        ),
        pytest.param(
            {"blackbox": {"enabled": True}, "probes": {"services": {"enabled": True, "scrapeTimeout": "1m"}}},
            r"probes\.services: scrapeTimeout is 1m and interval 30s",
            id="longer than the interval for services",
        ),
        pytest.param(
            {"serviceMonitor": {"enabled": True, "scrapeTimeout": "31s"}},
            r"serviceMonitor: scrapeTimeout is 31s and interval 30s",
            id="longer than the interval of scraping",
        ),
        pytest.param(
            {"blackbox": {"enabled": True, "ingress": {"enabled": True, "hosts": ["a"], "paths": ["/", "/probe"]}}},
            r"- at '/blackbox/ingress/paths/1': 'not' failed",
            id="the way to probe",
        ),
        pytest.param(
            {"mysqld": {"servers": {"shop": {"address": "db.test", "secret": "db"}}}},
            r"mysqld\.servers\.shop\.address.*HOST:PORT",
            id="no port",
        ),
    ],
)  # fmt: skip
def test_what_cannot_work_is_refused_with_what_to_do(helm: Helm, values: dict[str, Any], sentence: str) -> None:
    """Helm stops before anything is installed, and its words name the value."""
    with pytest.raises(HelmError, match=sentence):
        rendered(helm, values)


def test_a_scrape_may_last_until_the_next_one(helm: Helm) -> None:
    """Durations are compared as times, not as texts, in whatever units they are written."""
    own = {"module": "http_2xx", "targets": ["http://a.test"], "interval": "1m30s", "scrapeTimeout": "090s"}
    objects = rendered(helm, {"blackbox": {"enabled": True}, "probes": {"static": {"sites": own}}})
    (probe,) = of_kind(objects, "Probe")
    assert (probe["spec"]["interval"], probe["spec"]["scrapeTimeout"]) == ("1m30s", "090s")


def test_a_raw_socket_needs_no_other_security_context(helm: Helm) -> None:
    """Where a platform assigns all of it (`securityContext: null`), NET_RAW is still what is asked for."""
    values = {"blackbox": {"enabled": True, "ping": "netRaw"}, "securityContext": None}
    (deployment,) = [one for one in of_kind(rendered(helm, values), "Deployment") if "blackbox" in str(one["metadata"])]
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    assert container["securityContext"]["capabilities"] == {"drop": ["ALL"], "add": ["NET_RAW"]}


def test_modules_of_an_exporter_that_is_there_are_not_ours_to_know(helm: Helm) -> None:
    """With `blackbox.url` a probe may name any module, and asks that exporter, whatever path and scheme it has."""
    for url, prober in {
        "http://blackbox.infra:9115": {"url": "blackbox.infra:9115", "scheme": "http", "path": "/probe"},
        "https://example.com/blackbox/": {"url": "example.com:443", "scheme": "https", "path": "/blackbox/probe"},
    }.items():
        probes = {
            "static": {"sites": {"module": "theirs", "targets": ["http://a.test"]}},
            "services": {"enabled": True},
        }
        objects = rendered(helm, {"blackbox": {"url": url}, "probes": probes})
        assert set(pods(objects)) == {"shop-remediator"}
        assert the(objects, "Probe", "-sites")["spec"]["prober"] == prober
        scraped = the(objects, "ScrapeConfig", "-services")["spec"]
        assert scraped["scheme"] == prober["scheme"].upper()
        assert scraped["metricsPath"] == prober["path"]
        assert {"targetLabel": "__address__", "replacement": prober["url"]} in scraped["relabelings"]


def test_collectors_that_are_not_wanted_are_switched_off(helm: Helm) -> None:
    """Those that the exporter has on by itself are named, if they are not in the list."""
    values = {"mysqld": {**EVERYTHING["mysqld"], "collectors": ["global_status", "info_schema.tables"]}}
    (container,) = the(rendered(helm, values), "Deployment", "-mysqld-shop")["spec"]["template"]["spec"]["containers"]
    collectors = {one for one in container["args"] if "collect." in one}
    assert collectors == {
        "--collect.global_status",
        "--collect.info_schema.tables",
        "--no-collect.global_variables",
        "--no-collect.slave_status",
        "--no-collect.info_schema.innodb_cmp",
        "--no-collect.info_schema.innodb_cmpmem",
        "--no-collect.info_schema.query_response_time",
    }


@pytest.mark.parametrize(
    ("tag", "limited"),
    [("v0.19.0", False), ("v0.20.0", True), ("v0.20.0-distroless", True), ("v1.0.0", True), ("latest", False)],
)
def test_a_scrape_is_one_connection_of_every_version(helm: Helm, tag: str, limited: bool) -> None:  # noqa: FBT001
    """From 0.20 on, which opens two by itself, the flag is given; before, it is unknown and would end the exporter."""
    values = {"mysqld": {**EVERYTHING["mysqld"], "image": {"tag": tag}}}
    (container,) = the(rendered(helm, values), "Deployment", "-mysqld-shop")["spec"]["template"]["spec"]["containers"]
    assert ("--exporter.max_open_connections=1" in container["args"]) is limited


def test_the_two_collectors_that_always_fail_are_left_out() -> None:
    """engine_tokudb_status and slave_hosts fail on every scrape of servers of today."""
    values = yaml.safe_load((CHART / "values.yaml").read_text("utf-8"))
    assert not {"engine_tokudb_status", "slave_hosts"} & set(values["mysqld"]["collectors"])


def notes(helm: Helm, values: Mapping[str, Any]) -> str:
    """What Helm says after an installation with these values."""
    needed = {"prometheus": {"url": "http://prometheus.test:9090"}}
    said = helm.run("install", "shop", str(CHART), "--dry-run=client", values=[needed, values])
    return " ".join(said.partition("\nNOTES:\n")[2].split())


def test_the_notes_say_what_is_still_missing(helm: Helm) -> None:
    """An exporter that nobody scrapes, or that nothing asks, is named with the value; one in full use is not."""
    unscraped, unasked = "nobody scrapes them", "nothing is probed"
    alone = notes(helm, {"blackbox": {"enabled": True}})
    assert unscraped in alone
    assert unasked in alone
    assert unscraped in notes(helm, {"mysqld": EVERYTHING["mysqld"]})
    for probes in ({"static": SITES}, {"dns": {"enabled": True}}, {"services": {"enabled": True}}):
        used = notes(helm, {**EVERYTHING, "probes": probes})
        assert unscraped not in used
        assert unasked not in used
    for said in (
        notes(helm, {}),
        notes(helm, {"mysqld": {"servers": {"gone": None}}, "probes": {"static": {"gone": None}}}),
    ):
        assert unscraped not in said
        assert unasked not in said


def test_the_notes_warn_of_a_pinged_service(helm: Helm) -> None:
    """A ClusterIP never answers: the target is named. A host's name, and a Service by TCP, are not."""
    pinged = ["db.shop.svc", "web.shop.svc.cluster.local", "10.0.0.7", "svc.example.com"]
    static = {
        "hosts": {"module": "ping", "targets": pinged},
        "ports": {"module": "tcp_connect", "targets": ["db.shop.svc:3306"]},
        "gone": None,
    }
    said = notes(helm, {"blackbox": {"enabled": True}, "probes": {"static": static}})
    assert "WARNING: db.shop.svc, web.shop.svc.cluster.local: no ClusterIP answers a ping" in said
    assert "no ClusterIP" not in notes(helm, {"blackbox": {"enabled": True}, "probes": {"static": SITES}})
