"""One measurement of bench/solver.py: `python bench/solver_methods.py METHOD K TOLERANCE`, in a process of its own.

Every method solves the same Markov decision process, the dispatcher's best response to shortest-way robots on the
paper's game, from the game's arrays on: building its model is part of its time. Compilation is not: a run at a small k
comes first, one that bench/solver.py does not measure by default. Once the clock has stopped, one exact backup of the
values found gives an interval that contains the optimum (bounds hold for any V), whatever the method says of itself.
"""

from __future__ import annotations

import importlib.util
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from measuring import ROOT, report, timed

from meanfleet.solver import Game, policies
from meanfleet.solver.global_learning import learn_exact
from meanfleet.solver.histograms import count_histograms, enumerate_histograms, rank
from meanfleet.solver.sampled import learn_sampled
from meanfleet.solver.surrogate import KRobotSystem

WARM_UP = {"exact": 16}  # past the size at which its threads begin


@dataclass(frozen=True)
class Task:
    """The game, π_l, k and the width of the interval that is asked for."""

    game: Game
    policy: np.ndarray
    k: int
    tolerance: float


@dataclass(frozen=True)
class Answer:
    """Values [s_g, h], what the method says of them, and for peers the seconds that were not spent on the model."""

    values: np.ndarray
    kind: str
    backups: int | None = None
    solving: float | None = None


def exact(task: Task) -> Answer:
    """meanfleet's exact backup."""
    found = learn_exact(KRobotSystem(task.game, task.k).under(task.policy), task.tolerance)
    return Answer(found.optimal.middle, f"proven {2 * found.optimal.half:.1e}", found.optimal.backups)


def sampled(task: Task) -> Answer:
    """The paper's operator with 30 draws, as `meanfleet solve --sampled` runs it."""
    found = learn_sampled(task.game, task.policy, task.k, samples=30)
    return Answer(found.optimal.middle, "estimate", found.optimal.backups)


def transitions(task: Task) -> np.ndarray:
    """P(μ' | μ, s_g) as one dense array [s_g, μ, μ'], adding robot after robot in whole-array steps."""
    zones, laws = task.game.zones, []
    for P in np.einsum("zsa,zsay->szy", task.policy, task.game.P_l):
        law = np.ones((1, 1))
        for k in range(1, task.k + 1):
            mu, nu = enumerate_histograms(k, zones), enumerate_histograms(k - 1, zones)
            first = np.argmax(mu > 0, axis=1)
            fewer = law[rank(mu - np.eye(zones, dtype=np.int64)[first])]  # without one robot of the first zone there is
            law = np.zeros((len(mu), len(mu)))
            for j in range(zones):
                law[:, rank(nu + np.eye(zones, dtype=np.int64)[j])] += P[first, j][:, None] * fewer
        laws.append(law)
    return np.stack(laws)


def rewards(task: Task) -> np.ndarray:
    """r [s_g, μ, a_g]."""
    per_robot = np.einsum("zsa,zsa->zs", task.policy, task.game.r_l)
    fleet = (enumerate_histograms(task.k, task.game.zones) @ per_robot).T / task.k
    return np.asarray(task.game.r_g[:, None, :] + fleet[:, :, None])


def dense(task: Task) -> Answer:
    """Value iteration with the dense operator and the exact method's own stopping rule."""
    laws, reward, gamma = transitions(task), rewards(task), task.game.discount
    values, scale = np.zeros(reward.shape[:2]), gamma / (1 - gamma)
    width, backups = np.inf, 0
    while width > task.tolerance:
        ahead = laws @ values.T
        after = (reward + gamma * np.einsum("sht,sat->sha", ahead, task.game.P_g, optimize=True)).max(axis=2)
        change = after - values
        values = after + scale * (change.min() + change.max()) / 2
        width, backups = scale * (change.max() - change.min()), backups + 1
    return Answer(values, f"proven {width:.1e}", backups)


def explicit(task: Task) -> tuple[np.ndarray, np.ndarray]:
    """Rewards [state, a_g] and transitions [state, a_g, state'] over states (s_g, μ), as peers want them."""
    laws = transitions(task)
    size = laws.shape[0] * laws.shape[1]
    P = np.empty((laws.shape[0], laws.shape[1], task.game.dispatches, laws.shape[0], laws.shape[1]))
    for s, law in enumerate(laws):
        np.multiply(task.game.P_g[s][None, :, :, None], law[:, None, None, :], out=P[s])
    return rewards(task).reshape(size, -1), P.reshape(size, task.game.dispatches, size)


def quantecon(task: Task, variant: str) -> Answer:
    """QuantEcon's DiscreteDP in product form, dense: no transition here is 0."""
    from quantecon.markov import DiscreteDP

    R, P = explicit(task)
    model = DiscreteDP(R, P, task.game.discount)
    began = time.perf_counter()
    found = model.solve(method=variant, epsilon=task.tolerance, max_iter=100_000)
    seconds = time.perf_counter() - began
    return Answer(np.asarray(found.v).reshape(task.game.priorities, -1), "its own rule", int(found.num_iter), seconds)


def mdpsolver(task: Task, variant: str) -> Answer:
    """mdpsolver; its interface takes nested lists only."""
    import mdpsolver as peer

    R, P = explicit(task)
    lists = P.tolist()
    del P
    model = peer.model()
    model.mdp(discount=task.game.discount, rewards=R.tolist(), tranMatWithZeros=lists)
    del lists
    algorithm, update = variant.split("/")
    began = time.perf_counter()
    model.solve(algorithm=algorithm, update=update, tolerance=task.tolerance)
    seconds = time.perf_counter() - began
    values = np.array(model.getValueVector()).reshape(task.game.priorities, -1)
    return Answer(values, "its own rule", solving=seconds)


OWN: dict[str, Callable[[Task], Answer]] = {"exact": exact, "sampled": sampled, "dense": dense}
PEERS: dict[str, tuple[Callable[[Task, str], Answer], tuple[str, ...]]] = {
    "quantecon": (quantecon, ("mpi", "vi", "pi")),
    "mdpsolver": (mdpsolver, ("mpi/gs", "mpi/standard", "vi/standard", "pi/standard")),
}


def bytes_needed(method: str, k: int, game: Game) -> float:
    """Memory of the arrays that decide whether a method fits [bytes]; 0 where that is not the limit."""
    size = count_histograms(k, game.zones)
    if method == "dense":
        return 8.0 * size**2 * (game.priorities + 2)
    if method in PEERS:
        # Nested lists hold a pointer and an object per number.
        per_number = 8 if method == "quantecon" else 8 + 32 + 8
        return float(per_number) * (game.priorities * size) ** 2 * game.dispatches
    return 0.0


def work(method: str, task: Task) -> Answer:
    """Solve the task by a method: "exact", or with a variant "quantecon:mpi"."""
    name, _, variant = method.partition(":")
    return PEERS[name][0](task, variant) if variant else OWN[name](task)


def checked(task: Task, answer: Answer) -> dict[str, Any]:
    """Certified width of the values by one exact backup, and how far they are from the optimum known to 1e-7."""
    surrogate, gamma = KRobotSystem(task.game, task.k).under(task.policy), task.game.discount
    change = surrogate.backup_optimal(answer.values) - answer.values
    found: dict[str, Any] = {"width": float(gamma / (1 - gamma) * (change.max() - change.min()))}
    if not answer.kind.startswith("proven") or task.k <= 5:
        best = learn_exact(surrogate, 1e-7, start=answer.values)
        found["off"] = float(np.abs(answer.values - best.optimal.middle).max())
    return found


def main() -> None:
    """Warm up, measure, check, report."""
    method, k, tolerance = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
    peer = method.partition(":")[0]
    if peer in PEERS and importlib.util.find_spec(peer) is None:
        report({"failed": f"{peer} is not installed (pip install 'meanfleet[bench]')"})
        return
    game = Game.from_yaml(ROOT / "config" / "warehouse.yaml")
    policy = policies.shortest_way(game)
    work(method, Task(game, policy, WARM_UP.get(method, 3), tolerance))
    task = Task(game, policy, k, tolerance)
    answer, cost = timed(lambda: work(method, task))
    claims = {"kind": answer.kind, "backups": answer.backups, "solving": answer.solving}
    report(cost | claims | checked(task, answer))


if __name__ == "__main__":
    main()
