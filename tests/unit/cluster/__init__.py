"""The API server as a client sees it, with its faults."""
