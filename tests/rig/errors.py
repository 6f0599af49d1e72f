"""The rig's errors: sentences for the person who runs the tests, saying what is wrong and what to do."""


class RigError(Exception):
    """The rig could not do what it was asked; the text says why."""


class ToolError(RigError):
    """A program that the rig runs could not be had: no Go, or its build failed."""


class StartError(RigError):
    """A component did not come up, or came down by itself; the text ends with the tail of its log."""
