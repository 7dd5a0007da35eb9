"""Section `game`: the warehouse by its parameters, by counted transitions, or any finite game in a file."""

from __future__ import annotations

from typing import Any

from pydantic import Field, field_validator

from .sections import Finite, NonNegative, Positive, Section


class GlobalTransition(Section):
    """P_g = softmax over s' of base + target·1[s' = a_g] + stay·1[s' = s_g] (the paper's Appendix G.1)."""

    base: Finite = Field(0.1, description="logit of every priority")
    target: Finite = Field(3.0, description="logit added for the dispatch")
    stay: Finite = Field(0.5, description="logit added for the present priority")


class LocalTransition(Section):
    """P_l = softmax over s' of base + stay·1[s'=z] + move·1[s'=δ(z, a), a≠stay] + priority·1[s'=s_g] (math.md §1).

    δ(z, a) is the zone that the move leads to: on a ring z + (0, +1, −1)[a].
    """

    base: Finite = Field(0.1, description="logit of every zone")
    stay: Finite = Field(3.5, description="logit added for the present zone")
    move: Finite = Field(1.5, description="logit added for the zone that the move leads to")
    priority: Finite = Field(0.3, description="logit added for the zone that has priority")


class CountedTransition(Section):
    """P_l or P_g from counted transitions (`meanfleet count`, `meanfleet fit`), plus `prior` per cell."""

    counted: str = Field(description="file of counts, relative to the configuration")
    prior: NonNegative = Field(0.5, description="Dirichlet weight added to every cell of the counts")


class MoveReward(Section):
    """What moves earn on a graph of zones: staying, driving, and ways with a reward of their own."""

    stay: Finite = Field(0.0, description="added for staying")
    drive: Finite = Field(0.0, description="added for a move to another zone")
    ways: dict[str, dict[str, Finite]] = Field({}, description="{zone: {neighbour: reward}} in the place of drive")


class LocalReward(Section):
    """r_l = (same_zone if z = s_g else other_zone/(1 + moves of the shortest way)) + move[a]."""

    same_zone: Finite = Field(10.0, description="per tick in the zone that has priority")
    other_zone: Finite = Field(2.0, description="per tick elsewhere, divided by 1 + moves of the shortest way")
    move: tuple[Finite, ...] | MoveReward | None = Field(
        None, description="by move: stay, next, previous; on a graph {stay, drive, ways}; None: the paper's, or 0"
    )

    @field_validator("move", mode="before")
    @classmethod
    def _which_move(cls, value: Any) -> Any:
        return MoveReward(**value) if isinstance(value, dict) else value


class GameConfig(Section):
    """The game to solve: the warehouse by its parameters, or any finite game in an .npz file."""

    file: str | None = Field(
        None, description=".npz: P_g, P_l, r_g, r_l, discount[, start_priority, start_concentration]"
    )
    discount: float = Field(0.95, ge=0, lt=1)
    P_g: GlobalTransition | CountedTransition = GlobalTransition()
    P_l: LocalTransition | CountedTransition = LocalTransition()
    r_g: Finite = 1.0
    r_l: LocalReward = LocalReward()
    start: Positive = Field(0.3, description="Dirichlet concentration per zone of the fleet at the start")

    @field_validator("P_g", mode="before")
    @classmethod
    def _which_steering(cls, value: Any) -> Any:
        if isinstance(value, dict):
            return CountedTransition(**value) if "counted" in value else GlobalTransition(**value)
        return value

    @field_validator("P_l", mode="before")
    @classmethod
    def _which_transition(cls, value: Any) -> Any:
        if isinstance(value, dict):
            return CountedTransition(**value) if "counted" in value else LocalTransition(**value)
        return value
