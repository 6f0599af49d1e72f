"""Proof by breaking it: kills, cuts and restarts at every step; the truth is the audit log."""
