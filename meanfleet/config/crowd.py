"""The experiments of SUBSAMPLE-MFQ as configuration: `squeeze:` or `exploration:`."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, model_validator

from .sections import Finite, NonNegative, Positive, Section

Share = Annotated[float, Field(ge=0, le=1)]


class SqueezeConfig(Section):
    """Controllers that send vehicles on to one road (the Gaussian squeeze)."""

    discount: float = Field(0.8, ge=0, lt=1)
    capacity: int = Field(2, ge=1, le=20)
    arrival: Share = 0.4
    targets: tuple[Finite, ...] = Field((0.25, 0.6), min_length=1)
    width: Positive = 0.2
    scale: Positive = 10.0
    steering: Share = 0.8
    switching: NonNegative = 0.2
    start: Positive = 1.0


class ExplorationConfig(Section):
    """Robots on a grid that may move along one axis at a time (constrained exploration)."""

    discount: float = Field(0.9, ge=0, lt=1)
    width: int = Field(3, ge=1, le=10)
    height: int = Field(2, ge=1, le=10)
    success: Share = 0.9
    recall: Share = 0.1
    effort: NonNegative = 0.05
    steering: Share = 0.9
    switching: NonNegative = 0.1
    start: Positive = 0.3

    @model_validator(mode="after")
    def _a_grid(self) -> Self:
        if self.width * self.height < 2:
            raise ValueError("width, height: a grid of at least two cells is needed")
        return self


class CrowdFile(Section):
    """A configuration that holds one of the experiments, no warehouse."""

    robots: int = Field(8, ge=1)
    squeeze: SqueezeConfig | None = None
    exploration: ExplorationConfig | None = None

    @model_validator(mode="after")
    def _one_game(self) -> Self:
        if (self.squeeze is None) == (self.exploration is None):
            raise ValueError("give either 'squeeze' or 'exploration'")
        return self
