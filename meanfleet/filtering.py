"""The old place of what is in `meanfleet.solver.bundle.filtering`, for programs that import it from here."""

from __future__ import annotations

from meanfleet.solver.bundle.filtering import FilterModel, FilterSetting

__all__ = ["FilterModel", "FilterSetting"]
