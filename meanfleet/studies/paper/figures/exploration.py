"""Constrained exploration: the gap to the optimum against k."""

from ..experiments import experiment

FIGURE = experiment("exploration", "exploration.yaml", "Constrained exploration", 120)
