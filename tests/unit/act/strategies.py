"""Journals as hypothesis makes them."""

from __future__ import annotations

from hypothesis import strategies as st

from remediator.model.measures import Breach
from remediator.model.remediations import Act, Baseline, Breaker, Ledger, Remediation, Terms
from remediator.model.vocabulary import Action, Outcome, Unit
from remediator.model.workloads import WorkloadRef

numbers = st.floats(-(2.0**63), 2.0**63)
"""Nothing that is measured is larger."""
times = st.one_of(st.floats(0, 4e9), st.integers(0, 4_000_000_000).map(float))
words = st.text(max_size=12)
ids = st.text("0123456789abcdef", min_size=12, max_size=12)
uids = st.sampled_from(["dep-a", "dep-b", "dep-c"])

workloads = st.builds(WorkloadRef, kind=words, namespace=words, name=words, uid=uids)
breaches = st.builds(
    Breach,
    policy=words,
    namespace=words,
    pod=words,
    uid=words,
    node=words,
    container=words,
    value=numbers,
    threshold=numbers,
    threshold_text=words,
    limit=st.none() | st.integers(1, 1 << 60),
    unit=st.sampled_from(Unit),
    query=words,
    sample_time=times,
    over_since=times,
)
baselines = st.builds(
    Baseline,
    pods=st.frozensets(words, max_size=3),
    wanted=st.integers(0, 1000),
    available=st.integers(0, 1000),
    pods_version=words,
    revision=words,
    selector=words,
)
records = st.builds(
    Remediation,
    id=ids,
    epoch=st.integers(0, 1 << 53),
    workload=workloads,
    breach=breaches,
    action=st.sampled_from(Action),
    baseline=baselines,
    terms=st.builds(Terms, ready_timeout=st.integers(1, 86400), grace_period=st.none() | st.integers(1, 86400)),
    intended_at=times,
    taken_at=st.none() | times,
    available_at=st.none() | times,
    settled_at=st.none() | times,
    outcome=st.none() | st.sampled_from(Outcome),
    detail=words,
    replacement=words,
    replacement_uid=words,
    after=st.none() | numbers,
    undoing=words,
)
acts = st.builds(
    Act, workload_uid=uids, remediation_id=ids, at=times, settled_at=st.none() | times, spends=st.booleans()
)
ledgers = st.builds(
    Ledger,
    epoch=st.integers(0, 1 << 53),
    holder=words,
    in_flight=st.lists(records, max_size=2).map(lambda some: {one.id: one for one in some}),
    breakers=st.lists(st.builds(Breaker, workload=workloads, opened_at=times, record=records), max_size=1).map(
        lambda some: {one.workload.uid: one for one in some}
    ),
    settled=st.lists(records, max_size=1).map(tuple),
    acts=st.lists(acts, max_size=3).map(tuple),
)
