"""May this pod go? Pure functions: a breach, the live pod and the world in; every reason against it out.

Each guard gives one veto or None. They are asked stage by stage, so that a chronic pod costs little: the policy and
the journal, then the pod, then its workload and the disruption budgets; the first stage with a veto ends the questions.
"""

from remediator.decide.action import concerning
from remediator.decide.gates import about_gates
from remediator.decide.journal import policy_and_journal
from remediator.decide.pod import about_pod
from remediator.decide.workload import about_workload

__all__ = ["about_gates", "about_pod", "about_workload", "concerning", "policy_and_journal"]
