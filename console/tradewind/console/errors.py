"""The one kind of failure the command line shows: a line that names the field or file and the fix."""


class ConsoleError(Exception):
    """What the user can mend; printed as one line, exit status 2."""
