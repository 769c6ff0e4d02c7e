"""Derivatives by central differences."""

import numpy as np


def central_differences(function, x, step=1e-5):
    """Gives the derivative of a scalar function by every entry of a float64 array."""
    x = np.array(x, np.float64)
    slopes = np.zeros(x.shape)
    for index in np.ndindex(x.shape):
        ends = []
        for sign in (1, -1):
            moved = x.copy()
            moved[index] += sign * step
            ends.append(float(function(moved)))
        slopes[index] = (ends[0] - ends[1]) / (2 * step)
    return slopes
