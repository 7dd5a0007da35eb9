"""The experiments of SUBSAMPLE-MFQ's paper (math.md §8): a Gaussian squeeze, exploration under changing constraints.

Its text gives the squeeze's reward and the idea of either task; what is missing for a game with a dispatcher is filled
in here and said.
"""

from __future__ import annotations

import numpy as np

from meanfleet.config.crowd import ExplorationConfig, SqueezeConfig

from ..game import Game
from .crowd import Crowd, Squeeze

HOLD, SEND = 0, 1


def squeeze_game(config: SqueezeConfig) -> Crowd:
    """Controllers that send vehicles on to one road, which earns x·exp(−(x − m)²/σ²) from x vehicles per controller.

    A robot is a controller: s_i counts the vehicles that wait, a_i sends one or holds. One arrives with a chance, and
    the queue is full at its capacity. s_g is the road, m its target; a_g tries to set it, at a price if it changes.
    """
    queue, roads = config.capacity + 1, len(config.targets)
    P_l = np.zeros((queue, roads, 2, queue))
    for z in range(queue):
        for a in (HOLD, SEND):
            left = max(z - a, 0)
            P_l[z, :, a, min(left + 1, config.capacity)] += config.arrival
            P_l[z, :, a, left] += 1 - config.arrival
    eye = np.eye(roads)
    P_g = config.steering * eye[None, :, :] + (1 - config.steering) * eye[:, None, :]
    game = Game(
        P_g=P_g,
        P_l=P_l,
        r_g=-config.switching * (1 - eye),
        r_l=np.zeros((queue, roads, 2)),
        discount=config.discount,
        start_priority=np.full(roads, 1 / roads),
        start_concentration=np.full(queue, config.start),
    )
    effort = np.zeros((queue, 2))
    effort[1:, SEND] = 1
    return Crowd(game, Squeeze(effort, np.array(config.targets), config.width, config.scale))


def exploration_game(config: ExplorationConfig) -> Crowd:
    """Robots on a grid: s_g says along which axis they may move; what a cell pays grows with its distance from home.

    Moves are stay, ahead and back along the open axis (right and left, or up and down); where the grid ends or the
    move fails robots stay, and now and then one is called home to cell 0. a_g chooses the axis of the next tick.
    """
    width, height = config.width, config.height
    cells = [(x, y) for y in range(height) for x in range(width)]
    P_l, goes = np.zeros((len(cells), 2, 3, len(cells))), np.zeros((len(cells), 2, 3), dtype=bool)
    for z, (x, y) in enumerate(cells):
        for axis, (dx, dy) in enumerate(((1, 0), (0, 1))):
            for a, sign in enumerate((0, 1, -1)):
                to = (x + sign * dx, y + sign * dy)
                end = cells.index(to) if to in cells else z  # driving against the edge is staying
                goes[z, axis, a] = end != z
                P_l[z, axis, a, end] += config.success * (1 - config.recall)
                P_l[z, axis, a, z] += (1 - config.success) * (1 - config.recall)
                P_l[z, axis, a, 0] += config.recall
    pay = np.array([(x + y) / (width + height - 2) for x, y in cells])
    r_l = pay[:, None, None] - config.effort * goes
    eye = np.eye(2)
    game = Game(
        P_g=config.steering * eye[None, :, :] + (1 - config.steering) * eye[:, None, :],
        P_l=P_l,
        r_g=-config.switching * (1 - eye),
        r_l=r_l,
        discount=config.discount,
        start_priority=np.full(2, 0.5),
        start_concentration=np.full(len(cells), config.start),
    )
    return Crowd(game)
