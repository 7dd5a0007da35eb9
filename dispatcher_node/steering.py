"""A run's dispatcher: what the configuration says, and what a command line or a node's parameters change of it."""

from __future__ import annotations

from dataclasses import dataclass

from meanfleet.config import Config
from meanfleet.config.families import family_of
from meanfleet.safety import excluded
from meanfleet.solver.bundle.policy import PolicyBundle

from .dispatcher import Dispatcher, Rule, check_polling
from .sampling import design_from_config


@dataclass(frozen=True)
class Steering:
    """How a run's dispatcher differs from its configuration; None and "" keep what that says.

    Attributes:
        k: robots polled per tick; also takes the place of a budget.
        observer: memoryless, dirichlet or particle.
        sampling: uniform, oldest, stratified, nearest, weighted or graphon.
        rho: share of the belief that survives a tick.
        kappa: κ of the policy's filter to ask.
        exclude: robots that are not polled; "" in it names nobody.
    """

    k: int | None = None
    observer: str = ""
    sampling: str = ""
    rho: float | None = None
    kappa: int | None = None
    exclude: tuple[str, ...] = ()

    def polls_per_tick(self, config: Config) -> float | None:
        """What the configuration's budget allows per tick; None: k counts."""
        settings = config.dispatcher
        if self.k is not None or settings.polls_per_minute is None:
            return None
        return settings.polls_per_minute * settings.tick / 60

    def check(self, config: Config, bundle: PolicyBundle) -> None:
        """Raise UserError unless bundle and configuration can run it."""
        settings = config.dispatcher
        check_polling(
            bundle,
            len(config.robots),
            self.k or settings.k,
            self.observer or settings.observer,
            settings.rho if self.rho is None else self.rho,
            self.polls_per_tick(config),
            "the policy",
            self.kappa,
        )
        design_from_config(config, self.sampling)

    def dispatcher(self, config: Config, bundle: PolicyBundle, seed: int, rule: Rule = "learned") -> Dispatcher:
        """The dispatcher.

        Raises:
            UserError: as `Dispatcher`.
        """
        settings = config.dispatcher
        kind: type[Dispatcher] = family_of(config).dispatcher
        return kind(
            bundle,
            config.robots,
            self.k or settings.k,
            self.observer or settings.observer,
            seed,
            settings.priority_dynamics,
            rule,
            sampling=design_from_config(config, self.sampling),
            rho=settings.rho if self.rho is None else self.rho,
            kappa=self.kappa,
            polls_per_tick=self.polls_per_tick(config),
            exclude=excluded(self.exclude, config),
            particles=settings.particles,
            kinds=config.type_of,
        )
