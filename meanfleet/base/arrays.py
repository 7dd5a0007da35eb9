"""Names of array types, and of what long work is given to report its progress."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]
Progress = Callable[[str, float], None]
"""(label, number) as the work goes on."""
Tell = Callable[[str], None]
"""A sentence as the work goes on."""
