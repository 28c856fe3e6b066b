"""Learning rate of SELD training: warm-up, half a cosine, then constant while weights are averaged."""

import math

ITERATIONS_PER_EPOCH = 1000
N_EPOCHS = 40
FIRST_AVERAGED_EPOCH = 31

_WARM_UP_EPOCHS = 5
_COSINE_EPOCHS = 25
_START = 2e-4
PEAK = 1e-3
_FLOOR = 5e-4


def learning_rate(epoch: int) -> float:
    """Rate during pseudo epoch ``epoch`` (1, 2, ...; 1000 iterations each).

    Linear from 2e-4 in epoch 1 to 1e-3 in epoch 6, then half a cosine (Loshchilov and Hutter 2017) to 5e-4 in epoch
    31, which stays. From epoch 31 to 40 the weights of the epochs are averaged with equal weight.
    """
    if epoch <= _WARM_UP_EPOCHS:
        return _START + (PEAK - _START) * (epoch - 1) / _WARM_UP_EPOCHS
    share = min((epoch - 1 - _WARM_UP_EPOCHS) / _COSINE_EPOCHS, 1.0)
    return _FLOOR + (PEAK - _FLOOR) * (1 + math.cos(math.pi * share)) / 2
