"""What can go wrong before a file is generated."""


class GenerateError(Exception):
    """A source that nothing can be made from; the text says where, what is wrong, and what to write."""
