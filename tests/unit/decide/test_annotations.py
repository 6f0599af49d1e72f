"""A workload's own policy, in annotations: it can only hold us back."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remediator.decide.annotations import own_policy
from remediator.model.measures import Veto
from remediator.model.vocabulary import Action, Reason
from remediator.policy import Policy, ShareOfLimit
from tests.unit.make import policy

WEB = "Deployment/web"
POLICY = policy("80% of limit", for_seconds=300, action=Action.EVICT)


def own(annotations: dict[str, str], ours: Policy = POLICY) -> Policy | Veto:
    """What becomes of a policy by these annotations of ours, named without their prefix."""
    named = {f"remediator.dev/{key}": value for key, value in annotations.items()}
    return own_policy(ours, {"team": "shop", **named}, what=WEB)


def test_without_annotations_of_ours_the_policy_is_the_policy() -> None:
    """Other people's annotations and our opt-out, which has a guard of its own, change nothing."""
    assert own({}) is POLICY
    assert own({"opt-out": "ture"}) is POLICY
    assert own_policy(POLICY, {"rig.remediator.dev/threshold": "1Gi", "threshold": "1Gi"}, what=WEB) is POLICY


def test_a_workload_may_hold_us_back() -> None:
    """A higher threshold, a longer time and a gentler action hold for it; all else is the policy's."""
    changed = own({"threshold": "92.5% of limit", "for": "10m", "action": "notify"})
    assert isinstance(changed, Policy)
    assert changed.threshold == ShareOfLimit(Fraction(185, 2), "92.5% of limit")
    assert (changed.for_seconds, changed.action) == (600, Action.NOTIFY)
    assert (changed.name, changed.cooldown, changed.match) == (POLICY.name, POLICY.cooldown, POLICY.match)


def test_what_the_policy_says_already_may_be_said_again() -> None:
    """Equal is not looser."""
    assert own({"threshold": "80 % of limit", "for": "300s", "action": "evict"}) == POLICY


@pytest.mark.parametrize(
    ("threshold", "annotation", "taken"),
    [
        ("20Gi", "21Gi", True),
        ("20Gi", "20480Mi", True),
        ("20Gi", "20G", False),
        ("80% of limit", "100% of limit", True),
        ("80% of limit", "79.9% of limit", False),
        ("80% of limit", "500Gi", False),
        ("20Gi", "99% of limit", False),
        ("150% of request", "200% of request", True),
        ("150% of request", "100% of request", False),
        ("150% of request", "100% of limit", False),
    ],
)
def test_thresholds_are_compared_with_their_own_kind(*, threshold: str, annotation: str, taken: bool) -> None:
    """Which of a share and a quantity is higher depends on the pod, so one does not stand in for the other."""
    assert isinstance(own({"threshold": annotation}, policy(threshold)), Policy) is taken


@pytest.mark.parametrize("ours", list(Action))
def test_an_action_may_be_gentler(ours: Action) -> None:
    """To notify is the gentlest, to delete the harshest."""
    gentlest_first = [Action.NOTIFY, Action.SURGE, Action.EVICT, Action.DELETE]
    answers = [own({"action": theirs}, policy(action=ours)) for theirs in gentlest_first]
    allowed = [answer.action for answer in answers if isinstance(answer, Policy)]
    assert allowed == gentlest_first[: gentlest_first.index(ours) + 1]


@pytest.mark.parametrize(
    ("annotation", "value", "said"),
    [
        (
            "threshold",
            "50% of limit",
            "'50% of limit' is lower than the policy's 80% of limit; write that or a higher one",
        ),
        ("threshold", "30Gi", "'30Gi' can't be compared with the policy's 80% of limit; write one of that kind"),
        ("threshold", "95%", "'95%' does not say of what; write 95% of limit"),
        ("for", "1m", "'1m' is shorter than the policy's 5m; write that or a longer one"),
        ("for", "25h", "'25h' is too long; write 1d or less"),
        ("for", "ten minutes", "'ten minutes' is not a duration; write such as 90s, 2m, 1h30m or 1d"),
        ("for", "", "'' is not a duration; write such as 90s, 2m, 1h30m or 1d"),
        ("action", "delete", "'delete' is harsher than the policy's evict; write that or notify"),
        ("action", "none", "'none' is not an action; write evict, surge, delete or notify"),
        (
            "treshold",
            "99% of limit",
            (
                "'99% of limit' is for nothing that we know; write remediator.dev/threshold, "
                "remediator.dev/for, remediator.dev/action, remediator.dev/opt-out, or remove it"
            ),
        ),
    ],
)
def test_what_would_loosen_the_policy_or_can_not_be_read_leaves_the_workload_alone(
    annotation: str, value: str, said: str
) -> None:
    """The veto names the object, the annotation and its value, and what to write instead."""
    answer = own({annotation: value})
    assert answer == Veto(Reason.OPTED_OUT, f"{WEB} has the annotation remediator.dev/{annotation}: {said}")


def test_every_fault_is_named_and_a_flood_is_counted() -> None:
    """One good annotation does not outweigh a bad one, and what is said stays short whatever an object carries."""
    answer = own({"threshold": "1% of limit", "for": "10m", "action": "dance"})
    assert isinstance(answer, Veto)
    assert "/threshold: '1% of limit'" in answer.detail
    assert "/action: 'dance'" in answer.detail
    flood = own({f"k{number}": "x" * 10_000 for number in range(100)})
    assert isinstance(flood, Veto)
    assert flood.detail.endswith("; and 96 more")
    assert len(flood.detail) < 2100


VALUES = st.sampled_from(["81% of limit", "10m", "notify", "evict", "99Gi", "1s", "delete"]) | st.text(max_size=12)


@given(annotations=st.dictionaries(st.sampled_from(["threshold", "for", "action", "optout"]), VALUES))
def test_no_annotation_makes_a_policy_harsher(annotations: dict[str, str]) -> None:
    """Whatever is annotated: a policy that is over later, over longer and does no more; or the workload stays."""
    answer = own(annotations)
    if isinstance(answer, Veto):
        assert answer.reason is Reason.OPTED_OUT
        assert answer.detail.isprintable()
    else:
        assert isinstance(answer.threshold, ShareOfLimit)
        assert answer.threshold.percent >= 80
        assert answer.for_seconds >= 300
        assert answer.action in {Action.EVICT, Action.NOTIFY}
