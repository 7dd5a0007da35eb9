"""Learning in Markov games the slow way: the wrapped chain over (s, a, s') written out, one update at a time.

Laws are float [s, a, s'], rewards [player, s, a], joint actions numbered with player 0 most significant.
A learner is a dict with rule, alpha, discount, tau, epsilon, beta; its parameters: Q or θ by [o][b], V by [o].
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

Tables = list[list[list[float]]]  # [player][o][b]
Critics = list[list[float]]  # [player][o]


def policy(learner: dict[str, Any], row: Sequence[float]) -> list[float]:
    """Chance of every action, given the row of the observation."""
    gradient = learner["rule"] == "policy_gradient"
    tau, epsilon = (1.0, 0.0) if gradient else (learner["tau"], learner["epsilon"])
    weights = [math.exp((q - max(row)) / tau) for q in row]
    return [(1 - epsilon) * w / sum(weights) + epsilon / len(row) for w in weights]


def worth(learner: dict[str, Any], row: Sequence[float], critic: float) -> float:
    """What a learner thinks an observation is worth."""
    if learner["rule"] == "policy_gradient":
        return critic
    if learner["rule"] == "sarsa":
        return sum(p * q for p, q in zip(policy(learner, row), row, strict=True))
    return max(row)


def update(
    game: dict[str, Any], learners: list[dict[str, Any]], tables: Tables, critics: Critics, i: int, event: Any
) -> tuple[np.ndarray, np.ndarray]:
    """f_i(x; s, a, r_i, s'): change of table [o, b] and critic [o] of player i. An event is (s, joint action, s')."""
    s, joint, after = event
    learner, actions = learners[i], game["actions"]
    o, o2, b = game["observation"][i][s], game["observation"][i][after], joint[i]
    row, gamma = tables[i][o], learner["discount"]
    change, critic = np.zeros(np.shape(tables[i])), np.zeros(len(tables[i]))

    def number(a: Sequence[int]) -> int:
        return int(np.ravel_multi_index(tuple(a), actions))

    def value(state: int) -> float:
        seen = game["observation"][i][state]
        return worth(learner, tables[i][seen], critics[i][seen])

    reward = game["rewards"][i][s][number(joint)]
    if learner["rule"] == "counterfactual":
        for c in range(actions[i]):
            a = number([*joint[:i], c, *joint[i + 1 :]])
            ahead = sum(game["transitions"][s][a][t] * value(t) for t in range(len(game["transitions"])))
            change[o, c] += learner["alpha"] * (game["rewards"][i][s][a] + gamma * ahead - row[c])
    elif learner["rule"] == "policy_gradient":
        delta = reward + gamma * critics[i][o2] - critics[i][o]
        for c, p in enumerate(policy(learner, row)):
            change[o, c] += learner["alpha"] * delta * ((c == b) - p)
        critic[o] += learner["beta"] * delta
    else:
        change[o, b] += learner["alpha"] * (reward + gamma * value(after) - row[b])
    return change, critic


def wrapped_chain(
    game: dict[str, Any], learners: list[dict[str, Any]], tables: Tables
) -> tuple[list[Any], np.ndarray, np.ndarray]:
    """Events (s, a, s') of positive chance, the chain over them, and its stationary law by least squares."""
    law = np.asarray(game["transitions"])
    states, players = len(law), len(learners)
    joints = list(itertools.product(*(range(m) for m in game["actions"])))

    def chance(s: int, joint: Sequence[int], t: int) -> float:
        p = law[s, int(np.ravel_multi_index(tuple(joint), game["actions"])), t]
        for i in range(players):
            p *= policy(learners[i], tables[i][game["observation"][i][s]])[joint[i]]
        return float(p)

    events = [(s, a, t) for s in range(states) for a in joints for t in range(states) if chance(s, a, t) > 0]
    chain = np.array([[chance(*after) if after[0] == event[2] else 0.0 for after in events] for event in events])
    system = np.vstack([chain.T - np.eye(len(events)), np.ones(len(events))])
    right = np.append(np.zeros(len(events)), 1.0)
    return events, chain, np.linalg.lstsq(system, right, rcond=None)[0]


def drift(
    game: dict[str, Any], learners: list[dict[str, Any]], tables: Tables, critics: Critics
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Σ_e ν(e) f_i(x, e) for every player: tables [o, b] and critics [o]."""
    events, _, nu = wrapped_chain(game, learners, tables)
    result = []
    for i in range(len(learners)):
        parts = [update(game, learners, tables, critics, i, event) for event in events]
        result.append(tuple(sum(p * part[j] for p, part in zip(nu, parts, strict=True)) for j in range(2)))
    return result  # type: ignore[return-value]
