"""Whose pod it is: the first policy in file order that matches, in every one of its parts."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from remediator.policy import Match, PolicyFile, WorkloadMatch, parse

FILE = """\
policies:
  - {name: off, enabled: false, threshold: 1Gi, match: {namespaces: [quiet]}}
  - {name: workload, threshold: 1Gi, match: {namespaces: [shop], workload: Deployment/cart|till}}
  - {name: labels, threshold: 1Gi, match: {selector: "tier in (web, worker), !canary"}}
  - {name: pods, threshold: 1Gi, match: {pods: ["db-[0-9]+"]}}
  - {name: rest, threshold: 1Gi, match: {namespaces: ["team-.*"]}}
"""


@pytest.fixture(scope="module")
def file() -> PolicyFile:
    """Five policies, each with another part of a match."""
    return parse(FILE, sample_interval=30)


def owner(
    file: PolicyFile,
    *,
    namespace: str = "default",
    pod: str = "web-1",
    kind: str | None = None,
    name: str | None = None,
    labels: Mapping[str, str] | None = None,
) -> str | None:
    """Name the owner of a pod."""
    policy = file.owner(namespace=namespace, pod=pod, workload_kind=kind, workload_name=name, labels=labels or {})
    return policy.name if policy else None


def test_the_first_that_matches_in_file_order(file: PolicyFile) -> None:
    """Later policies don't matter once one has matched, however well they match."""
    assert owner(file, namespace="team-a", pod="db-0", labels={"tier": "web"}) == "labels"
    assert owner(file, namespace="team-a", pod="db-0") == "pods"
    assert owner(file, namespace="team-a") == "rest"
    assert owner(file, namespace="other") is None


def test_a_disabled_policy_still_owns_its_pods(file: PolicyFile) -> None:
    """Its pods don't fall through to a policy further down, because nobody meant them to."""
    assert owner(file, namespace="quiet", pod="db-0", labels={"tier": "web"}) == "off"


def test_workloads_by_exact_kind_and_anchored_name(file: PolicyFile) -> None:
    """The kind is exact, the name an expression of the whole name, and no workload is nobody's workload."""
    assert owner(file, namespace="shop", kind="Deployment", name="cart") == "workload"
    assert owner(file, namespace="shop", kind="Deployment", name="till") == "workload"
    assert owner(file, namespace="shop", kind="Deployment", name="cart-2") is None
    assert owner(file, namespace="shop", kind="StatefulSet", name="cart") is None
    assert owner(file, namespace="shop") is None
    assert owner(file, namespace="shopping", kind="Deployment", name="cart") is None


def test_labels_on_the_live_pod(file: PolicyFile) -> None:
    """All requirements of the selector have to be met."""
    assert owner(file, labels={"tier": "worker"}) == "labels"
    assert owner(file, labels={"tier": "worker", "canary": ""}) is None
    assert owner(file, labels={"tier": "db"}) is None


def test_parts_of_a_match_are_anchored() -> None:
    """Each part has to match all of a name; containers too, and a part left out matches everything."""
    match = Match(namespaces=("a|b", "c.*"), pods=("(?i)WEB-.*",), containers=("app",))
    assert match.matches_namespace("b")
    assert match.matches_namespace("cc")
    assert not match.matches_namespace("ab")
    assert match.matches_pod("web-1")
    assert not match.matches_pod("my-web-1")
    assert match.matches_container("app")
    assert not match.matches_container("app2")
    assert Match().matches_namespace("x")
    assert Match().matches_pod("x")
    assert Match().matches_container("x")
    assert Match().matches_labels({})
    assert Match().matches_workload(None, None)


def test_a_match_with_a_bad_expression_can_not_be_made() -> None:
    """Expressions are compiled when the value is made, so none fails later."""
    with pytest.raises(ValueError, match="RE2"):
        Match(pods=("(",))
    with pytest.raises(ValueError, match="RE2"):
        WorkloadMatch("Deployment", "(")
