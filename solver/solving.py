"""From a game to a policy bundle: alternation, the best table for every k in the n-robot system, certificates."""

from __future__ import annotations

import importlib.metadata
import os
from collections.abc import Sequence
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

import meanfleet
from meanfleet.base.arrays import FloatArray, Progress
from meanfleet.base.errors import UserError
from meanfleet.config import SolverConfig

from .alternation import Equilibrium, best_equilibrium, starting_policies
from .bundle.policy import PolicyBundle, Table
from .checkpoint import Checkpoint
from .filter_robots import SHORTEST_WAY, Fitted, fitted_robots
from .filter_selection import FilterSelection
from .fleet.candidates import BEST_RESPONSE, EQUILIBRIUM, Candidate, distinct
from .fleet.robots import best_blind
from .game import Game
from .histograms import count_histograms
from .next_law import OutOfReachError
from .policies import random_pure, shortest_way
from .responses import Responses
from .sampled import Parameterization, check_states
from .selection import Choice, Selection
from .surrogate import KRobotSystem

Robots = tuple[str, FloatArray]  # name and π_l [z, s_g, a]
CHEAP = 60  # states of the k-robot system up to which a solve takes a moment, so that more are tried
MORE = 8  # random π_l to start from in addition
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

    The alternation runs at the largest exact k. At the largest k every candidate dispatch table is tried on n robots,
    with the π_l found, with robots that take the shortest way, and with robots at their best under a dispatcher that
    asks nobody. The best π_l stays, and for every k the best table with it. With `settings.observer` "dirichlet" π_l is
    fitted to the dispatcher that remembers instead. With `settings.filtering` the bundle also holds what that
    dispatcher decides with.
    Where the exact backup is out of reach the sampled one takes its place, and the table's certificate says so.

    Args:
        game: the game.
        k: robots polled per tick; one number adds tables for fewer robots (`default_tables`), a list is taken as is.
        seed: for random starts, the sampled backup and the rollouts.
        n: fleet size in which tables are chosen.
        settings: tolerance, starts, alternations, κ, rollouts; the defaults of `SolverConfig` otherwise.
        sampled: those of k to be learned by the sampled backup (certificate: an estimate).
        samples: draws per backup of the sampled backup.
        parameterization: states to learn the tables over: "histogram", or "tuple" for the `|S_l|^k` ordered ones,
            with the same fixed point, as an oracle at small k. The alternation itself runs over histograms.
        progress: called with a label and a number as the work goes on.
        checkpoint: file in which the alternation is kept while it runs; a call that was killed goes on from it.

    Raises:
        UserError: no k, k < 1, or k too large for the parameterization.
    """
    settings = settings or SolverConfig()
    tolerance = settings.tolerance * game.reward_range
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
        equilibrium = _equilibrium(game, leads, settings, seed, progress, checkpoint, key)
        proof = equilibrium.certificate(tolerance).as_dict()
        responses = Responses(game, equilibrium, tolerance, tuple(exact), samples, seed, parameterization)
        selection = Selection(game, n, settings, seed, progress)
        filters = FilterSelection(selection)
        fitted = _fitted(ks, responses, filters) if settings.observer == "dirichlet" else None
        robots, tables = _tables(ks, responses, selection, progress, fitted)
        dispatches = {table.k: table.dispatch for table in tables}
        filtering = filters.choose(*robots, dispatches) if settings.filtering else None
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
            "certificate": proof,
        },
        "versions": {"meanfleet": meanfleet.__version__}
        | {name: importlib.metadata.version(name) for name in ("numpy", "numba", "scipy")},
    }
    if fitted is not None:
        how["robots"] = fitted.report
    return PolicyBundle(game=game, local_policy=robots[1], tables=tables, how=how, filtering=filtering)


def _equilibrium(
    game: Game,
    leads: Sequence[int],
    settings: SolverConfig,
    seed: int,
    progress: Progress | None,
    checkpoint: str | os.PathLike[str] | None,
    key: str,
) -> Equilibrium:
    """The best equilibrium at the first k of `leads`, or at 5, or at 1, that the exact backup reaches."""
    starts = starting_policies(game, settings.starts, seed)
    refused: OutOfReachError | None = None
    for lead in (*leads, *(m for m in (5, 1) if m < min(leads))):
        kept = Checkpoint(checkpoint, f"{key} {lead}")  # a pair of another k is none to go on from
        try:
            found = best_equilibrium(
                KRobotSystem(game, lead),
                [*starts, *more_starts(game, lead, seed)],
                settings.tolerance * game.reward_range,
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


def more_starts(game: Game, k: int, seed: int) -> list[Robots]:
    """Pure π_l drawn at random, in addition where a solve is cheap: an equilibrium is only a local optimum."""
    if game.priorities * count_histograms(k, game.zones) > CHEAP:
        return []
    rng = np.random.default_rng((seed, MORE))
    return [(f"random {i}", random_pure(game, rng)) for i in range(1, MORE + 1)]


def _tables(
    ks: Sequence[int],
    responses: Responses,
    selection: Selection,
    progress: Progress | None,
    fitted: Fitted | None,
) -> tuple[Robots, tuple[Table, ...]]:
    """The π_l that serves the largest k best, or that fitted to an observer, and for every k the best table with it."""
    tables: list[Table] = []
    robots = None if fitted is None else (fitted.robots, fitted.local_policy)
    for k in sorted(ks, reverse=True):
        if progress is not None:
            progress("table", float(k))
        choice = _with_any_robots(k, responses, selection) if robots is None else _with(k, robots, responses, selection)
        best = choice.winner
        robots = (best.robots, best.local_policy)
        fleet = choice.estimate.as_dict() | {"n": selection.fleet(k).n}
        certificate = responses.to(k, best.local_policy).certificate(best.table)
        tables.append(Table(k=k, dispatch=best.table, certificate=certificate | {"fleet": fleet, "rule": choice.rule}))
    assert robots is not None
    return robots, tuple(tables[::-1])


def _known_robots(responses: Responses) -> dict[str, FloatArray]:
    """The equilibrium's π_l, the shortest way, and the best under a dispatcher that asks nobody, by name."""
    blind, unasked = best_blind(responses.game)
    return {
        EQUILIBRIUM: responses.equilibrium.policy,
        SHORTEST_WAY: shortest_way(responses.game),
        f"best under {blind}": unasked,
    }


def _fitted(ks: Sequence[int], responses: Responses, filters: FilterSelection) -> Fitted:
    """The robots' π_l for the dispatcher that remembers and polls the largest k."""
    return fitted_robots(filters, _known_robots(responses), max(ks))


def _with_any_robots(k: int, responses: Responses, selection: Selection) -> Choice:
    """The best table for k robots with the equilibrium's π_l, the shortest way, or the best under a blind rule."""
    pool: list[Candidate] = []
    for name, policy in _known_robots(responses).items():
        # A best response to a π_l that may not win is not worth its backups yet.
        own = (EQUILIBRIUM, responses.to(k, policy).table) if name == EQUILIBRIUM else None
        pool += selection.candidates(k, policy, name, own)
    choice = selection.choose(k, distinct(pool))
    robots = choice.winner
    if robots.robots == EQUILIBRIUM:
        return choice
    best = Candidate(BEST_RESPONSE, robots.robots, responses.to(k, robots.local_policy).table, robots.local_policy)
    return selection.choose(k, distinct([*pool, best]))


def _with(k: int, robots: Robots, responses: Responses, selection: Selection) -> Choice:
    """The best table for k robots with a named π_l."""
    robots_name, policy = robots
    own = (EQUILIBRIUM if robots_name == EQUILIBRIUM else BEST_RESPONSE, responses.to(k, policy).table)
    return selection.choose(k, selection.candidates(k, policy, robots_name, own))
