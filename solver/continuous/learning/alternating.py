"""ALTERNATING-MARL on the continuous warehouse: the dispatcher by cross-entropy, the robots by TRPO, PPO or A2C.

Every alternation has random streams of its own, so a run that was killed goes on from its checkpoint as if nothing had
been. A run in which a number ceases to be finite ends there, and the policies before that alternation are kept.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

import meanfleet
from meanfleet.config.line import LearningConfig

from ..experience import episodes, labelled_samples
from ..networks import Layers, NetworkDispatcher, fast, greedy, logits
from ..rollouts import Estimate, roll
from ..warehouse import ContinuousWarehouse
from .objectives import Batch, log_policy
from .state import State, plain
from .updates import ascend, fit_critic, fit_dispatcher, natural_step

Progress = Callable[[str], None]
WEIGHTS, DISPATCHER, ROBOTS = range(3)  # random streams apart from each other
NAMING = 102  # stream of the fleets whose mode is named, apart from those that returns are measured on
SCREEN = (60, 50)  # fleets and ticks that decide which of several runs stays


@dataclass(frozen=True, eq=False)
class Learned:
    """Both policies, as plain arrays.

    Attributes:
        k: robots polled per tick.
        dispatcher: shares per bin -> logits of a_g.
        robots: (s_g, s_i) -> logits of a_l.
        trace: of every alternation since the run was begun or resumed, what was measured on the way.
        diverged: the alternation that was given up because a number was not finite, counted from 1; None: none.
        seconds: [s, wall] of learning, before it was resumed too; of all runs where this is the best of several.
    """

    k: int
    dispatcher: Layers
    robots: Layers
    trace: tuple[dict[str, float], ...]
    diverged: int | None
    seconds: float = 0.0

    def estimate(self, warehouse: ContinuousWarehouse, fleets: int, horizon: int, seed: int) -> Estimate:
        """Return of new fleets, both policies greedy."""
        dispatcher = NetworkDispatcher(fast(self.dispatcher), self.k)
        return Estimate.of(roll(warehouse, dispatcher, greedy(fast(self.robots)), fleets, horizon, seed).returns)

    def accuracy(self, warehouse: ContinuousWarehouse, fleets: int, seed: int) -> float:
        """Share of new fleets whose true mode the dispatcher names from k of their robots."""
        rng = np.random.default_rng([seed, 0, NAMING])
        seen, modes = labelled_samples(warehouse, self.k, fleets, rng)
        return float((logits(self.dispatcher, seen).argmax(axis=1) == modes).mean())


def learn(
    warehouse: ContinuousWarehouse,
    k: int,
    options: LearningConfig,
    seed: int = 0,
    *,
    checkpoint: str | os.PathLike[str] | None = None,
    progress: Progress | None = None,
) -> Learned:
    """One run. With a checkpoint it is kept after every alternation, and a call that was killed goes on from there."""
    state = State.new(warehouse.bins, len(warehouse.moves), options, np.random.default_rng([seed, WEIGHTS]))
    path = None if checkpoint is None else Path(checkpoint)
    key = f"{warehouse!r} k={k} seed={seed} {options.model_dump_json()} {meanfleet.__version__}"
    if path is not None:
        state = state.restored(path, key) or state
    trace, diverged = [], None
    while state.done < options.alternations and diverged is None:
        began = time.perf_counter()
        after, notes = _alternation(warehouse, k, options, seed, state)
        if not after.sound or not np.isfinite(list(notes.values())).all():
            diverged = state.done + 1
            break
        state = replace(after, seconds=state.seconds + time.perf_counter() - began)
        trace.append(notes)
        if path is not None:
            state.save(path, key)
        if progress is not None:
            progress(f"k = {k}, alternation {state.done} of {options.alternations}")
    return Learned(k, plain(state.dispatcher), plain(state.robots), tuple(trace), diverged, state.seconds)


def best_of_runs(
    warehouse: ContinuousWarehouse,
    k: int,
    options: LearningConfig,
    seed: int = 0,
    *,
    folder: Path | None = None,
    progress: Progress | None = None,
) -> Learned:
    """The best of `options.runs` runs from different weights, by a first evaluation; checkpoints go to `folder`."""
    runs = []
    for run in range(options.runs):
        file = None if folder is None else folder / f"k{k}-run{run}.npz"
        runs.append(learn(warehouse, k, options, seed * options.runs + run, checkpoint=file, progress=progress))
    first = [run.estimate(warehouse, *SCREEN, seed).mean for run in runs]
    return replace(runs[int(np.argmax(first))], seconds=sum(run.seconds for run in runs))


def _alternation(
    warehouse: ContinuousWarehouse, k: int, options: LearningConfig, seed: int, state: State
) -> tuple[State, dict[str, float]]:
    """The dispatcher's response, then the robots'."""
    rng = np.random.default_rng([seed, DISPATCHER, state.done])
    seen, modes = labelled_samples(warehouse, k, options.samples, rng)
    dispatcher, memory, loss = fit_dispatcher(state.dispatcher, state.dispatcher_memory, seen, modes, options)
    batch = _batch(warehouse, k, options, dispatcher, state, np.random.default_rng([seed, ROBOTS, state.done]))
    robots, critic, robots_memory, notes = _robots(state, batch, options)
    notes |= {"cross_entropy": float(loss), "robot_return": float(batch.returns.mean())}
    return State(dispatcher, robots, critic, memory, robots_memory, state.done + 1), notes


def _batch(
    warehouse: ContinuousWarehouse,
    k: int,
    options: LearningConfig,
    dispatcher: Any,
    state: State,
    rng: np.random.Generator,
) -> Batch:
    """Experience under both policies, its advantages over the critic's guess normalised."""
    found = episodes(
        warehouse, plain(dispatcher), plain(state.robots), k, options.episodes, options.horizon, options.learners, rng
    )
    advantages = found.returns - logits(plain(state.critic), found.seen)[:, 0]
    advantages = (advantages - advantages.mean()) / (advantages.std() + 1e-8)
    old = np.asarray(log_policy(state.robots, found.seen))
    return Batch(found.seen, found.moves, found.returns, advantages, old)


def _robots(state: State, batch: Batch, options: LearningConfig) -> tuple[Any, Any, Any, dict[str, float]]:
    """Policy, critic and Adam's memory after the robots' response, and what was measured."""
    if options.algorithm == "trpo":
        robots, share, kl = natural_step(state.robots, batch, options)
        critic, memory, loss = fit_critic(state.critic, state.robots_memory, batch, options)
        return robots, critic, memory, {"step": float(share), "kl": float(kl), "loss": float(loss)}
    (robots, critic), memory, loss = ascend((state.robots, state.critic), state.robots_memory, batch, options)
    return robots, critic, memory, {"loss": float(loss)}
