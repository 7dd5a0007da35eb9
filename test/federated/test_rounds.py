"""Data, descent and rounds of federated optimization against slow oracles and plain descent."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meanfleet.base.errors import UserError
from meanfleet.config.federated import FederatedConfig
from meanfleet.studies.federated.counting import Counts, RandomTables
from meanfleet.studies.federated.data import LABELS, Split, deal, gathered, split, with_constant
from meanfleet.studies.federated.regression import accuracy, descend, gradients, losses
from meanfleet.studies.federated.rounds import Fixed, Server, levels_of, run
from naive import federated as naive

L2 = 0.01
OPTIONS: dict[str, Any] = {
    "clients": 6,
    "shards": 2,
    "learning_rate": 0.3,
    "l2": L2,
    "levels": [0.5, 1.5],
    "broadcasts": [
        {"name": "half", "step": 0.5},
        {"name": "full", "step": 1.0},
        {"name": "memory", "step": 1.0, "memory": True},
    ],
    "works": [{"name": "one", "steps": 1}, {"name": "held", "steps": 4, "proximal": 0.7}],
    "fedavg": {"broadcast": "full", "work": "one"},
    "explore": 2,
    "rounds": 12,
    "last": 3,
}
HALF, FULL, MEMORY = range(3)


def options(**changes: Any) -> FederatedConfig:
    return FederatedConfig(**(OPTIONS | changes))


def toy(seed: int, samples: int = 60, features: int = 4) -> tuple[np.ndarray, np.ndarray]:
    """Points around ten centres: features with a constant, and labels."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(LABELS, size=samples)
    return with_constant(
        rng.normal(size=(LABELS, features))[labels] + 0.3 * rng.normal(size=(samples, features))
    ), labels


def toy_split(seed: int, clients: int = 6) -> Split:
    x, labels = toy(seed)
    return split(x, labels, clients, 2, 0.2, np.random.default_rng(seed))


# --- data


@settings(max_examples=50, deadline=None)
@given(st.integers(1, 12), st.integers(1, 3), st.integers(0, 40), st.integers(0, 2**32 - 1))
def test_a_deal_is_a_partition_of_equal_shares(clients: int, shards: int, more: int, seed: int) -> None:
    """Every sample has one owner; clients differ by one sample per shard at most, and hold few labels."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(LABELS, size=clients * shards + more)
    hands = deal(labels, clients, shards, rng)
    assert sorted(np.concatenate(hands).tolist()) == list(range(len(labels)))
    sizes = [len(hand) for hand in hands]
    assert max(sizes) - min(sizes) <= shards
    # A shard is a run of the samples in the order of their labels: each border between labels lies in one shard.
    several = sum(len(set(labels[hand].tolist())) for hand in hands)
    assert several <= clients * shards + len(set(labels.tolist())) - 1


def test_a_split_keeps_the_servers_samples_from_the_clients() -> None:
    x, labels = toy(0)
    x[:, 0] = np.arange(len(x)) + 1.0  # a mark on every sample
    parts = split(x, labels, 6, 2, 0.2, np.random.default_rng(3))
    dealt = parts.clients.x[parts.clients.weight > 0][:, 0]
    assert len(parts.test_y) == 12
    assert sorted(np.concatenate([dealt, parts.test_x[:, 0]]).tolist()) == sorted(x[:, 0].tolist())
    where = parts.clients.y[parts.clients.weight > 0].argmax(axis=1)
    assert where.tolist() == labels[dealt.astype(int) - 1].tolist()
    assert parts.clients.weight.sum(axis=1) == pytest.approx(1)


def test_too_few_samples_are_refused() -> None:
    with pytest.raises(UserError, match=r"need 40 samples, but there are 39.*federated.clients"):
        deal(np.zeros(39, dtype=np.int64), 20, 2, np.random.default_rng(0))


def test_the_digits_are_those_of_scikit_learn() -> None:
    pytest.importorskip("sklearn", reason="scikit-learn, the extra 'federated', is not installed")
    from meanfleet.studies.federated.data import digits

    x, labels = digits()
    assert x.shape == (1797, 65)
    assert (x.min(), x.max(), x[:, -1].min()) == (0.0, 1.0, 1.0)
    assert sorted(set(labels.tolist())) == list(range(10))


# --- descent


def test_losses_and_gradients_are_those_of_every_client_alone() -> None:
    """Clients of different size, so that some are padded; the gradient against central differences of the slow loss."""
    x, labels = toy(1, samples=15, features=3)
    hands = [np.arange(0, 3), np.arange(3, 10), np.arange(10, 15)]
    clients = gathered(x, labels, hands)
    rng = np.random.default_rng(2)
    models = rng.normal(size=(3, 4, LABELS))
    everybody = np.arange(3)
    together, slopes = losses(clients, everybody, models, L2), gradients(clients, everybody, models, L2)
    for i, hand in enumerate(hands):
        assert together[i] == pytest.approx(naive.loss(x[hand], labels[hand], models[i], L2), rel=1e-12)
        assert slopes[i] == pytest.approx(naive.slope(x[hand], labels[hand], models[i], L2), abs=1e-8)
    assert losses(clients, everybody, models[0], L2)[2] == pytest.approx(
        naive.loss(x[hands[2]], labels[hands[2]], models[0], L2), rel=1e-12
    )


def test_clients_that_do_different_work_do_it_as_each_alone() -> None:
    x, labels = toy(4, samples=20)
    hands = [np.arange(0, 8), np.arange(8, 20)]
    start = np.random.default_rng(5).normal(size=(5, LABELS))
    steps, proximal = np.array([3, 5]), np.array([0.0, 0.7])
    moved = descend(gathered(x, labels, hands), np.array([1, 0]), start, steps[::-1], proximal[::-1], 0.3, L2)
    for i, hand in enumerate(hands):
        w = start
        for _ in range(steps[i]):
            w = w - 0.3 * (naive.analytic_slope(x[hand], labels[hand], w, L2) + proximal[i] * (w - start))
        assert start + moved[1 - i] == pytest.approx(w, abs=1e-12)


def test_fedavg_of_one_client_is_plain_descent() -> None:
    """One client with all the data: R rounds of E steps are R·E steps of descent, whatever the server remembers."""
    data = toy_split(6, clients=1)
    own = options(clients=1, works=[{"name": "five", "steps": 5}], fedavg={"broadcast": "full", "work": "five"})
    x = data.clients.x[0]
    labels = data.clients.y[0].argmax(axis=1)
    w, expected = np.zeros((x.shape[1], LABELS)), []
    for _ in range(own.rounds):
        for _ in range(5):
            w = w - own.learning_rate * naive.analytic_slope(x, labels, w, L2)
        expected.append(accuracy(data.test_x, data.test_y, w))
    for broadcast in (FULL, MEMORY):
        assert run(own, data, Fixed(broadcast, 0), 1, seed=0).accuracy.tolist() == expected


def test_all_clients_with_one_step_descend_on_the_mean_of_all_samples() -> None:
    """FedSGD: one step of everybody, weighted by samples, is one step on the pooled data."""
    data = toy_split(7)
    inside = data.clients.weight > 0
    x, labels = data.clients.x[inside], data.clients.y[inside].argmax(axis=1)
    server, everybody = Server(options(), data.clients), np.arange(6)
    for _ in range(3):
        pooled = server.model - 0.3 * naive.analytic_slope(x, labels, server.model, L2)
        steps, proximal = np.ones(6, dtype=np.int64), np.zeros(6)
        server.take(everybody, descend(data.clients, everybody, server.model, steps, proximal, 0.3, L2), FULL)
        assert server.model == pytest.approx(pooled, abs=1e-12)


def test_a_server_that_remembers_takes_the_last_upload_of_everybody_heard() -> None:
    data = toy_split(8)
    server, shape = Server(options(), data.clients), (5, LABELS)
    size = data.clients.size
    server.take(np.array([0, 2]), np.stack([np.full(shape, 1.0), np.full(shape, 5.0)]), HALF)
    model = 0.5 * (1.0 * size[0] + 5.0 * size[2]) / (size[0] + size[2])
    assert server.model == pytest.approx(np.full(shape, model))
    server.take(np.array([2]), np.full((1, *shape), -3.0), MEMORY)
    model += (1.0 * size[0] - 3.0 * size[2]) / (size[0] + size[2])
    assert server.model == pytest.approx(np.full(shape, model))
    server.take(np.array([1]), np.full((1, *shape), 2.0), FULL)
    assert server.model == pytest.approx(np.full(shape, model + 2.0))


def test_levels_begin_at_their_thresholds() -> None:
    assert levels_of(np.array([0.0, 0.49, 0.5, 1.4, 1.5, 9.0]), (0.5, 1.5)).tolist() == [0, 0, 1, 1, 2, 2]


# --- rounds


class Noting(RandomTables):
    """Random tables whose decisions, and what is seen of the clients, are written down."""

    def __init__(self, seed: int) -> None:
        super().__init__(options(), np.random.default_rng(seed))
        self.counts = Counts(options())
        self.levels: list[np.ndarray] = []
        self.made: list[np.ndarray] = []
        self.sent: list[int] = []
        self.histograms: list[list[int]] = []

    def dispatch(self, broadcast: int, histogram: np.ndarray) -> int:
        self.histograms.append(histogram.tolist())
        return super().dispatch(broadcast, histogram)

    def saw(self, loss: np.ndarray, levels: np.ndarray, broadcast: int, moves: np.ndarray) -> None:
        assert levels_of(loss, options().levels).tolist() == levels.tolist()
        assert self.table[levels, broadcast].tolist() == moves.tolist()
        self.levels.append(levels)
        self.made.append(moves)
        self.sent.append(broadcast)
        self.counts.saw(loss, levels, broadcast, moves)


def test_the_game_is_counted_from_all_clients_and_a_round_pays_minus_its_losses() -> None:
    noting, data = Noting(1), toy_split(9)
    whole = run(options(), data, noting, 3, 1, noting)
    levels, moves = np.array(noting.levels), np.array(noting.made)
    assert whole.broadcasts.tolist() == noting.sent
    assert whole.histograms.tolist() == noting.histograms
    assert (whole.histograms.sum(axis=1) == 3).all()
    expected = naive.counted(levels, noting.sent, moves, (3, 3, 2, 3))
    assert noting.counts.transitions.tolist() == expected.tolist()
    game = noting.counts.game()
    weights = expected + 0.5 * np.eye(3)[:, None, None, :]
    assert game.P_l == pytest.approx(weights / weights.sum(axis=3, keepdims=True))
    assert all(game.P_g[s, a, a] == 1 for s in range(3) for a in range(3))
    # Log 10 at the start, so all begin at the top level.
    assert noting.counts.starts.tolist() == [0, 0, 6]
    assert int(game.start_concentration.argmax()) == 2
    assert (np.diff(-game.r_l[:, 0, 0]) > 0).all()


def test_who_watches_changes_nothing_and_a_seed_is_a_run() -> None:
    data = toy_split(10)
    noting = Noting(2)
    watched = run(options(), data, noting, 2, 5, noting)
    alone = run(options(), data, RandomTables(options(), np.random.default_rng(2)), 2, 5)
    other = run(options(), data, RandomTables(options(), np.random.default_rng(2)), 2, 6)
    for field in ("accuracy", "broadcasts", "steps", "histograms", "queried"):
        assert getattr(watched, field).tolist() == getattr(alone, field).tolist()
    assert other.accuracy.tolist() != alone.accuracy.tolist()


def test_rules_are_compared_on_the_same_clients() -> None:
    data = toy_split(11)
    one, other = (run(options(), data, rule, 2, 3) for rule in (Fixed(HALF, 0), Fixed(FULL, 1)))
    assert one.queried.tolist() == other.queried.tolist()
    assert one.accuracy.tolist() != other.accuracy.tolist()
    assert all(len(set(who)) == 2 for who in one.queried.tolist())
    assert len({tuple(who) for who in one.queried.tolist()}) > 3
