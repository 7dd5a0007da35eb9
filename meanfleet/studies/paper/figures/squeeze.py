"""Gaussian squeeze: the gap to the optimum against k."""

from ..experiments import experiment

FIGURE = experiment("squeeze", "squeeze.yaml", "Gaussian squeeze", 110)
