"""The exception that means "the user can mend this", and what to say of the system's own errors."""

import errno
import sys
from functools import wraps

ADVICE = {
    errno.ENOSPC: "make room and run again",
    errno.EDQUOT: "make room and run again",
    errno.EROFS: "make the folder writable and run again",
    errno.EACCES: "set the permissions right and run again",
    errno.EPERM: "set the permissions right and run again",
}


class UserError(Exception):
    """A problem with input, settings or the machine, told in one line that says what to do.

    The command line prints the message without a traceback and exits with status 2.
    """


def explain(error):
    """Return in one line what the system refused, an OSError, and what to do about it."""
    reason = error.strerror or " ".join(str(error).split())
    advice = ADVICE.get(error.errno)
    return f"{reason}; {advice}" if advice else reason


def told(function):
    """Return ``function`` for the Snakefile to call: a UserError ends Snakemake with its one line.

    Snakemake puts a traceback under any other exception.
    """

    @wraps(function)
    def called(*args):
        try:
            return function(*args)
        except UserError as error:
            sys.exit(str(error))

    return called
