"""SUBSAMPLE-MFQ (arXiv 2412.00661; math.md §8): robots and dispatcher act together, each on a sample of its own."""

from .crowd import Crowd, Squeeze
from .learning import JointPolicy, learn_joint, learn_joint_sampled
from .plans import JointSystem, joint_cells, tagged_cells
from .rollouts import PeerFleet

__all__ = [
    "Crowd",
    "JointPolicy",
    "JointSystem",
    "PeerFleet",
    "Squeeze",
    "joint_cells",
    "learn_joint",
    "learn_joint_sampled",
    "tagged_cells",
]
