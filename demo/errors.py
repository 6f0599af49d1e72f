"""What can go wrong with the demo itself."""


class Failed(Exception):
    """The demo did not show what it is there to show; the text says why."""
