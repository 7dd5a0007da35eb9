"""The paper's G-LEARN with sampled backups, over histograms or over ordered tuples."""

from .learning import learn_sampled
from .states import HistogramStates, Parameterization, TupleStates, check_states, parameterization_named

__all__ = [
    "HistogramStates",
    "Parameterization",
    "TupleStates",
    "check_states",
    "learn_sampled",
    "parameterization_named",
]
