"""Counts of the products of single layers."""

import pytest

from deepreservoir.analysis import multiply_adds
from deepreservoir.layers import AdaptedDense, Adapter


def test_a_layer_without_its_frozen_weights_is_refused_by_name():
    layer = AdaptedDense("layers.0", 8, 3, Adapter(rank=2))
    with pytest.raises(ValueError, match=r"AdaptedDense 'layers.0' is not bound .*network.body"):
        multiply_adds(layer, (1, 8))
    full = AdaptedDense("layers.0", 8, 3, Adapter(mode="full"))
    assert multiply_adds(full, (1, 8)).forward == 24
