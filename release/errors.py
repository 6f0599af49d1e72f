"""What keeps a release from being made."""


class ReleaseError(Exception):
    """The text says what is wrong, where, and what to do."""
