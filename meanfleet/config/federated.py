"""The configuration of federated optimization: data and clients, the game's states and actions, rounds, solver."""

from __future__ import annotations

import os
from typing import Self

from pydantic import Field, ValidationError, model_validator

from meanfleet.base.errors import UserError
from meanfleet.base.yaml_files import read_yaml

from .kinds import FEDERATED, take
from .sections import Name, NonNegative, Positive, Section, first_complaint
from .solver import SolverConfig


class Broadcast(Section):
    """One priority of the server: how the uploads become the next model."""

    name: Name
    step: Positive = Field(description="share of the mean update that the model takes")
    memory: bool = Field(False, description="mean over the last upload of every client heard so far, not of this round")


class Work(Section):
    """One move of a client: descent on its own data, from the model that was broadcast."""

    name: Name
    steps: int = Field(ge=1, description="gradient steps")
    proximal: NonNegative = Field(0.0, description="μ of μ/2·|w − broadcast|², which holds the client back")


class Plain(Section):
    """The comparison, FedAvg: always the same broadcast and the same work."""

    broadcast: Name
    work: Name


class FederatedConfig(Section):
    """Clients, states, actions and rounds."""

    clients: int = Field(100, ge=1)
    shards: int = Field(2, ge=1, description="per client: the data, sorted by label, is cut into clients·shards pieces")
    test_share: float = Field(0.2, gt=0, lt=1, description="of the data, held by the server")
    learning_rate: Positive = Field(0.2, description="of one gradient step")
    l2: NonNegative = Field(1e-4, description="weight of |w|²/2 in every client's loss")
    levels: tuple[Positive, ...] = Field(min_length=1, description="ascending losses that part a client's states")
    broadcasts: tuple[Broadcast, ...] = Field(min_length=1)
    works: tuple[Work, ...] = Field(min_length=1)
    fedavg: Plain
    discount: float = Field(0.95, ge=0, lt=1, description="γ per round")
    step_cost: NonNegative = Field(0.0, description="reward lost per gradient step of a client")
    explore: int = Field(20, ge=1, description="runs under random tables that the game's transitions are counted from")
    hold: Positive = Field(10.0, ge=1, description="[rounds] on average until such a run draws another table")
    prior: Positive = Field(0.5, description="weight of staying at the level, added to the counts")
    rounds: int = Field(200, ge=2)
    last: int = Field(20, ge=1, description="rounds at the end over which accuracy is averaged")

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if list(self.levels) != sorted(set(self.levels)):
            raise ValueError(f"levels: expected ascending losses, not {list(self.levels)}")
        for key, named in (("broadcasts", self.broadcast_names), ("works", self.work_names)):
            if len(set(named)) < len(named):
                raise ValueError(f"{key}: names must differ")
        if self.fedavg.broadcast not in self.broadcast_names:
            raise ValueError(f"fedavg.broadcast: expected one of {', '.join(self.broadcast_names)}")
        if self.fedavg.work not in self.work_names:
            raise ValueError(f"fedavg.work: expected one of {', '.join(self.work_names)}")
        if self.last > self.rounds:
            raise ValueError(f"last: {self.last} is more than the {self.rounds} rounds")
        return self

    @property
    def broadcast_names(self) -> tuple[str, ...]:
        """Names of the broadcasts, in their order."""
        return tuple(one.name for one in self.broadcasts)

    @property
    def work_names(self) -> tuple[str, ...]:
        """Names of the works, in their order."""
        return tuple(one.name for one in self.works)


class FederatedFile(Section):
    """A configuration of federated optimization: `federated:` and, if wanted, `solver:`."""

    federated: FederatedConfig
    solver: SolverConfig = SolverConfig()

    @classmethod
    def from_yaml(cls, path: str | os.PathLike[str]) -> FederatedFile:
        """Read and validate.

        Raises:
            UserError: the file cannot be read, is not YAML, or a key is unknown, missing or out of range.
        """
        data = read_yaml(path)
        take(path, data, FEDERATED)
        try:
            return cls(**data)
        except ValidationError as error:
            raise UserError(f"{path}: {first_complaint(error, cls)}") from None

    def require_clients(self, k: int) -> None:
        """Raise UserError unless there are at least k clients."""
        if k > self.federated.clients:
            raise UserError(
                f"k = {k}, but there are {self.federated.clients} clients: lower -k or raise federated.clients"
            )
