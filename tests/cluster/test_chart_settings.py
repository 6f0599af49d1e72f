"""What is set in values arrives at Prometheus as it was written, and credentials by the files that Secrets become."""

from __future__ import annotations

import base64
import json
import ssl
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import yaml

from tests.cluster.conftest import NewRelease, policies
from tests.cluster.releases import ChartRelease, pace
from tests.rig.certificates import Authority
from tests.rig.cluster import Cluster
from tests.rig.installed import PodDaemon
from tests.rig.proxy import Proxy, Request, Respond

Json = dict[str, Any]

NASTY = (
    "$(HOME)",
    "$$(HOME) $$$ $",
    "${HOME}",
    "{{ .Values.policy }} {} }}",
    "\"double\" 'single' `back`",
    "back\\slash \\n \\$1 \\",
    "first\nsecond\n",
    " leading and trailing ",
    "# no comment: [a, b] & *c !d | >",
    "<html> & \u00e9\u96ea\U0001f600",
    "true",
    "1e3",
    "",
)
PATTERN = r"""we\$b-(\d{1,3}|'x'|"y")$$(HOME)\\.*"""


def sent(request: Request) -> dict[str, str]:
    """The parameters of a query, wherever they are."""
    texts = (urlsplit(request.path).query, request.body.decode())
    return {key: value for text in texts for key, value in parse_qsl(text, keep_blank_values=True)}


def secret(release: ChartRelease, name: str, **data: str) -> None:
    """A Secret in the release's namespace, made or changed."""
    encoded = {key.replace("_", "."): base64.b64encode(text.encode()).decode() for key, text in data.items()}
    metadata = {"name": name, "namespace": release.home}
    release.cluster.api.apply({"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": encoded})


def test_every_character_arrives(cluster: Cluster, namespace: str, new_release: NewRelease) -> None:
    """Dollars, quotes, backslashes, braces and newlines, in parameters, headers, matchers and the policy."""
    release = new_release()
    parameters = {f"p{number}": text for number, text in enumerate(NASTY)}
    headers = {"X-Odd": "$(HOME) $$ ${x} \"q\" 'q' back\\slash {{ }}"}
    secret(release, "headers", headers=json.dumps(headers))
    policy = policies(namespace, match={"namespaces": [namespace], "pods": PATTERN, "selector": "tier in (web, x)"})
    matchers = r'node=~"(?:no\\$de|node-[01]|$$(HOME)|\"x\"|{{y}})"' + "\n,\njob!='a$b'"
    values = pace(cluster.prometheus_url, policy=policy)
    with Proxy(cluster.prometheus_url) as proxy:
        values["prometheus"] |= {
            "url": proxy.url,
            "params": parameters,
            "matchers": matchers,
            "headers": {"secret": "headers"},
        }
        release.install(values)
        (daemon,) = release.installed.rolled_out()
        daemon.wait_for("evaluation", outcome="no-data")
        request = next(one for one in proxy.requests if matchers in sent(one).get("query", ""))
    assert {key: text for key, text in sent(request).items() if key in parameters} == parameters
    assert request.headers["X-Odd"] == headers["X-Odd"]
    stored = cluster.api.get("configmaps", release.home, "remediator-policy")["data"]["policy.yaml"]
    assert yaml.safe_load(stored) == policy
    assert daemon.settings["REMEDIATOR_MATCHERS"] == matchers
    assert json.loads(daemon.settings["REMEDIATOR_PROMETHEUS_PARAMS"]) == parameters


def test_a_rotated_token_is_used_without_a_restart(cluster: Cluster, new_release: NewRelease) -> None:
    """From a Secret, in the header of each request; a changed Secret is a swapped file, and the next request has it."""
    release = new_release()
    with Proxy(cluster.prometheus_url) as proxy:
        secret(release, "login", bearer="first")
        values = pace(proxy.url, policy=policies("shop"))
        values["prometheus"]["auth"] = {"token": {"secret": "login", "key": "bearer"}}
        release.install(values)
        (daemon,) = release.installed.rolled_out()
        assert {request.headers["Authorization"] for request in proxy.requests} == {"Bearer first"}
        process = daemon.pid
        secret(release, "login", bearer="second")
        daemon.until(lambda: proxy.requests[-1].headers["Authorization"] == "Bearer second", what="the new one is sent")
        assert daemon.pid == process


def test_the_accounts_own_token_is_for_the_audience(cluster: Cluster, new_release: NewRelease) -> None:
    """What kube-rbac-proxy asks for: a token of the daemon's account, by which nobody else than Prometheus knows it."""
    release = new_release()
    with Proxy(cluster.prometheus_url) as proxy:
        values = pace(proxy.url, policy=policies("shop"))
        values["prometheus"]["auth"] = {"serviceAccountToken": {"enabled": True, "audience": "prometheus"}}
        release.install(values)
        release.installed.rolled_out()
        scheme, _, token = proxy.requests[-1].headers["Authorization"].partition(" ")
    assert scheme == "Bearer"
    vouched = {audience: _review(cluster, token, audience) for audience in ("prometheus", "another")}
    assert vouched["prometheus"]["user"]["username"] == release.user
    assert not vouched["another"].get("authenticated")


def _review(cluster: Cluster, token: str, audience: str) -> Json:
    review = {
        "apiVersion": "authentication.k8s.io/v1",
        "kind": "TokenReview",
        "metadata": {},
        "spec": {"token": token, "audiences": [audience]},
    }
    return dict(cluster.api.create(review)["status"])


def test_a_server_that_wants_a_certificate_and_a_password_gets_them(
    cluster: Cluster, new_release: NewRelease, tmp_path: Path
) -> None:
    """The CA from a ConfigMap, client certificate, user name and password from Secrets, each under a key of its own."""
    release = new_release()
    authority = Authority(tmp_path)
    serving, client = authority.serving("prometheus", hosts=("127.0.0.1",)), authority.client("remediator")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(serving.certificate, serving.key)
    context.load_verify_locations(authority.certificate)
    context.verify_mode = ssl.CERT_REQUIRED
    metadata = {"name": "authorities", "namespace": release.home}
    bundle = {"bundle.pem": authority.certificate.read_text()}
    cluster.api.create({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": bundle})
    secret(release, "pair", a_crt=client.certificate.read_text(), a_key=client.key.read_text())
    secret(release, "login", who="us$(HOME)er", word="p$$ss\\word")
    wanted = "Basic " + base64.b64encode(b"us$(HOME)er:p$$ss\\word").decode()
    with Proxy(cluster.prometheus_url, serving=context) as proxy:
        proxy.fault = lambda request: None if request.headers.get("Authorization") == wanted else Respond(401)
        values = pace(proxy.url, policy=policies("shop"))
        values["prometheus"] |= {
            "tls": {
                "ca": {"configMap": "authorities", "key": "bundle.pem"},
                "client": {"secret": "pair", "certKey": "a.crt", "keyKey": "a.key"},
            },
            "auth": {"basic": {"secret": "login", "usernameKey": "who", "passwordKey": "word"}},
        }
        release.install(values)
        (daemon,) = release.installed.rolled_out()
        assert_readable_by_its_group_alone(daemon)
        daemon.wait_for("evaluation")


def assert_readable_by_its_group_alone(daemon: PodDaemon) -> None:
    """Of the files with credentials."""
    folder = Path(daemon.volumes.here("/var/run/remediator/prometheus"))
    assert {file.name: file.stat().st_mode & 0o777 for file in folder.iterdir() if file.is_file()} == dict.fromkeys(
        ("ca.crt", "tls.crt", "tls.key", "password"), 0o440
    )


def test_a_config_map_of_ones_own_is_read_in_place(cluster: Cluster, namespace: str, new_release: NewRelease) -> None:
    """`existingPolicyConfigMap`: what somebody else writes there is the policy, without Helm and without a restart."""
    release = new_release()

    def write(**fields: Any) -> None:  # noqa: ANN401 (fields of any kind)
        text = yaml.safe_dump(policies(namespace, **fields))
        metadata = {"name": "team-policy", "namespace": release.home}
        cluster.api.apply(
            {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"policy.yaml": text}}
        )

    write()
    rbac = {"actions": ["evict"]}
    release.install(pace(cluster.prometheus_url, existingPolicyConfigMap="team-policy", rbac=rbac))
    (daemon,) = release.installed.rolled_out()
    assert release.may("create", "pods/eviction")
    assert cluster.api.find("configmaps", release.home, "remediator-policy") is None
    write(threshold="50% of limit")
    daemon.wait_for("policy file read", count=2)
    write(threshold="50 % of nothing")
    (refused,) = daemon.wait_for("policy file refused; the policies read before stay in force")
    assert "nothing" in str(refused["problems"])
