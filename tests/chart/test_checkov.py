"""What checkov has against the chart, and why each of that is meant to be so."""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase

import pytest

from tests.chart.charts import CHART, VALUES
from tests.rig.checkov import Finding, checkov
from tests.rig.errors import ToolError
from tests.rig.helm import Helm

# One worker, so that the run over all renderings is one.
pytestmark = pytest.mark.xdist_group("checkov")


@dataclass(frozen=True)
class Excepted:
    """A check that the chart is meant to fail."""

    check: str
    resource: str
    """Pattern of `Kind.namespace.name`."""
    reason: str
    values: str = "*"
    """Pattern of the files of values with which it is."""

    def covers(self, finding: Finding) -> bool:
        """Whether this is about that finding."""
        patterns = {self.check: finding.check, self.resource: finding.resource, self.values: finding.file}
        return all(fnmatchcase(text, pattern) for pattern, text in patterns.items())


DAEMON = "Deployment.remediator.remediator"
EXPORTERS = "Deployment.remediator.remediator-*"

EXCEPTIONS = (
    Excepted(
        "CKV_K8S_11",
        DAEMON,
        "CPU without a limit: a daemon that is throttled renews its lease too late and loses it in the middle of a "
        "remediation. `resources` is a value for those whose quotas want one.",
    ),
    Excepted(
        "CKV_K8S_15",
        DAEMON,
        "IfNotPresent: tags of releases never move, and the daemon must start while the registry is down. "
        "`image.pullPolicy` is a value.",
        values="[!f]*",
    ),
    Excepted(
        "CKV_K8S_43",
        DAEMON,
        "No digest by default: that of an image that somebody builds is not known. `image.digest` is a value, which "
        "the values `full` set.",
        values="[!f]*",
    ),
    Excepted(
        "CKV_K8S_38",
        DAEMON,
        "It is a client of the API server: without its ServiceAccount's token it could do nothing.",
    ),
    Excepted(
        "CKV_K8S_40",
        DAEMON,
        "No user ID where the platform assigns one, as OpenShift does; by default it is 65532, which passes.",
        values="assigned-ids",
    ),
    Excepted(
        "CKV_K8S_35",
        DAEMON,
        "Headers for Prometheus and the user name of its basic authentication are settings, and those are variables; "
        "passwords, tokens and keys are files. Who may exec into the pod reads either.",
        values="full",
    ),
    Excepted(
        "CKV_K8S_11",
        EXPORTERS,
        "CPU without a limit: a throttled exporter would measure itself, in the duration of each probe. `resources` is "
        "a value.",
        values="exporters",
    ),
    Excepted(
        "CKV_K8S_15",
        EXPORTERS,
        "IfNotPresent: tags of releases never move, and an alert about the registry must not need it.",
        values="exporters",
    ),
    Excepted(
        "CKV_K8S_43",
        "Deployment.remediator.remediator-mysqld-*",
        "Its makers' tag by default, so that a version can be read. `image.digest` is a value; blackbox has one here.",
        values="exporters",
    ),
    Excepted(
        "CKV_K8S_11",
        "Deployment.remediator.remediator-*",
        "CPU without a limit: in an incident, when all messages come at once, nobody wants them throttled. `resources` "
        "is a value.",
        values="relay",
    ),
    Excepted(
        "CKV_K8S_15",
        "Deployment.remediator.remediator-relay",
        "IfNotPresent: tags of releases never move, and an alert about the registry must not need it.",
        values="relay",
    ),
    Excepted(
        "CKV_K8S_43",
        "Deployment.remediator.remediator-relay",
        "Its makers' tag by default, so that a version can be read. `image.digest` is a value; kube-eventer has one.",
        values="relay",
    ),
    Excepted(
        "CKV_K8S_35",
        "Deployment.remediator.remediator-events",
        "kube-eventer takes the robot's address from an argument or a variable alone, and logs its arguments.",
        values="relay",
    ),
    Excepted(
        "CKV_K8S_38",
        "Deployment.remediator.remediator-events",
        "It is a client of the API server, with the right to watch events and to read one ConfigMap.",
        values="relay",
    ),
    Excepted(
        "CKV2_K8S_2",
        "RoleBinding.mq.remediator.remediator-exec",
        "Creating pods/exec is what an `exec` hook is; it is off by default, and on in the named namespaces alone.",
        values="full",
    ),
)


@pytest.fixture(scope="module")
def findings(helm4: Helm) -> list[Finding]:
    """All that checkov finds with all files of values. One run: it takes longer to start than to judge."""
    return checkov({name: helm4.render(CHART, values=[path]) for name, path in VALUES.items()})


def test_nothing_is_found_that_is_not_meant_so(findings: list[Finding]) -> None:
    """Each finding is an exception that somebody gave a reason for."""
    assert [str(one) for one in findings if not any(excepted.covers(one) for excepted in EXCEPTIONS)] == []


def test_no_exception_has_outlived_its_finding(findings: list[Finding]) -> None:
    """An exception that covers nothing would hide what comes later."""
    assert [one for one in EXCEPTIONS if not any(one.covers(finding) for finding in findings)] == []


ROOT_POD = """
apiVersion: v1
kind: Pod
metadata: {name: bad, namespace: here}
spec:
  containers: [{name: main, image: "example/bad:latest", securityContext: {privileged: true}}]
"""


def test_what_is_bad_is_found() -> None:
    """A privileged container is found in one file, and a sound object in another is left alone."""
    config = "{apiVersion: v1, kind: ConfigMap, metadata: {name: fine, namespace: here}, data: {key: value}}"
    found = checkov({"bad": ROOT_POD, "fine": config})
    assert ("bad", "CKV_K8S_16", "Pod.here.bad") in {(one.file, one.check, one.resource) for one in found}
    assert {one.file for one in found} == {"bad"}


def test_what_checkov_cant_read_is_no_pass() -> None:
    """Checkov passes over what is no YAML, without a word; that is said instead of taken for sound."""
    with pytest.raises(ToolError, match="nothing in broken:"):
        checkov({"bad": ROOT_POD, "broken": "kind: Pod\napiVersion: v1\nmetadata: {name: [\n"})
