"""The one exception that means "the user can mend this"."""


class UserError(Exception):
    """A problem with input, settings or the machine, told in one line that says what to do.

    The command line prints the message without a traceback and exits with status 2.
    """
