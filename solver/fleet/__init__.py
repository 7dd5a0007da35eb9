"""The n-robot truth: exact simulation of whole fleets by their counts, and which rule runs them best."""

from .counts import Estimate, Fleet, discounted_horizon, fleet_return

__all__ = ["Estimate", "Fleet", "discounted_horizon", "fleet_return"]
