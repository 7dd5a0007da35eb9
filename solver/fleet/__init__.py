"""The n-robot truth: exact simulation of whole fleets by their counts, and what rules earn in it."""

from .counts import CountFleet, Estimate, fleet_return

__all__ = ["CountFleet", "Estimate", "fleet_return"]
