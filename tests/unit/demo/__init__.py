"""The demo's pure parts: what is read from the log and the pods, and how that is shown."""
