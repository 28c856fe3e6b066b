"""Random numbers that belong to one thing: the same whatever else is drawn before."""

import numpy as np


def generator(*key: int) -> np.random.Generator:
    """A generator of its own for each key of non-negative whole numbers."""
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence(key)))
