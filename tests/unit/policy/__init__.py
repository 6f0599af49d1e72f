"""The policy file: what is read from it, and how everything else is refused."""
