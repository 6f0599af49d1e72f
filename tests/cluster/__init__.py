"""Decisions about pods on a real API server, with real controllers and a real Prometheus."""
