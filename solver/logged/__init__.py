"""Off-policy G-LEARN (arXiv 2603.03759, Appendix E): Q-learning on one logged trajectory of the k-robot system."""

from .behaviour import epsilon_greedy, smallest_visit_rate, uniform_behaviour
from .learning import LoggedLearning, StepSize, learn_logged
from .recording import record
from .trajectory import Trajectory

__all__ = [
    "LoggedLearning",
    "StepSize",
    "Trajectory",
    "epsilon_greedy",
    "learn_logged",
    "record",
    "smallest_visit_rate",
    "uniform_behaviour",
]
