"""Shares at which Γ is improved: from the start law, and along paths of the dispatcher that Γ makes."""

from __future__ import annotations

import numpy as np
from numpy.random import Generator

from meanfleet.base.arrays import FloatArray, IntArray

from .backups import Lookahead, for_states
from .model import MeanField


def start_states(model: MeanField, count: int, rng: Generator) -> IntArray:
    """Global states from the start law [point]."""
    return np.asarray(rng.choice(model.states, count, p=model.start_priority), dtype=np.int64)


def start_shares(model: MeanField, count: int, rng: Generator) -> FloatArray:
    """Shares from the start law, float64 [point, z]."""
    return np.asarray(rng.dirichlet(model.start_concentration, count))


def dispatches(lookahead: Lookahead, states: IntArray, shares: FloatArray) -> IntArray:
    """The greedy dispatch at every (s_g, m) [point]."""
    out = np.empty(len(states), dtype=np.int64)
    lookahead.prepare()

    def fill(state: int) -> None:
        here = np.flatnonzero(states == state)
        if len(here):
            out[here] = lookahead.choices(state, shares[here]).dispatch

    for_states(lookahead.model.states, fill)
    return out


def next_states(model: MeanField, states: IntArray, dispatch: IntArray, uniform: FloatArray) -> IntArray:
    """s_g' by inversion: the first end whose cumulated weight exceeds the uniform number in [0, 1) [point]."""
    rows = model.row_of[states, dispatch]
    reached = np.cumsum(model.row_weight[rows], axis=1)
    end = (uniform[:, None] * reached[:, -1:] >= reached).sum(axis=1)
    return np.asarray(model.row_next[rows, np.minimum(end, reached.shape[1] - 1)])


def moved(model: MeanField, states: IntArray, shares: FloatArray) -> FloatArray:
    """m P̃[s] for every (s, m), float64 [point, z]."""
    out, group = np.empty_like(shares), model.step_of[states]
    for one in np.unique(group):
        here = group == one
        out[here] = shares[here] @ model.steps[one]
    return out


def paths(lookahead: Lookahead, count: int, ticks: int, random: float, rng: Generator) -> tuple[IntArray, FloatArray]:
    """States [tick, path] and shares [tick, path, z] of greedy paths, some dispatches of which are drawn at random."""
    model = lookahead.model
    states, shares = start_states(model, count, rng), start_shares(model, count, rng)
    seen_states, seen_shares = [states], [shares]
    for _ in range(ticks - 1):
        dispatch = dispatches(lookahead, states, shares)
        lost = rng.random(count) < random
        dispatch = np.where(lost, rng.integers(model.dispatches, size=count), dispatch)
        after = next_states(model, states, dispatch, rng.random(count))
        shares = moved(model, states if lookahead.late else after, shares)
        states = after
        seen_states.append(states)
        seen_shares.append(shares)
    return np.array(seen_states), np.array(seen_shares)


def gathered(
    lookahead: Lookahead, starts: int, later: int, ticks: int, random: float, rng: Generator
) -> list[FloatArray]:
    """Points [point, z] for every s_g: `starts` from the start law, and at most `later` from paths."""
    model = lookahead.model
    count = max(1, int(1.5 * later * model.states / ticks))
    states, shares = paths(lookahead, count, ticks, random, rng)
    after, at = states[1:].ravel(), shares[1:].reshape(-1, model.zones)
    found = []
    for state in range(model.states):
        here = np.flatnonzero(after == state)
        kept = rng.permutation(here)[:later]
        found.append(np.concatenate([start_shares(model, starts, rng), at[kept]]))
    return found
