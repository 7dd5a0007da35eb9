"""The limit of many robots: floors by α-vectors, ceilings by small fleets, decisions at a mean (math.md §10)."""

from .alphas import Alphas
from .ceilings import Ceiling, ceiling
from .decide import Greedy
from .factored import FactoredGame
from .floors import Floor, floor_of
from .improve import Effort, Solver, Stage
from .model import MeanField

__all__ = [
    "Alphas",
    "Ceiling",
    "Effort",
    "FactoredGame",
    "Floor",
    "Greedy",
    "MeanField",
    "Solver",
    "Stage",
    "ceiling",
    "floor_of",
]
