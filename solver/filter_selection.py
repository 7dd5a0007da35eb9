"""How a dispatcher that remembers runs n robots best: κ, ρ per k, and how Q_κ is asked (math.md §7).

All by rollouts under common random numbers. κ, or half of it, is settled at the largest k, where decisions are finest;
ρ at every k; whether to ask Q_κ at the nearest histogram too. The posterior mean costs a sum over all histograms of
κ robots per tick, so it is compared once, at the smallest k, where the belief is widest, and only if affordable.

What γ counts is over before a fleet has run for an hour. So of settings that earn the same from the start, one that
earns more after a thousand ticks is taken.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from meanfleet.base.arrays import FloatArray, IntArray

from .bundle.filtering import Deciding, FilterModel, FilterSetting
from .fleet.candidates import Candidate, Remembering
from .fleet.choice import Race, affordable, paired_lead, race
from .fleet.counts import CHUNK, Estimate, discounted_horizon
from .fleet.derived import Reference
from .fleet.filtered import Observer, drift
from .game import Game
from .histograms import count_histograms
from .selection import DECISION, FILTER, FILTER_FRESH, LASTING, Selection

POSTERIOR_WORK = 300_000_000  # histograms summed over at most, in all: some seconds
SETTLED = (1000, 1500)  # ticks of a long run that count
LONG_RUNS = 16  # long ones average much out by themselves
USUAL_RHO = 0.98  # where ρ is not what is being compared


def filter_model(game: Game, reference: Reference, settings: Mapping[int, FilterSetting] | None = None) -> FilterModel:
    """The model with Q_κ as a bundle keeps it, in float32; without settings, `USUAL_RHO` interpolated for every k."""
    usual = {1: FilterSetting(USUAL_RHO, "interpolated", {})}
    return FilterModel(reference.kappa, reference.q.astype(np.float32), game.start_concentration, settings or usual)


class FilterSelection:
    """Chooses what a dispatcher that remembers decides with, for one game and fleet size."""

    def __init__(self, selection: Selection) -> None:
        self.selection, self.game, self.settings = selection, selection.game, selection.settings
        self.horizon = discounted_horizon(self.game.discount)

    def choose(self, robots: str, local_policy: FloatArray, tables: Mapping[int, IntArray]) -> FilterModel | None:
        """The model with a setting for every k of the memoryless dispatch tables [s_g, h]; None without Q_κ.

        Every setting holds its return under fresh random numbers and its lead over the table of that k.
        """
        ks = sorted(tables)
        model = self._model(robots, local_policy, ks[-1])
        if model is None:
            return None
        settings, posterior = {}, None
        for k in ks:
            winner = self._best(model, k, robots, local_policy)
            if k == ks[0]:
                winner, posterior = self._or_posterior(winner, k)
            memoryless = Candidate("memoryless", robots, tables[k], local_policy)
            settings[k] = self._setting(winner, k, memoryless, posterior if k == ks[0] else None)
        return FilterModel(model.kappa, model.q, model.prior, settings)

    def rule(
        self, model: FilterModel, rho: float, deciding: Deciding, robots: str, local_policy: FloatArray
    ) -> Remembering:
        """The dispatcher that believes robots follow π_l."""
        observer = Observer(model, drift(self.game, local_policy), rho, deciding, adaptive=True)
        name = f"remembering, κ = {model.kappa}, ρ = {rho:g}, {deciding}"
        return Remembering(name, robots, observer, local_policy)

    def usual(self, robots: str, local_policy: FloatArray, k: int, share: float = 1.0) -> Remembering | None:
        """With Q_κ of π_l, `USUAL_RHO` and interpolation; None where no Q_κ is within reach."""
        source = self.selection.reference(local_policy, k, share)
        if source is None:
            return None
        return self.rule(filter_model(self.game, source), USUAL_RHO, "interpolated", robots, local_policy)

    def _model(self, robots: str, local_policy: FloatArray, k: int) -> FilterModel | None:
        """κ of the settings, or half of it where that is ahead at 95 %."""
        rules = [self.usual(robots, local_policy, k, share) for share in (1.0, 0.5)]
        able = [one for one in rules if one is not None]
        if not able:
            return None
        fleet, stream = self.selection.fleet(k), self.selection.stream(FILTER, k, 0)
        rollouts = affordable(self.settings.rollouts // 2, self.horizon)
        returns = [one.returns(fleet, rollouts, self.horizon, stream) for one in able]
        finer = len(able) == 1 or paired_lead(returns[1], returns[0], self.horizon)["low"] <= 0
        return able[0 if finer else 1].observer.model

    def _best(self, model: FilterModel, k: int, robots: str, local_policy: FloatArray) -> Remembering:
        """The best ρ, and the better of interpolation and the nearest histogram with it."""
        if self.selection.progress is not None:
            self.selection.progress("belief", float(k))
        fleet, limit = self.selection.fleet(k), max(CHUNK, self.settings.rollouts // 2)
        rules = [self.rule(model, rho, "interpolated", robots, local_policy) for rho in self.settings.rho]
        best = self._lasting(race(fleet, rules, limit, self.selection.stream(FILTER, k, 1)), k)
        nearest = self.rule(model, best.observer.rho, "nearest", robots, local_policy)
        return self._lasting(race(fleet, [best, nearest], limit, self.selection.stream(DECISION, k, 0)), k)

    def _lasting(self, raced: Race[Remembering], k: int) -> Remembering:
        """The winner, unless one that earns the same from the start is ahead of it at 95 % in the long run."""
        best, *others = raced.undecided
        if not others:
            return best
        earned = self._long_run(best, k)
        for other in others:
            rates = self._long_run(other, k)
            if Estimate.of(rates - earned, SETTLED[1]).interval[0] > 0:
                best, earned = other, rates
        return best

    def _long_run(self, rule: Remembering, k: int) -> FloatArray:
        """Reward per tick [rollout] in the ticks SETTLED."""
        return rule.rates(self.selection.fleet(k), LONG_RUNS, SETTLED, self.selection.stream(LASTING, k))

    def _or_posterior(self, best: Remembering, k: int) -> tuple[Remembering, dict[str, Any] | None]:
        """The posterior mean instead where it is ahead at 95 %, and its lead; None where it is not affordable."""
        observer = best.observer
        size = count_histograms(observer.model.kappa, self.game.zones)
        rollouts = POSTERIOR_WORK // (size * self.horizon) // CHUNK * CHUNK
        if rollouts < CHUNK:
            return best, None
        other = self.rule(observer.model, observer.rho, "posterior", best.robots, best.local_policy)
        fleet, stream = self.selection.fleet(k), self.selection.stream(DECISION, k, 1)
        few = min(rollouts, self.settings.rollouts)
        own, mine = (one.returns(fleet, few, self.horizon, stream) for one in (other, best))
        lead = paired_lead(own, mine, self.horizon)
        return (other if lead["low"] > 0 else best), lead

    def _setting(
        self, winner: Remembering, k: int, memoryless: Candidate, posterior: dict[str, Any] | None
    ) -> FilterSetting:
        fleet, stream = self.selection.fleet(k), self.selection.stream(FILTER_FRESH, k)
        observer = winner.observer
        rollouts = affordable(self.settings.rollouts, self.horizon)
        if observer.deciding == "posterior":
            size = count_histograms(observer.model.kappa, self.game.zones)
            rollouts = max(CHUNK, min(rollouts, POSTERIOR_WORK // (size * self.horizon) // CHUNK * CHUNK))
        own, other = (one.returns(fleet, rollouts, self.horizon, stream) for one in (winner, memoryless))
        known: dict[str, Any] = Estimate.of(own, self.horizon).as_dict() | {"n": fleet.n}
        known |= {"lead": paired_lead(own, other, self.horizon)}
        known |= {} if posterior is None else {"posterior": posterior}
        if observer.deciding != "posterior":  # which sums over too many histograms for so many ticks
            rates = Estimate.of(self._long_run(winner, k), SETTLED[1])
            known["per_tick"] = {"mean": rates.mean, "error": rates.error, "ticks": list(SETTLED)}
        return FilterSetting(observer.rho, observer.deciding, known, observer.adaptive)
