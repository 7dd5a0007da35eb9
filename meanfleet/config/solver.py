"""Section `solver`: how `meanfleet solve` works by default."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from meanfleet.base.errors import UserError

from .sections import NonNegative, Positive, Section


class SolverConfig(Section):
    """How `meanfleet solve` works by default."""

    tolerance: Positive = Field(
        1e-7, description="certified width of the value interval, as a share of the range of one tick's reward"
    )
    alternations: int = Field(10, ge=1)
    starts: tuple[Literal["uniform", "shortest", "random"], ...] = Field(
        ("uniform", "shortest", "random"), min_length=1, description="policies of the robots to start from"
    )
    eta: NonNegative = Field(0.0, description="UPDATE's tolerance: an improvement must exceed it")
    kappa: int = Field(20, ge=0, le=100, description="robots of the system that tables for fewer derive from; 0: none")
    rollouts: int = Field(4000, ge=250, description="of n robots, per candidate at most, to choose what runs them best")
    filtering: bool = Field(True, description="also find what a dispatcher that remembers decides with; needs kappa")
    rho: tuple[Annotated[float, Field(gt=0, le=1)], ...] = Field(
        (1.0, 0.98, 0.95, 0.9), min_length=1, description="shares of the belief kept per tick, to choose from"
    )
    observer: Literal["memoryless", "dirichlet"] | None = Field(
        None, description="the dispatcher whose return chooses the robots' policy; None: as dispatcher.observer"
    )

    def for_observer(self, observer: str | None) -> SolverConfig:
        """The same settings with the robots' policy chosen for another dispatcher (None: unchanged).

        Raises:
            UserError: unknown, or not possible with the other settings.
        """
        if observer is None:
            return self
        if observer not in ("memoryless", "dirichlet"):
            raise UserError(f"observer {observer!r} is unknown: expected memoryless or dirichlet")
        if observer == "dirichlet" and not (self.filtering and self.kappa):
            raise UserError("observer dirichlet needs solver.filtering and solver.kappa > 0 in the configuration")
        return self.model_copy(update={"observer": observer})

    @model_validator(mode="after")
    def _belief_for_observer(self) -> Self:
        if self.observer == "dirichlet" and not (self.filtering and self.kappa):
            raise ValueError("observer: dirichlet needs filtering and kappa > 0")
        return self
