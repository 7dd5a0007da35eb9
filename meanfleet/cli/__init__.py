"""The command line: `meanfleet COMMAND`. Every command prints for people, or with --json one object for machines."""

from __future__ import annotations

import sys

from meanfleet.errors import UserError


def main() -> None:
    """Run the command line; a user's mistake is one sentence on stderr and exit code 2."""
    from .app import app

    try:
        app()
    except UserError as error:
        print(f"meanfleet: {error}", file=sys.stderr)
        sys.exit(UserError.exit_code)
    except KeyboardInterrupt:
        print("meanfleet: interrupted", file=sys.stderr)
        sys.exit(130)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(141)
