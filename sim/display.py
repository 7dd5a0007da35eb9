"""Whether there is an X server to open a window on."""

from __future__ import annotations

import subprocess
import sys

from meanfleet.base.errors import UserError

WAIT = 10.0  # [s] for the server's answer
ASK = "import ctypes; raise SystemExit(not ctypes.CDLL('libX11.so.6').XOpenDisplay(None))"


def require_display(display: str) -> None:
    """Ask the server in a process of its own: PyBullet would end this one, and a server far away may never answer.

    Args:
        display: what DISPLAY says.

    Raises:
        UserError: there is none, or it does not answer.
    """
    if not display:
        raise UserError("gui: there is no display (DISPLAY is not set); run without gui, or under an X server")
    try:
        answers = subprocess.run([sys.executable, "-c", ASK], capture_output=True, timeout=WAIT).returncode == 0
    except subprocess.TimeoutExpired:
        answers = False
    if not answers:
        raise UserError(
            f"gui: no X server answers at DISPLAY={display}; run without gui, or set DISPLAY to a running server"
        )
