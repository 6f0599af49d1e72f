"""The protocol as a machine, explored whole, and in lockstep with the real code; see docs/model.md."""
