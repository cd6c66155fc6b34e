"""Scaffolds of every storage, for tests that hold for all of them."""

import numpy as np
import pytest
from target import device

from deepreservoir.scaffold import ScaffoldSpec, make_scaffold

ONE_OF_EACH = [
    ("normal", "dense"),
    ("orthogonal", "dense"),
    ("normal", "packed"),
    ("normal_8bit", "packed"),
    ("normal_2bit", "packed"),
    ("binary", "packed"),
    ("normal", "streamed"),
    ("spectral_radius", "streamed"),
    ("hadamard", "structured"),
    ("kronecker", "structured"),
]
one_of_each = pytest.mark.parametrize(("family", "storage"), ONE_OF_EACH)


def make(family, storage, shape, dtype=np.float32, scale=1.0):
    return make_scaffold(ScaffoldSpec(family, shape, 5, "layers.0", scale), storage, dtype, device)
