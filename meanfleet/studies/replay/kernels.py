"""Compiled twin of `Dispatcher` under uniform sampling, for replays by the ten thousand.

It draws the same robots from the same generator, replaces those that do not answer as `Dispatcher.more` does, and
decides the same tick by tick; beliefs are those of `solver.fleet.beliefs`, equal up to the order of sums.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from meanfleet.base.arrays import BoolArray, FloatArray, IntArray
from meanfleet.solver.fleet.beliefs import Memory, begin, decide, drift_on, learn


@njit(cache=True, nogil=True)
def ask(zones: IntArray, k: int, draws: np.random.Generator, drawn: BoolArray, answers: IntArray) -> tuple[int, int]:
    """Draw different robots until k have answered or all were asked; returns how many were asked and answered.

    Mutates `drawn` [robot], `answers` [k] (zones in the order of the draws) and `draws`.
    """
    drawn[:] = False
    asked, heard, n = 0, 0, len(zones)
    while heard < k and asked < n:
        robot = draws.integers(0, n)
        if not drawn[robot]:
            drawn[robot] = True
            asked += 1
            if zones[robot] >= 0:
                answers[heard] = zones[robot]
                heard += 1
    return asked, heard


@njit(cache=True, nogil=True)
def distance(estimate: FloatArray, counts: IntArray) -> float:
    """Total variation between the shares of `estimate` [zone] and of `counts` [zone]; a sum of 0 means equal shares."""
    total, n, gap = estimate.sum(), counts.sum(), 0.0
    if n == 0:
        return 0.0
    for z in range(counts.shape[0]):
        share = estimate[z] / total if total > 0.0 else 1.0 / counts.shape[0]
        gap += abs(share - counts[z] / n)
    return gap / 2


@njit(cache=True, nogil=True)
def replay_memoryless(
    zones: IntArray,
    counts: IntArray,
    priority: IntArray,
    k: int,
    table_for: IntArray,
    begins: IntArray,
    tables: IntArray,
    ranks: IntArray,
    dispatches: int,
    draws: np.random.Generator,
    dispatch: IntArray,
    gap: FloatArray,
    asked: IntArray,
    heard: IntArray,
) -> None:
    """Every tick of one seed without memory.

    `table_for` [m] is the k' of the table that m answers fill (0: none), `begins` [k'] where its columns begin in
    `tables` [s_g, column]; `ranks` is `counting_table(k, zones)`.
    Mutates `dispatch`, `gap`, `asked`, `heard` (all [tick]) and `draws`.
    """
    size = counts.shape[1]
    drawn, answers = np.zeros(zones.shape[1], np.bool_), np.zeros(k, np.int64)
    sample, estimate = np.zeros(size, np.int64), np.zeros(size)
    for t in range(zones.shape[0]):
        asked[t], heard[t] = ask(zones[t], k, draws, drawn, answers)
        m = heard[t]
        estimate[:] = 0.0
        for i in range(m):
            estimate[answers[i]] += 1.0
        gap[t] = distance(estimate, counts[t])
        used = table_for[m]
        if used == 0:
            dispatch[t] = priority[t] % dispatches
            continue
        sample[:] = 0
        if used < m:
            order = draws.permutation(np.arange(m))
            for i in range(used):
                sample[answers[order[i]]] += 1
        else:
            for i in range(m):
                sample[answers[i]] += 1
        rest, h = used, 0
        for z in range(size - 1):
            rest -= sample[z]
            h += ranks[rest, size - z]
        dispatch[t] = tables[priority[t], begins[used] + h]


@njit(cache=True, nogil=True)
def replay_remembering(
    zones: IntArray,
    counts: IntArray,
    priority: IntArray,
    k: int,
    memory: Memory,
    dispatches: int,
    draws: np.random.Generator,
    dispatch: IntArray,
    gap: FloatArray,
    asked: IntArray,
    heard: IntArray,
) -> None:
    """Every tick of one seed with a Dirichlet belief. Mutates `dispatch`, `gap`, `asked`, `heard` and `draws`."""
    size = counts.shape[1]
    drawn, answers = np.zeros(zones.shape[1], np.bool_), np.zeros(k, np.int64)
    sample, alpha = np.zeros(size, np.int64), np.zeros(size)
    values, scratch = np.empty(dispatches), np.empty((3, size))
    rivals, scores = np.empty((memory.rhos.shape[0], size)), np.empty(memory.rhos.shape[0])
    begin(memory, alpha, rivals, scores)
    for t in range(zones.shape[0]):
        asked[t], heard[t] = ask(zones[t], k, draws, drawn, answers)
        sample[:] = 0
        for i in range(heard[t]):
            sample[answers[i]] += 1
        rho = learn(memory, alpha, rivals, scores, sample)
        gap[t] = distance(alpha, counts[t])
        if heard[t] == 0:  # nobody answered: nothing is decided
            dispatch[t] = priority[t] % dispatches
        else:
            dispatch[t] = decide(memory, priority[t], alpha, values, scratch)
        drift_on(memory, priority[t], rho, alpha, rivals, scratch[0])
