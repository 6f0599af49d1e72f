"""`make bench`: what the daemon costs and how fast it is, measured on the real control plane in one run.

Figures, with their targets beside them; no assertion of time, because a busy machine must not fail a build. Each part
is a file of its own and starts its own control plane, so that one can be had alone. docs/bench.md says what each
figure means.
"""
