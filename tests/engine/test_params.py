"""The flat parameter vector: views that alias it, its round trip, and what it refuses."""

import numpy as np
import pytest
from target import assert_array_equal, xp

from deepreservoir.params import DECAYED, ParamSet, Slot

SLOTS = [
    Slot("layers.0.A", (2, 3), "adapter"),
    Slot("layers.0.B", (4, 2)),
    Slot("layers.0.beta", (1,), "scale"),
    Slot("head.bias", (5,), "bias"),
]


@pytest.fixture
def params():
    return ParamSet(SLOTS)


def test_size_is_the_sum_of_the_slots(params):
    assert params.size == 6 + 8 + 1 + 5
    assert [slot.size for slot in params.slots] == [6, 8, 1, 5]


def test_views_alias_the_flat_vector_both_ways(params):
    theta = xp.zeros(params.size)
    views = params.views(theta)
    views["layers.0.B"][1, 1] = 7
    assert theta[6 + 3] == 7
    theta[-1] = 9
    assert views["head.bias"][4] == 9
    assert all(xp.shares_memory(view, theta) for view in views.values())


def test_views_cover_the_vector_in_the_order_of_declaration(params):
    theta = xp.arange(float(params.size))
    views = params.views(theta)
    assert [(path, view.shape) for path, view in views.items()] == [
        (slot.path, slot.shape) for slot in SLOTS
    ]
    assert_array_equal(xp.concatenate([v.ravel() for v in views.values()]), theta)


@pytest.mark.parametrize("shape", [(19,), (21,), (20, 1), (1, 20), (0,)])
def test_a_vector_of_another_shape_is_refused(params, shape):
    with pytest.raises(ValueError, match=r"must have shape \(20,\).*got") as error:
        params.views(xp.zeros(shape))
    assert str(error.value).endswith(str(shape))


def test_a_path_used_twice_is_refused():
    slots = [*SLOTS, Slot("head.bias", (1,)), Slot("layers.0.A", (2, 3))]
    with pytest.raises(
        ValueError, match=r"used more than once: 'head.bias', 'layers.0.A'\. Give each layer"
    ):
        ParamSet(slots)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    ("groups", "mask"),
    [
        (DECAYED, [1.0] * 14 + [0.0] * 6),
        (("weight", "scale"), [0.0] * 6 + [1.0] * 9 + [0.0] * 5),
        ((), [0.0] * 20),
    ],
)
def test_decay_mask_is_one_where_a_group_decays(params, dtype, groups, mask):
    found = params.decay_mask(xp.zeros(params.size, dtype), groups)
    assert found.dtype == dtype
    assert_array_equal(found, mask)


def test_matrices_decay_unless_a_configuration_says_otherwise(params):
    assert_array_equal(params.decay_mask(xp.zeros(20)), params.decay_mask(xp.zeros(20), DECAYED))
    groups = ("weight", "adapter", "scale", "bias", "norm", "embedding", "buffer")
    assert [group for group in groups if group in DECAYED] == ["weight", "adapter", "embedding"]


def test_no_slots_make_an_empty_vector():
    empty = ParamSet([])
    assert empty.size == 0
    assert empty.views(xp.empty(0)) == {}
    assert empty.decay_mask(xp.empty(0)).shape == (0,)
