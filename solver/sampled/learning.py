"""G-LEARN as the paper has it: value iteration with the empirical operator (math.md §2),

    (T̂ Q)(s_g, μ, a_g) = R + (γ/m) Σ_{j ≤ m} max_a Q(s_j', μ_j', a),    (s_j', μ_j') fresh draws of the next state,

with R the mean reward, or the average of Ξ draws where rewards are stochastic (Appendix F; see `rewards`). The error
against the exact Q falls as 1/√m (and 1/√Ξ); it is estimated, not proven.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from meanfleet.base.arrays import FloatArray, Progress
from meanfleet.base.errors import UserError

from ..bounds import ValueInterval
from ..game import Game
from ..global_learning import BestDispatch, first_best
from ..rewards import RewardDraws, RewardLaws
from .states import Parameterization, States, states_of


def learn_sampled(
    game: Game,
    local_policy: FloatArray,
    k: int,
    samples: int = 30,
    tolerance: float = 0.05,
    max_backups: int = 200,
    seed: int = 0,
    progress: Progress | None = None,
    *,
    parameterization: Parameterization = "histogram",
    rewards: RewardLaws | None = None,
    reward_draws: int = 30,
) -> BestDispatch:
    """The paper's G-LEARN: `samples` draws per (s_g, μ, a_g) and backup.

    Ends when the mean value changes by less than `tolerance`·(1−γ) between backups, or after `max_backups`.
    The interval is that of the last empirical backup: an estimate.

    Args:
        game: the game.
        local_policy: π_l [z, s_g, a].
        k: robots polled.
        samples: m.
        tolerance: of the mean value [reward].
        max_backups: at most.
        seed: same seed, same result.
        progress: called with a label and a number.
        parameterization: "histogram", or "tuple" for the |S_l|^k ordered states; results are by histograms, for tuples
            the mean over orderings.
        rewards: distributions whose means are the game's rewards; without them the means are used.
        reward_draws: Ξ.

    Raises:
        UserError: k or a number of draws below 1, too many states, or `rewards` of another game.
    """
    if min(samples, max_backups) < 1:
        raise UserError(f"{samples} samples, {max_backups} backups: expected at least 1 of each")
    states = states_of(game, local_policy, k, parameterization)
    reward = _rewards(game, local_policy, states, rewards, reward_draws, seed)
    last: list[FloatArray] = []

    def operator(values: FloatArray, backup: int, seed: int) -> FloatArray:
        last[:] = [reward(backup) + game.discount * states.futures(values, samples, seed)]
        return np.asarray(last[0].max(axis=2))

    start = np.zeros((game.priorities, len(states.counts)))
    found = empirical_fixed_point(operator, start, game.discount, tolerance, max_backups, seed, progress)
    q = states.by_histogram(last[0])
    interval = ValueInterval(states.by_histogram(found.middle), found.half, found.backups)
    return BestDispatch(first_best(q), q, interval, exact=False)


def empirical_fixed_point(
    operator: Callable[[FloatArray, int, int], FloatArray],
    values: FloatArray,
    discount: float,
    tolerance: float,
    max_backups: int,
    seed: int,
    progress: Progress | None = None,
) -> ValueInterval:
    """Iterate an empirical operator(V, number of the backup, seed) until the mean value hardly changes.

    Ends when it changes by less than `tolerance`·(1−γ), or after `max_backups`; the interval is an estimate.
    """
    seeds = np.random.SeedSequence(seed).generate_state(max_backups).astype(np.int64)
    scale = discount / (1 - discount)
    for backup in range(max_backups):
        after = operator(values, backup, int(seeds[backup]))
        change = after - values
        low, high = float(change.min()), float(change.max())
        # Shifting by a constant leaves the greedy policy alone and removes the slow γ^t part of the convergence.
        values = after + scale * float(change.mean())
        half = scale * (high - low) / 2
        if progress is not None:
            progress("backup", 2 * half)
        if abs(float(change.mean())) < tolerance * (1 - discount) and backup > 0:
            break
    return ValueInterval(values, half, backup + 1)


def _rewards(
    game: Game, local_policy: FloatArray, states: States, laws: RewardLaws | None, draws: int, seed: int
) -> Callable[[int], FloatArray]:
    """Reward [s_g, state, a_g] of the backup with a given number."""
    if laws is not None:
        laws.check(game)
        source = RewardDraws(laws, local_policy, states.counts, draws)
        # A stream of its own, so that the next states are those drawn without stochastic rewards.
        return lambda backup: source.mean(int(np.random.SeedSequence([seed, 1, backup]).generate_state(1)[0]))
    fleet = states.counts @ np.einsum("zsa,zsa->zs", local_policy, game.r_l) / states.counts.sum(axis=1)[:, None]
    mean = game.r_g[:, None, :] + fleet.T[:, :, None]
    return lambda backup: mean
