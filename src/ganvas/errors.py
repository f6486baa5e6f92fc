"""The mistakes a user can make, each told in a sentence: what happened, where, what was expected, what to do.

Everything here derives from `GanvasError`. The command line prints such an error without a traceback and exits with its
`exit_code`; any other exception is a fault of ours and keeps its traceback.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable

MAX_QUOTED_CHARACTERS = 800  # of another error inside a message


class GanvasError(Exception):
    """A mistake that the user can fix. The message is the whole explanation."""

    exit_code = 1


class UsageError(GanvasError):
    """The words of a call are wrong: an unknown method, setting or option, or a value that it cannot take."""

    exit_code = 2


class DataError(GanvasError):
    """The data cannot be used as they are: missing, empty, damaged, of mixed shape."""


class RunError(GanvasError):
    """A run folder cannot be used: missing, foreign, damaged, of another version, method or data."""


class TrainingError(GanvasError):
    """A training stopped for a reason of its own, such as a loss that stays non-finite."""


class MissingExtra(GanvasError):
    """An optional package is needed and is not installed."""


class GanvasWarning(UserWarning):
    """Something is probably not meant as it was given. The message says what follows from it, and what to do."""


def shortened(error: object) -> str:
    """An error's text, cut where it is long: it may quote a file that anybody wrote."""
    text = str(error)
    return text if len(text) <= MAX_QUOTED_CHARACTERS else f"{text[:MAX_QUOTED_CHARACTERS]}..."


def nearest(word: str, choices: Iterable[str]) -> str:
    """`"; did you mean dcgan?"`, or `""` where nothing is near. Goes at the end of a message."""
    found = difflib.get_close_matches(word, list(choices), n=1, cutoff=0.5)
    return f"; did you mean {found[0]}?" if found else ""
