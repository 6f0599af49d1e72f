"""``remediator check``: is the policy file right?"""

from __future__ import annotations

import sys

import typer

from remediator.cli.options import PolicyArgument, fail, settings_or_exit
from remediator.errors import PolicyError
from remediator.policy import load
from remediator.policy.durations import format_duration


def check(*, file: PolicyArgument = None) -> None:
    """Read the policy file and name everything that is wrong with it: exit code 0, or 1 where something is to fix."""
    settings = settings_or_exit(2, policy=file)
    try:
        policies = load(settings.policy, sample_interval=settings.sample_interval, own_namespace=settings.namespace)
    except PolicyError as exc:
        count = len(exc.problems)
        fail(f"{exc}\n{count} problem{'s' if count > 1 else ''} to fix", 1)
    for policy in policies.policies:
        state = "" if policy.enabled else " (disabled)"
        sys.stdout.write(
            f"{policy.name}{state}: over {policy.threshold.text} for {format_duration(policy.for_seconds)}, "
            f"looked at {policy.when}, {policy.action}\n"
        )
    sys.stdout.write(f"{settings.policy} is right\n")
    raise typer.Exit(0)
