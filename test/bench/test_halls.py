"""The bench's halls: what they say about robots, and that arrays and factors are one game."""

from __future__ import annotations

import numpy as np
import pytest

from bench.halls import Hall
from meanfleet.solver.meanfield import MeanField, ceiling


@pytest.mark.parametrize("order", ["next_tick", "at_once"])
def test_factors_are_the_game_written_out(order: str) -> None:
    hall = Hall(6, 3, 2)
    game, policy = hall.game()
    written = MeanField.of(game, policy, order)  # type: ignore[arg-type]
    found = hall.factors().under(hall.shortest_way, order)
    np.testing.assert_allclose(found.fleet_reward, written.fleet_reward, atol=1e-12)
    for s in range(written.states):
        np.testing.assert_allclose(found.step(s), written.step(s), atol=1e-12)
    assert ceiling(found, 2, 1e-8).high == pytest.approx(ceiling(written, 2, 1e-8).high, abs=1e-6)


def test_a_robot_in_the_corner_of_a_hall_by_hand() -> None:
    hall = Hall(6, 3, 2, seed=4)  # 0 1 2 / 3 4 5
    np.testing.assert_array_equal(hall.targets[0], [0, 1, 0, 3, 0])
    np.testing.assert_allclose(hall.moves[0, 1], np.array([0.15, 0.8, 0, 0, 0, 0]) + 0.05 / 6)
    np.testing.assert_allclose(hall.moves[0, 2], np.array([0.95, 0, 0, 0, 0, 0]) + 0.05 / 6)
    assert hall.distances[0, 5] == 3
    np.testing.assert_array_equal(hall.shortest_way[0, 1], [1, 0, 0, 0, 0])  # one zone away: it stays
    np.testing.assert_array_equal(hall.shortest_way[0, 2], [0, 1, 0, 0, 0])
    assert hall.weights.max() == 10.0
    P_g = hall.arrays()["P_g"]
    assert P_g[3, 4, 4 * 2 + 1] == 0.96
    assert P_g[3, 4, 4 * 2] == 0.04
