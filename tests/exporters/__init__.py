"""The chart's exporters and probes: rendered by Helm, and run by the real programs against real servers on loopback."""
