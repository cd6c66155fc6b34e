"""What a pass carries: the masks of each call of a layer, and side arrays for those inside."""

import hashlib

import numpy as np
import pytest
from gradcheck import normal
from target import assert_array_equal, host, put, xp

from deepreservoir import kernels
from deepreservoir.layers import INFERENCE, Activation, Pass, Step
from deepreservoir.layers.dropout import dropout_mask

ON = Pass(Step(4, 9))


def kept(on, path="layers.0", shape=(40, 30), rate=0.3):
    """Which entries a mask keeps."""
    ones = xp.ones(shape, np.float32)
    return host(kernels.masked(ones, dropout_mask(ones, rate, path, on))) > 0


# Bits of version 0.1.0, whose layers were called once per step: a training that is repeated now
# drops what it dropped then.
@pytest.mark.parametrize(
    ("path", "step", "bits"),
    [("layers.0", Step(4, 9), "8fe7eadb97ff"), ("layers.1.A", Step(7, 0), "ffcd6feff8e1")],
)
def test_a_pass_without_calls_has_the_masks_of_version_0_1_0(path, step, bits):
    assert np.packbits(kept(Pass(step), path, (3, 16))).tobytes().hex() == bits


def test_a_whole_mask_is_that_of_version_0_1_0():
    digest = "d8affbe2ab30e615da94763c9323e7bdad426e1a874cd429a45d40e547bccc2d"
    assert hashlib.sha256(np.packbits(kept(ON)).tobytes()).hexdigest() == digest


def test_every_call_has_masks_of_its_own_and_the_same_ones_again():
    passes = [ON, ON.at(0), ON.at(1), ON.at(12), ON.at(1).at(2), ON.at(2).at(1), ON.at(0).at(0)]
    masks = [kept(on) for on in passes]
    assert len({mask.tobytes() for mask in masks}) == len(passes)
    for on, mask in zip(passes, masks, strict=True):
        assert_array_equal(kept(on), mask)
        # Independent masks of this rate agree on 0.58 of the entries, with a deviation of 0.014.
        agreement = [(mask == other).mean() for other in masks if other is not mask]
        assert max(agreement) < 0.58 + 5 * 0.0143


def test_a_layer_drops_other_entries_in_another_call():
    layer, x = Activation("identity", "layers.0", dropout=0.3), normal(40, 30)
    for on in (ON, ON.at(1)):
        assert_array_equal(host(layer.forward(x, on)[0]) != 0, kept(on))


def test_calls_do_not_share_the_masks_that_networks_share():
    on = Pass(Step(4, 9, {}))
    first, second = kept(on.at(0)), kept(on.at(1))
    assert (first != second).any()
    assert len(on.step.masks) == 2
    assert_array_equal(kept(on.at(0)), first)
    assert len(on.step.masks) == 2


def test_at_adds_a_call_and_keeps_the_rest():
    mask, product = put([True]), put([1.0])
    on = Pass(ON.step, {"mask": mask}, {"layers.0": product}, np.dtype(np.float32))
    later = on.at(3).at(1)
    assert later.calls == (3, 1)
    assert (on.calls, later.step, later.dtype, later.replay) == ((), ON.step, on.dtype, False)
    assert later.side["mask"] is mask
    assert later.products["layers.0"] is product


def test_within_adds_side_arrays_for_the_layers_inside():
    on = Pass(ON.step, {"mask": 1, "times": 2})
    inner = on.within(mask=3, edges=4)
    assert dict(inner.side) == {"mask": 3, "times": 2, "edges": 4}
    assert dict(on.side) == {"mask": 1, "times": 2}
    assert inner.step is ON.step


def test_only_a_pass_with_a_step_trains():
    assert (ON.training, INFERENCE.training) == (True, False)
    assert dict(INFERENCE.side) == dict(INFERENCE.products) == {}
