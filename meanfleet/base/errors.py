"""The one exception that stands for a user's mistake."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

LONGEST = 255  # letters of a word that is compared with others: the time grows with their square


class UserError(Exception):
    """Something the user can put right: the message says what is wrong, where, and the remedy.

    The command line and the nodes print it as one sentence and exit with code 2, without a traceback.
    """

    exit_code = 2


def suggestion(word: str, known: Iterable[str]) -> str:
    """Return " (did you mean 'x'?)" for the closest of `known`, or an empty string."""
    if len(word) > LONGEST:
        return ""
    close = difflib.get_close_matches(word, list(known), n=1)
    return f" (did you mean {close[0]!r}?)" if close else ""
