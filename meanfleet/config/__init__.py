"""The configuration: YAML to frozen objects, one module per section; `whole` reads a file and judges it as a whole."""

from __future__ import annotations

from .dispatcher import DispatcherConfig
from .fleet import FleetConfig
from .game import CountedTransition, LocalReward, LocalTransition, MoveReward
from .safety import SafetyConfig
from .solver import SolverConfig
from .whole import Config
from .world import LayoutConfig, WorldConfig

__all__ = [
    "Config",
    "CountedTransition",
    "DispatcherConfig",
    "FleetConfig",
    "LayoutConfig",
    "LocalReward",
    "LocalTransition",
    "MoveReward",
    "SafetyConfig",
    "SolverConfig",
    "WorldConfig",
]
