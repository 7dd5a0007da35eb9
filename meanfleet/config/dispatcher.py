"""Section `dispatcher`: how it polls and decides."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from .sections import Finite, NonNegative, Positive, Section


class DispatcherConfig(Section):
    """How the dispatcher polls and decides. Times in [s]."""

    k: int = Field(10, ge=1)
    tick: Positive = Field(1.0, description="[s, ROS time]")
    gather_timeout: Positive = Field(0.5, description="[s, wall time]")
    max_age: Positive = Field(2.0, description="[s, ROS time]")
    priority_dynamics: Literal["model", "direct"] = "model"
    observer: Literal["memoryless", "dirichlet", "particle"] = "memoryless"
    rho: float | None = Field(None, gt=0, le=1, description="of the belief that survives a tick; None: the bundle's")
    particles: int = Field(1000, ge=2, le=1_000_000)
    sampling: Literal["uniform", "oldest", "stratified", "nearest", "weighted", "graphon"] = "uniform"
    position: tuple[Finite, Finite] | None = Field(None, description="[m] x, y: sampling nearest polls nearest to it")
    probabilities: dict[str, NonNegative] = Field({}, description="of robots in sampling weighted, relative; others 1")
    polls_per_minute: Positive | None = Field(None, description="[1/min, ROS time] instead of k; None: k counts")

    @model_validator(mode="after")
    def _design_is_whole(self) -> Self:
        if self.sampling == "nearest" and self.position is None:
            raise ValueError("sampling: nearest needs 'position', [x, y] in [m]")
        if self.sampling == "weighted" and not self.probabilities:
            raise ValueError("sampling: weighted needs 'probabilities' of some robots")
        return self
