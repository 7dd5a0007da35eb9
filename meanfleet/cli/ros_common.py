"""What commands that join the ROS domain have in common."""

from __future__ import annotations

from typing import Annotated

import typer

from meanfleet.base.errors import UserError
from meanfleet.operating.security import NAMESPACE

Space = Annotated[str, typer.Option(help="Of the fleet's nodes, such as /site_a.")]


def checked_namespace(namespace: str) -> str:
    """A namespace without the root's slash.

    Raises:
        UserError: it is none.
    """
    if not NAMESPACE.fullmatch(namespace):
        raise UserError(f"--namespace {namespace!r}: expected a name such as /site_a")
    return namespace.rstrip("/")


def no_ros(command: str, error: ImportError) -> UserError:
    """What to say when ROS 2 cannot be imported."""
    return UserError(
        f"'meanfleet {command}' needs ROS 2 ({error}): source its setup.bash, or install it as wheels (make env)"
    )
