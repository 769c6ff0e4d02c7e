"""SGD with Nesterov's momentum and L2 weight decay, as PyTorch defines it."""

import numpy as np


def sgd(param, gradients, rates, momentum, weight_decay):
    """Gives the parameter after each step."""
    param = np.array(param, np.float64)
    velocity = np.zeros(param.shape)
    params = []
    for gradient, rate in zip(gradients, rates, strict=True):
        gradient = gradient + weight_decay * param
        velocity = momentum * velocity + gradient
        param = param - rate * (gradient + momentum * velocity)
        params.append(param)
    return params
