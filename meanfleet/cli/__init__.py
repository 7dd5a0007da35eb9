"""The command line: `meanfleet COMMAND`. Every command prints for people, or with --json one object for machines."""

from __future__ import annotations

import io
import os
import signal
import sys
from collections.abc import Callable, Sequence
from itertools import pairwise
from types import FrameType
from typing import Any

from meanfleet.base.errors import UserError

INTERRUPTED = 130
OUTPUTS = {"-o", "--out", "--record"}


def main() -> None:
    """Run the command line; a user's mistake is one sentence on stderr and exit code 2, Ctrl-C one line and 130."""
    _print_in_any_encoding()
    code = _outcome(_run)
    ending = _outcome(sys.stdout.flush)  # a full disk is known at the last write
    if ending:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # or the interpreter tries once more, and complains
    sys.exit(code or ending)


def _run() -> None:
    plain = signal.getsignal(signal.SIGINT) is signal.default_int_handler  # not so under nohup
    if plain:
        signal.signal(signal.SIGINT, _leave)
    from .app import app

    if plain:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    _refuse_empty_names(sys.argv[1:])
    app()


def _refuse_empty_names(arguments: Sequence[str]) -> None:
    """An unset variable in `-o "$OUT"` would be the folder one is in."""
    for option, value in pairwise([*arguments, "-"]):
        if (option in OUTPUTS and not value) or option.removesuffix("=") in OUTPUTS - {option}:
            raise UserError(f"{option.removesuffix('=')} has an empty name: give one, or . for the folder you are in")


def _leave(number: int, frame: FrameType | None) -> None:
    """Imports turn an interrupt into errors of their own; there is nothing to put in order yet."""
    os.write(2, b"meanfleet: interrupted\n")
    os._exit(INTERRUPTED)


def _outcome(work: Callable[[], None]) -> Any:
    """Exit code of some work; what went wrong is said."""
    try:
        work()
    except SystemExit as end:
        return end.code
    except KeyboardInterrupt:
        print("meanfleet: interrupted", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        sys.stderr.close()
        return 141
    except (UserError, OSError, MemoryError) as error:
        print(f"meanfleet: {_sentence(error)}", file=sys.stderr)
        return UserError.exit_code
    return 0


def _sentence(error: Exception) -> str:
    if isinstance(error, MemoryError):
        return f"not enough memory ({str(error) or 'none left'}): a smaller problem, or another computer, may fit"
    if not isinstance(error, OSError):
        return str(error)
    reason = error.strerror or str(error)
    if error.filename is None:
        return f"cannot write the output: {reason}; make room or send it to another place"
    return f"cannot use {os.fsdecode(error.filename)}: {reason}"


def _print_in_any_encoding() -> None:
    """Letters that a terminal does not have are printed as escapes; a closed output takes everything."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115
        elif isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
