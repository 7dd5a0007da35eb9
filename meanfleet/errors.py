"""The old place of what is in `meanfleet.base.errors`, for programs that import it from here."""

from __future__ import annotations

from meanfleet.base.errors import UserError

__all__ = ["UserError"]
