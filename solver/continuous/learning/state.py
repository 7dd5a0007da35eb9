"""Where a run of learning stands: networks and the memories of Adam, in memory and on disk (arrays only)."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
import numpy as np

from meanfleet.base.files import replacing
from meanfleet.config.line import LearningConfig

from .objectives import Network, new_network
from .updates import memory

KEY = "key"


@dataclass(frozen=True, eq=False)
class State:
    """After some alternations; all parts are trees of arrays.

    Attributes:
        dispatcher: shares per bin -> logits of a_g.
        robots: (s_g, s_i) -> logits of a_l.
        critic: (s_g, s_i) -> return.
        dispatcher_memory: Adam's.
        robots_memory: Adam's, of the critic, under PPO and A2C of the policy too.
        done: alternations.
        seconds: [s, wall] they took.
    """

    dispatcher: Network
    robots: Network
    critic: Network
    dispatcher_memory: Any
    robots_memory: Any
    done: int
    seconds: float = 0.0

    @classmethod
    def new(cls, bins: int, moves: int, options: LearningConfig, rng: np.random.Generator) -> State:
        """With random weights."""
        h = options.hidden
        dispatcher = new_network((bins, h, h, bins), rng)
        robots, critic = new_network((2, h, h, moves), rng), new_network((2, h, h, 1), rng)
        learned = critic if options.algorithm == "trpo" else (robots, critic)
        return cls(dispatcher, robots, critic, memory(dispatcher), memory(learned), 0)

    def _parts(self) -> Any:
        return self.dispatcher, self.robots, self.critic, self.dispatcher_memory, self.robots_memory

    @property
    def sound(self) -> bool:
        """Whether all numbers are finite."""
        return all(bool(np.isfinite(leaf).all()) for leaf in jax.tree_util.tree_leaves(self._parts()))

    def save(self, path: Path, key: str) -> None:
        """Replace the file whole; `key` names the work."""
        leaves = jax.tree_util.tree_leaves(self._parts())
        arrays = {f"leaf_{i}": np.asarray(leaf) for i, leaf in enumerate(leaves)}
        with replacing(path) as stream:
            notes = json.dumps({"done": self.done, "seconds": self.seconds})
            np.savez(stream, allow_pickle=False, key=np.array(key), notes=notes, **arrays)

    def restored(self, path: str | os.PathLike[str], key: str) -> State | None:
        """The state in a file, shaped as this one; None if there is none of that key, or it is damaged."""
        leaves, tree = jax.tree_util.tree_flatten(self._parts())
        try:
            with np.load(path, allow_pickle=False) as archive:
                if str(archive[KEY]) != key:
                    return None
                notes = json.loads(str(archive["notes"]))
                done, seconds = int(notes["done"]), float(notes["seconds"])
                found = [archive[f"leaf_{i}"] for i in range(len(leaves))]
        except Exception:  # zip, zlib, npy header: what a crash of the machine left half-written is no checkpoint
            return None
        if any(a.shape != np.shape(b) or a.dtype != np.asarray(b).dtype for a, b in zip(found, leaves, strict=True)):
            return None
        dispatcher, robots, critic, own, other = jax.tree_util.tree_unflatten(tree, found)
        state = State(dispatcher, robots, critic, own, other, done, seconds)
        return state if state.sound and done >= 0 else None


def plain(network: Network) -> list[tuple[np.ndarray, np.ndarray]]:
    """Weights and biases as numpy arrays."""
    return [(np.asarray(weights), np.asarray(biases)) for weights, biases in network]
