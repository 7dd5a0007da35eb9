"""The part of a configuration about robots on a line: its model, and the tracks that stand for it on the floor."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from .sections import Finite, NonNegative, Positive, Section


class LineConfig(Section):
    """A line of robots; lengths in its units, rewards per tick."""

    robots: int = Field(500, ge=1, description="n")
    discount: float = Field(0.95, ge=0, lt=1, description="γ per tick")
    limit: Positive = Field(2.0, description="places are clipped to ± this")
    targets: tuple[Finite, ...] = Field((-1.6, -0.8, 0.0, 0.8, 1.6), min_length=2, description="τ, ascending")
    moves: tuple[Finite, ...] = Field((0.0, 0.05, -0.05), min_length=1, description="δ per tick; move 0 stays")
    steering: float = Field(0.6, gt=0, le=1, description="share of the way to τ per tick")
    steering_noise: NonNegative = Field(0.08, description="standard deviation per tick")
    robot_noise: NonNegative = Field(0.04, description="standard deviation per tick")
    commitment: Finite = Field(5.0, description="r_g at τ")
    commitment_width: Positive = Field(0.3, description="σ of r_g")
    alignment: Finite = Field(10.0, description="r_l at s_g")
    alignment_width: Positive = Field(0.2, description="σ of r_l")
    effort: NonNegative = Field(5.0, description="cost of a move per length")
    majority: float = Field(0.55, gt=0, lt=1, description="share of the robots in the first cluster")
    cluster_width: NonNegative = Field(0.18, description="standard deviation of a cluster")
    start_range: Positive = Field(1.0, description="the first s_g is uniform within ± this")

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if list(self.targets) != sorted(set(self.targets)) or max(map(abs, self.targets)) > self.limit:
            raise ValueError(f"line: targets must ascend within ± limit = {self.limit:g}")
        if self.moves[0] != 0:
            raise ValueError("line: the first of the moves must be 0, to stay")
        if self.start_range > self.limit:
            raise ValueError("line: start_range is beyond limit")
        return self


class TracksConfig(Section):
    """The line on a floor: every robot has a track of its own along x, side by side. Lengths in [m]."""

    unit: Positive = Field(1.0, description="[m] of floor for a length of 1 on the line")
    pitch: Positive = Field(0.5, description="[m] between two tracks")
    line: LineConfig = Field(LineConfig(), exclude=True, repr=False, description="from the key 'line'")

    @property
    def bins(self) -> tuple[str, ...]:
        """Names of the bins, which are the zones of such a floor."""
        return tuple(f"bin_{i}" for i in range(len(self.line.targets)))


class BinsConfig(Section):
    """Bins as zones, through the exact solver."""

    kappa: int = Field(20, ge=1, description="κ: robots of the system that is solved")
    rho: float = Field(1.0, gt=0, le=1, description="share of the belief that survives a tick")
    slack: NonNegative = Field(0.075, description="robots go towards s_g while they are further away than this")
    fleets: int = Field(400, ge=1, description="simulated to count transitions")
    horizon: int = Field(50, ge=1, description="[ticks] of each of them")
    stay: float = Field(12.0, ge=1, description="[ticks] between two changes of the target, on average")


class LearningConfig(Section):
    """Alternating best responses by gradients."""

    algorithm: Literal["trpo", "ppo", "a2c"] = Field("trpo", description="how robots learn")
    alternations: int = Field(10, ge=1, description="each: the dispatcher, then the robots")
    runs: int = Field(3, ge=1, description="trained per k from different weights; the best in a first evaluation stays")
    hidden: int = Field(64, ge=1, description="units of each of the two layers")
    learning_rate: Positive = Field(0.003, description="of Adam")
    clip: Positive = Field(1.0, description="norm to which Adam's gradients are clipped")
    samples: int = Field(3000, ge=1, description="m: fleets shown to the dispatcher per alternation")
    dispatcher_steps: int = Field(20, ge=1, description="of Adam per alternation")
    episodes: int = Field(120, ge=1, description="fleets simulated per alternation")
    horizon: int = Field(40, ge=1, description="[ticks] of an episode")
    learners: int = Field(1, ge=1, description="robots per fleet whose experience counts")
    radius: Positive = Field(0.01, description="KL divergence of a step of TRPO")
    damping: NonNegative = Field(0.1, description="added to the Fisher matrix")
    conjugate_steps: int = Field(10, ge=1, description="of conjugate gradients")
    halvings: int = Field(10, ge=1, description="step lengths tried")
    robot_steps: int = Field(5, ge=1, description="steps of Adam: of the critic, under ppo and a2c of the policy too")
    value_weight: NonNegative = Field(0.5, description="of the critic's loss")
    entropy_weight: NonNegative = Field(0.01, description="of the entropy bonus, ppo and a2c")
    ratio_clip: Positive = Field(0.2, description="ppo")
