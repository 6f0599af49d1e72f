"""What the operator writes: the policy file, read without mercy and given back as plain frozen values.

``load`` turns a file into a :class:`PolicyFile` in which every default is filled in, or raises a
``PolicyError`` that holds all of the file's problems, each with its line, column and fix. Nothing here knows
Prometheus or Kubernetes beyond their notations (RE2, label selectors, quantities), and nothing but ``load``
and :class:`PolicyWatch` does I/O.
"""

from remediator.policy.cron import Cron
from remediator.policy.loader import load, parse
from remediator.policy.policies import Budget, CountOrPercent, Match, Policy, PolicyFile, Safety, WorkloadMatch
from remediator.policy.reach import named_namespaces, never_reached
from remediator.policy.schema import json_schema
from remediator.policy.thresholds import Quantity, ShareOfLimit, ShareOfRequest, Threshold
from remediator.policy.watch import PolicyWatch
from remediator.policy.windows import Window

__all__ = [
    "Budget",
    "CountOrPercent",
    "Cron",
    "Match",
    "Policy",
    "PolicyFile",
    "PolicyWatch",
    "Quantity",
    "Safety",
    "ShareOfLimit",
    "ShareOfRequest",
    "Threshold",
    "Window",
    "WorkloadMatch",
    "json_schema",
    "load",
    "named_namespaces",
    "never_reached",
    "parse",
]
