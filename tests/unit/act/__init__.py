"""The journal, and the wait for a replacement."""
