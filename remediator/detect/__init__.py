"""Which pods are over: a policy becomes PromQL, Prometheus names candidates, and ``judge`` decides on stored samples.

Compiling and judging are pure; only ``prometheus`` talks to a server.
What leaves this folder is a ``Breach``, or the reason why a candidate is none.
"""
