"""The old place of what is in `meanfleet.solver.bundle.policy`, for programs that import it from here."""

from __future__ import annotations

from meanfleet.solver.bundle.policy import PolicyBundle, Table

__all__ = ["PolicyBundle", "Table"]
