"""Looking without acting: what ``check`` and ``plan`` show is collected here, and nothing is ever written.

``check`` asks Prometheus whether a policy file can work at all; ``plan`` asks what the daemon would do now, by the
same queries, judge and guards.
"""
