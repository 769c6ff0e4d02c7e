"""Adagrad, as optax defines it."""

import numpy as np

EPSILON = 1e-7


def adagrad(param, gradients, rates, initial_accumulator):
    """Gives the parameter after each step."""
    param = np.array(param, np.float64)
    accumulator = np.full(param.shape, initial_accumulator)
    params = []
    for gradient, rate in zip(gradients, rates, strict=True):
        accumulator = accumulator + gradient**2
        param = param - rate * gradient / np.sqrt(accumulator + EPSILON)
        params.append(param)
    return params
