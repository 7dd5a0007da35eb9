"""From a game to a policy bundle: alternation, tables for fewer robots, certificates, the n-robot value."""

from __future__ import annotations

import importlib.metadata
import os
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any

from threadpoolctl import threadpool_limits

import meanfleet
from meanfleet.bundle import PolicyBundle, Table
from meanfleet.config import SolverConfig
from meanfleet.errors import UserError

from .alternation import Equilibrium, best_equilibrium, starting_policies
from .certificate import certify
from .checkpoint import Checkpoint
from .evaluation import evaluate
from .fleet import fleet_return
from .game import FloatArray, Game
from .global_learning import learn_exact
from .next_law import OutOfReachError
from .sampled import Parameterization, check_states, learn_sampled
from .surrogate import KRobotSystem
from .tuples import learn_exact_tuples

Progress = Callable[[str, float], None]
LADDER = (1, 2, 5, 10, 20, 50, 100)


def default_tables(k: int) -> tuple[int, ...]:
    """Fewer robots may answer than were asked: a table each for k and for 1, 2, 5, 10, … below it."""
    return (*(m for m in LADDER if m < k), k)


def solve(
    game: Game,
    k: int | Sequence[int],
    seed: int = 0,
    *,
    n: int = 1000,
    settings: SolverConfig | None = None,
    sampled: Sequence[int] = (),
    samples: int = 30,
    parameterization: Parameterization = "histogram",
    progress: Progress | None = None,
    checkpoint: str | os.PathLike[str] | None = None,
) -> PolicyBundle:
    """Learn both policies and return them as a bundle.

    The alternation runs at the largest exact k; every other table is the dispatcher's best response to the π_l found.
    Where the exact backup is out of reach the sampled one takes its place, and the table's certificate says so.

    Args:
        game: the game.
        k: robots polled per tick; one number adds tables for fewer robots (`default_tables`), a list is taken as is.
        seed: for random starts, the sampled backup and the rollouts.
        n: fleet size of the n-robot value.
        settings: tolerance, starts, alternations; the defaults of `SolverConfig` otherwise.
        sampled: those of k to be learned by the sampled backup (certificate: an estimate).
        samples: draws per backup of the sampled backup.
        parameterization: states that the tables are learned over: "histogram", or "tuple" for the |S_l|^k ordered ones,
            with the same fixed point, as an oracle at small k. The alternation itself runs over histograms.
        progress: called with a label and a number as the work goes on.
        checkpoint: file in which the alternation is kept while it runs; a call that was killed goes on from it.

    Raises:
        UserError: no k, k < 1, or k too large for the parameterization.
    """
    settings = settings or SolverConfig()
    ks = default_tables(k) if isinstance(k, int) else tuple(sorted(set(k)))
    if not ks or min(ks) < 1:
        raise UserError(f"k = {k}: at least one robot must be polled")
    for m in ks:
        check_states(game, m, parameterization)  # before the alternation, not after it
    exact = [m for m in ks if m not in set(sampled)]
    # With no exact table wanted, the robots' policy still comes from an exact alternation, at a small k.
    leads = exact[::-1] if exact else [min(5, *ks)]
    key = f"{game.digest} {leads} {seed} {settings.model_dump_json()} {meanfleet.__version__}"
    with threadpool_limits(limits=1, user_api="blas"):
        equilibrium = _equilibrium(game, leads, settings, seed, progress, Checkpoint(checkpoint, key))
        tables: list[Table] = []
        for m in ks:
            if progress is not None:
                progress("table", float(m))
            tables.append(
                _table(game, m, equilibrium, settings.tolerance, m in exact, samples, n, seed, parameterization)
            )
    lead = equilibrium.surrogate.system.k
    how: dict[str, Any] = {
        "settings": settings.model_dump(mode="json")
        | {"sampled": list(sampled), "samples": samples, "parameterization": parameterization},
        "seed": seed,
        "n": n,
        "alternation": {
            "k": lead,
            "start": equilibrium.start,
            "settled": equilibrium.settled,
            "trace": list(equilibrium.trace),
        },
        "versions": {"meanfleet": meanfleet.__version__}
        | {name: importlib.metadata.version(name) for name in ("numpy", "numba", "scipy")},
    }
    return PolicyBundle(game=game, local_policy=equilibrium.policy, tables=tuple(tables), how=how)


def _equilibrium(
    game: Game, leads: Sequence[int], settings: SolverConfig, seed: int, progress: Progress | None, kept: Checkpoint
) -> Equilibrium:
    """The best equilibrium at the first k of `leads`, or at 5, or at 1, that the exact backup reaches."""
    starts = starting_policies(game, settings.starts, seed)
    refused: OutOfReachError | None = None
    for lead in (*leads, *(m for m in (5, 1) if m < min(leads))):
        try:
            found = best_equilibrium(
                KRobotSystem(game, lead),
                starts,
                settings.tolerance,
                settings.eta,
                settings.alternations,
                progress,
                kept,
            )
        except OutOfReachError as error:
            refused = error
            kept.clear()
        else:
            kept.clear()
            return found
    assert refused is not None
    raise refused


def _table(
    game: Game,
    k: int,
    equilibrium: Equilibrium,
    tolerance: float,
    exact: bool,
    samples: int,
    n: int,
    seed: int,
    parameterization: Parameterization,
) -> Table:
    reason = ""
    if exact:
        try:
            return _exact_table(game, k, equilibrium, tolerance, n, seed, parameterization)
        except OutOfReachError as error:
            reason = f" ({error})"
    return _sampled_table(game, k, equilibrium.policy, samples, n, seed, parameterization, reason)


def _exact_table(
    game: Game,
    k: int,
    equilibrium: Equilibrium,
    tolerance: float,
    n: int,
    seed: int,
    parameterization: Parameterization,
) -> Table:
    lead = equilibrium.surrogate.system.k == k and parameterization == "histogram"
    if lead:
        surrogate, best, table, value = equilibrium.surrogate, equilibrium.best, equilibrium.table, equilibrium.value
    else:
        surrogate = KRobotSystem(game, k).under(equilibrium.policy)
        if parameterization == "tuple":
            best = learn_exact_tuples(game, equilibrium.policy, k, tolerance)
        else:
            best = learn_exact(surrogate, tolerance)
        table, value = best.table, evaluate(surrogate, best.table, tolerance / 8, best.optimal.middle)
    certificate = certify(surrogate, best, table, value, tolerance, settled=lead and equilibrium.settled).as_dict()
    fleet = fleet_return(game, table, equilibrium.policy, k, n=max(n, k), seed=seed)
    return Table(k=k, dispatch=table, certificate=certificate | {"fleet": asdict(fleet) | {"n": max(n, k)}})


def _sampled_table(
    game: Game,
    k: int,
    policy: FloatArray,
    samples: int,
    n: int,
    seed: int,
    parameterization: Parameterization,
    reason: str = "",
) -> Table:
    best = learn_sampled(game, policy, k, samples, seed=seed, parameterization=parameterization)
    fleet = fleet_return(game, best.table, policy, k, n=max(n, k), seed=seed)
    certificate = {
        "k": k,
        "global_kind": f"estimate: sampled backup, {samples} draws, {best.optimal.backups} backups{reason}",
        "fleet": asdict(fleet) | {"n": max(n, k)},
    }
    return Table(k=k, dispatch=best.table, certificate=certificate)
