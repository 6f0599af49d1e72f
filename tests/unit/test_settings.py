"""What the process needs: read without mercy, and every mistake one sentence that names the variable."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remediator.detect.scope import Scope
from remediator.errors import SettingsError
from remediator.settings import PREFIX, Settings, read_settings


@pytest.fixture(autouse=True)
def _clean(monkeypatch: pytest.MonkeyPatch) -> None:
    """No variable of ours from outside."""
    import os  # noqa: PLC0415

    for name in list(os.environ):
        if name.upper().startswith(PREFIX):
            monkeypatch.delenv(name)


def read(monkeypatch: pytest.MonkeyPatch, **variables: str) -> Settings:
    """The settings with these variables, named without their prefix."""
    for name, value in variables.items():
        monkeypatch.setenv(PREFIX + name, value)
    return read_settings({})


def refused(monkeypatch: pytest.MonkeyPatch, **variables: str) -> str:
    """The sentences with which they are refused."""
    with pytest.raises(SettingsError) as caught:
        read(monkeypatch, **variables)
    text = str(caught.value)
    for line in text.splitlines():
        assert line.startswith(PREFIX), line
        assert len(line) < 400
    assert not [raw for raw in ("validation error", "type=", "input_value", "pydantic", "EnvSettings") if raw in text]
    return text


def test_without_anything_the_defaults_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    """Everything but Prometheus' address has one."""
    settings = read(monkeypatch)
    assert settings.policy == Path("/etc/remediator/policy.yaml")
    assert (settings.scrape_interval, settings.kubelet_interval, settings.lease_duration) == (30, 15, 30)
    assert settings.scope == Scope(sample_interval=30, selector='container!="",container!="POD",image!=""')
    assert (settings.name, settings.namespace, settings.http_address) == ("remediator", "", "0.0.0.0:8080")
    assert (settings.log_format, settings.log_level) == ("auto", "info")
    with pytest.raises(SettingsError, match="no Prometheus: set --prometheus-url or REMEDIATOR_PROMETHEUS_URL"):
        _ = settings.access


def test_every_variable_arrives(monkeypatch: pytest.MonkeyPatch) -> None:
    """In the form that its reader wants."""
    settings = read(
        monkeypatch,
        POLICY="/p.yaml",
        PROMETHEUS_URL=" https://p.example:9090/prom/ ",
        PROMETHEUS_TIMEOUT="1m30s",
        PROMETHEUS_CA_FILE="/ca",
        PROMETHEUS_CERT_FILE="/cert",
        PROMETHEUS_KEY_FILE="/key",
        PROMETHEUS_USERNAME="me",
        PROMETHEUS_PASSWORD_FILE="/password",
        PROMETHEUS_HEADERS='{"X-Scope-OrgID": "team-1"}',
        PROMETHEUS_PARAMS='{"dedup": "true"}',
        SELECTOR='container!="",job="kubelet"',
        MATCHERS='cluster=~"a|b"',
        SCRAPE_INTERVAL="10s",
        KUBELET_INTERVAL="5s",
        LIMITS_LABELS='{"pod": "exported_pod"}',
        KUBECONFIG="/kube",
        NAMESPACE="ops",
        NAME="leaks",
        LEASE_DURATION="20s",
        HTTP_ADDRESS="[::]:9000",
        LOG_FORMAT="text",
        LOG_LEVEL="debug",
    )
    access = settings.access
    assert access.address == "https://p.example:9090/prom"
    assert access.timeout == 90.0
    assert (access.ca_file, access.cert_file, access.key_file) == (Path("/ca"), Path("/cert"), Path("/key"))
    assert (access.username, access.password_file, access.token_file) == ("me", Path("/password"), None)
    assert (access.headers, access.params) == ({"X-Scope-OrgID": "team-1"}, {"dedup": "true"})
    assert settings.scope == Scope(
        sample_interval=10,
        selector='container!="",job="kubelet"',
        matchers='cluster=~"a|b"',
        limits_labels={"pod": "exported_pod"},
    )
    assert (settings.policy, settings.kubeconfig) == (Path("/p.yaml"), Path("/kube"))
    assert (settings.namespace, settings.name, settings.lease_duration) == ("ops", "leaks", 20)
    assert (settings.http_address, settings.log_format, settings.log_level) == ("[::]:9000", "text", "debug")


def test_a_flag_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    """Over the variable; a flag that was not given does not."""
    monkeypatch.setenv("REMEDIATOR_NAME", "of-the-variable")
    monkeypatch.setenv("REMEDIATOR_SCRAPE_INTERVAL", "1m")
    settings = read_settings({"name": "of-the-flag", "scrape_interval": None, "policy": Path("/f.yaml")})
    assert (settings.name, settings.scrape_interval, settings.policy) == ("of-the-flag", 60, Path("/f.yaml"))
    assert read_settings({"scrape_interval": "15s"}).scrape_interval == 15


def test_a_flag_that_is_wrong_is_named_like_its_variable() -> None:
    """Both have the same name."""
    with pytest.raises(SettingsError, match="REMEDIATOR_LOG_LEVEL"):
        read_settings({"log_level": "loud"})


@pytest.mark.parametrize(("scrape", "kubelet", "interval"), [("30s", "15s", 30), ("10s", "15s", 15), ("5s", "5s", 5)])
def test_samples_differ_as_often_as_the_slower_of_two(
    monkeypatch: pytest.MonkeyPatch, scrape: str, kubelet: str, interval: int
) -> None:
    """Scraping more often than the kubelet measures gives the same sample twice."""
    assert read(monkeypatch, SCRAPE_INTERVAL=scrape, KUBELET_INTERVAL=kubelet).sample_interval == interval


# Unknown


@pytest.mark.parametrize(
    ("name", "nearest"),
    [
        ("PROMETHEUS_ULR", "REMEDIATOR_PROMETHEUS_URL"),
        ("PROMETHEUS", "REMEDIATOR_PROMETHEUS_URL"),
        ("SCRAPEINTERVAL", "REMEDIATOR_SCRAPE_INTERVAL"),
        ("LOGLEVEL", "REMEDIATOR_LOG_LEVEL"),
        ("HTTP_PORT", "REMEDIATOR_HTTP_ADDRESS"),
        ("LOG_PORT", "REMEDIATOR_LOG_FORMAT"),
    ],
)
def test_an_unknown_variable_is_refused_with_the_nearest(
    monkeypatch: pytest.MonkeyPatch, name: str, nearest: str
) -> None:
    """A misspelt setting is not silently the default; its value is not repeated, it may be secret."""
    text = refused(monkeypatch, **{name: "s3cr3t"})
    assert text == f"REMEDIATOR_{name} is no setting of remediator; the nearest is {nearest}"


@pytest.mark.parametrize("service", ["", "METRICS_", "V2_"])
def test_variables_of_services_are_not_ours(monkeypatch: pytest.MonkeyPatch, service: str) -> None:
    """For every Service of its namespace the kubelet sets variables, for one called ``remediator…`` in our names."""
    links = {
        "SERVICE_HOST": "10.96.0.7",
        "SERVICE_PORT": "8080",
        "SERVICE_PORT_HTTP": "8080",
        "PORT": "tcp://10.96.0.7:8080",
        "PORT_8080_TCP": "tcp://10.96.0.7:8080",
        "PORT_8080_TCP_PROTO": "tcp",
        "PORT_8080_TCP_PORT": "8080",
        "PORT_8080_TCP_ADDR": "10.96.0.7",
    }
    assert read(monkeypatch, **{service + name: value for name, value in links.items()}).name == "remediator"


def test_all_mistakes_are_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """One line for each."""
    text = refused(
        monkeypatch, NAEM="x", LOG_LEVEL="loud", SCRAPE_INTERVAL="30", PROMETHEUS_HEADERS="{", LIMITS_LABELS="[]"
    )
    assert sorted(line.split(" ")[0].rstrip(":") for line in text.splitlines()) == [
        "REMEDIATOR_LIMITS_LABELS",
        "REMEDIATOR_LOG_LEVEL",
        "REMEDIATOR_NAEM",
        "REMEDIATOR_PROMETHEUS_HEADERS",
        "REMEDIATOR_SCRAPE_INTERVAL",
    ]


# Wrong


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("PROMETHEUS_TIMEOUT", "30", "'30' has no unit; write 30s for seconds"),
        ("PROMETHEUS_TIMEOUT", "0s", "write 1s or more"),
        ("PROMETHEUS_TIMEOUT", "500ms", "is in milliseconds"),
        ("PROMETHEUS_TIMEOUT", "", "is not a duration"),
        ("PROMETHEUS_TIMEOUT", "-5s", "is not a duration"),
        ("SCRAPE_INTERVAL", "0s", "write 1s or more"),
        ("SCRAPE_INTERVAL", "half a minute", "is not a duration"),
        ("SCRAPE_INTERVAL", "1e9s", "is not a duration"),
        ("KUBELET_INTERVAL", "0s", "write 1s or more"),
        ("LEASE_DURATION", "19s", "write 20s or more"),
        ("LEASE_DURATION", "15", "has no unit"),
        ("LOG_FORMAT", "xml", "'auto', 'json' or 'text'"),
        ("LOG_LEVEL", "INFO", "'debug', 'info', 'warning' or 'error'"),
        ("LOG_LEVEL", "", "'debug'"),
        ("NAME", "", "is no name"),
        ("NAME", "Remediator", "is no name"),
        ("NAME", "a_b", "is no name"),
        ("NAME", "../other", "is no name"),
        ("NAME", "-a", "is no name"),
        ("NAME", "x" * 230, "is no name"),
        ("NAMESPACE", "Ops", "is no name"),
        ("NAMESPACE", "a/b", "is no name"),
        ("NAMESPACE", "a.b", "is no name"),
        ("POLICY", "", "is empty"),
        ("KUBECONFIG", "", "is empty"),
        ("PROMETHEUS_TOKEN_FILE", "", "is empty"),
        ("PROMETHEUS_CA_FILE", " ", "is empty"),
        ("PROMETHEUS_PASSWORD_FILE", "/password", "REMEDIATOR_PROMETHEUS_USERNAME"),
        ("PROMETHEUS_KEY_FILE", "/key", "REMEDIATOR_PROMETHEUS_CERT_FILE"),
    ],
)
def test_a_wrong_value_is_one_sentence(monkeypatch: pytest.MonkeyPatch, name: str, value: str, words: str) -> None:
    """With what to write instead."""
    text = refused(monkeypatch, **{name: value})
    assert text.startswith(f"REMEDIATOR_{name}: ")
    assert words in text
    assert "\n" not in text


def test_two_kinds_of_credentials_are_one_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    """A header has place for one of them, and the other one would silently not be sent."""
    text = refused(monkeypatch, PROMETHEUS_TOKEN_FILE="/token", PROMETHEUS_USERNAME="me")
    assert text.startswith("REMEDIATOR_PROMETHEUS_USERNAME: ")
    assert "REMEDIATOR_PROMETHEUS_TOKEN_FILE" in text


@pytest.mark.parametrize(
    "url",
    [
        *("prometheus:9090", "ftp://p", "http://", "http:///x", "http://:9090", "p", "http://p q", "http//p", "://p"),
        *("http://p:99999", "http://p:port", "http://[::1", "file:///etc/passwd", "http://p\n"),
    ],
)
def test_what_is_no_url_is_refused(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    """With an example of one."""
    text = refused(monkeypatch, PROMETHEUS_URL=url + "x" if url.endswith("\n") else url)
    assert text.startswith("REMEDIATOR_PROMETHEUS_URL: ")
    assert "write http://prometheus.monitoring.svc:9090" in text


@pytest.mark.parametrize(
    "url",
    [
        *("http://me:s3cr3t@p:9090", "htp://me:s3cr3t@p", "me:s3cr3t@p", "http://me:s3cr3t@p:99999"),
        *("http://p:9090?token=s3cr3t", "http://p/x?a=s3cr3t", "http://p#s3cr3t", "htp://p?s3cr3t"),
    ],
)
def test_secrets_in_a_url_are_refused_and_not_repeated(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    """Credentials and parameters have settings of their own; the message goes into a log."""
    text = refused(monkeypatch, PROMETHEUS_URL=url)
    assert "s3cr3t" not in text
    assert "REMEDIATOR_PROMETHEUS_USERNAME" in text or "REMEDIATOR_PROMETHEUS_PARAMS" in text


@pytest.mark.parametrize(
    "url", ["http://p", "https://p:1/", "http://10.0.0.1:9090/a/b/", "http://[::1]:9090", "HTTP://P:9090", " http://p "]
)
def test_every_url_is_taken(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    """With a path and a slash or without."""
    assert read(monkeypatch, PROMETHEUS_URL=url).access.url == url.strip()


@pytest.mark.parametrize("name", ["PROMETHEUS_HEADERS", "PROMETHEUS_PARAMS", "LIMITS_LABELS"])
@pytest.mark.parametrize(
    "value",
    ["{", "x", "[]", "5", '"x"', "null", '{"a": 1}', '{"a": null}', '{"a": ["s3cr3t"]}', "X-Scope-OrgID: s3cr3t",
     '{"a": "s3cr3t", "a": "b"}', "{'a': 's3cr3t'}"],
)  # fmt: skip
def test_what_is_no_object_of_texts_is_refused(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    """With an example, and without what may be secret in it."""
    text = refused(monkeypatch, **{name: value})
    assert text.startswith(f"REMEDIATOR_{name}: ")
    assert "JSON object" in text
    assert "; write {" in text
    assert "s3cr3t" not in text


@pytest.mark.parametrize("value", ["", " ", "{}", " { } "])
def test_an_empty_object_is_none(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    """As a template leaves it that has nothing to say."""
    settings = read(monkeypatch, PROMETHEUS_HEADERS=value, PROMETHEUS_PARAMS=value, LIMITS_LABELS=value)
    assert (settings.prometheus_headers, settings.prometheus_params, settings.limits_labels) == ({}, {}, {})


@pytest.mark.parametrize(
    "value", ['{"X-Scope-OrgID": "s3cr3t\\n"}', '{"X Scope": "s3cr3t"}', '{"": "s3cr3t"}', '{"a": "s3cr3t\\u2013"}']
)
def test_a_header_that_can_t_be_sent_is_refused(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    """At the start, and not at each question; its value is not repeated."""
    text = refused(monkeypatch, PROMETHEUS_HEADERS=value)
    assert "header" in text
    assert "s3cr3t" not in text


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ('{"node": "n"}', "node is none of namespace, pod, container"),
        ('{"pod": ""}', "is no name of a label"),
        ('{"pod": "exported-pod"}', "is no name of a label"),
        ('{"pod": "a\\"} or vector(1) #"}', "is no name of a label"),
    ],
)
def test_labels_have_names_of_labels(monkeypatch: pytest.MonkeyPatch, value: str, words: str) -> None:
    """They go into a query as they are."""
    assert words in refused(monkeypatch, LIMITS_LABELS=value)


@pytest.mark.parametrize("name", ["SELECTOR", "MATCHERS"])
@pytest.mark.parametrize(
    "value",
    [
        *(
            'cluster="a',
            "cluster=a",
            "cluster",
            '{cluster="a"}',
            'up{cluster="a"}',
            'cluster="a"}',
            'a="b"} or vector(1)',
        ),
        *('a="b"} #', 'a="b" #', 'a="b"}[5m]', 'a="b" or c="d"', 'a="b"} offset 5m', 'a=~"("', 'a="b",,c="d"', "a='b"),
        *('__name__="x"', 'a="b";c="d"', 'a=="b"'),
    ],
)
def test_matchers_are_matchers_and_nothing_else(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    """They go into every query as they are: what ends a selector, or says ``or``, would change what is asked."""
    text = refused(monkeypatch, **{name: value})
    assert text.startswith(f"REMEDIATOR_{name}: ")
    assert 'write such as cluster="a"' in text


@pytest.mark.parametrize(
    "value",
    [
        *(
            "",
            " ",
            'cluster="a"',
            'cluster="a",',
            ',cluster="a"',
            "cluster='a'",
            "cluster=`a`",
            'a!="b",c=~"d.*",e!~"f|g"',
        ),
        *('a=~"\\\\Qx.y\\\\E"', 'a="}"', 'a="#"', 'a=" or "', 'a=""', ' a = "b" , c = "d" ', 'a="\u00e9"'),
    ],
)
def test_every_list_of_matchers_is_taken(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    """As PromQL has them, in any quotes, with RE2 in them that only RE2 knows."""
    assert read(monkeypatch, MATCHERS=value, SELECTOR=value).matchers == value


@given(
    name=st.sampled_from(sorted(Settings.model_fields)),
    value=st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12),
)
def test_any_value_is_taken_or_refused(name: str, value: str) -> None:
    """Whatever a variable holds: settings, or SettingsError that names it."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        _clean.__wrapped__(monkeypatch)  # type: ignore[attr-defined]
        given_: dict[str, Any] = {name.upper(): value}
        try:
            settings = read(monkeypatch, **given_)
        except SettingsError as exc:
            said = str(exc)
            assert name.upper() in said
        else:
            assert isinstance(settings.scope, Scope)
