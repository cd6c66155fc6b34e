"""The configuration of closed-form continuous-time networks: exact counts, plain data, controls."""

import numpy as np
import pytest

from deepreservoir import CfCConfig, Network, from_plain
from deepreservoir.layers import Sequential

pytestmark = pytest.mark.host(reason="nothing is computed")

# units, backbone_units: (fixed, per rank, fully trained), as the paper's tables imply.
COUNTS = {
    (256, 64): (1_672, 1_810, 92_930),
    (128, 32): (840, 946, 24_962),
    (64, 16): (424, 514, 7_106),
    (32, 8): (216, 298, 2_210),
}


def config(units=256, backbone_units=64, **options):
    return CfCConfig(82, 2, units, backbone_units, **options)


@pytest.mark.parametrize("widths", COUNTS, ids=str)
def test_counts(widths):
    fixed, per_rank, full = COUNTS[widths]
    for rank in (1, 2, 4, 8, 16, 32):
        if rank <= widths[1]:
            assert config(*widths, rank=rank).n_params == fixed + per_rank * rank
    assert config(*widths).fully_trained().n_params == full
    assert config(*widths, adapter="none").n_params == fixed - 6  # no betas


def test_printed_counts():
    printed = {1: 3_482, 2: 5_292, 4: 8_912, 8: 16_152, 16: 30_632, 32: 59_592}
    assert {rank: config(rank=rank).n_params for rank in printed} == printed
    network = Network(config(rank=1), seed=0)
    assert network.n_scaffold == 91_264
    assert len(network.betas()) == 6


def test_plain_data():
    first = config(rank=2, dropout=0.2, n_steps=49)
    again = from_plain(first.to_plain())
    assert again == first
    assert again.n_steps == 49
    assert config(rank=2, dropout=0.2, n_steps=3) == first  # costs only
    with pytest.raises(ValueError, match="has no field 'width'"):
        from_plain(first.to_plain() | {"width": 3})


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"units": 0}, "units must be an integer of at least 1; got 0"),
        ({"backbone_layers": 0}, "backbone_layers must be"),
        ({"dropout": 1.0}, "dropout must be"),
        ({"recompute": 1}, "recompute must be"),
        (
            {"rank": 65},
            r"between 1 and min\(d_in, d_out\) = 64 for cell\.backbone\.0 \(338 -> 64\)",
        ),
    ],
)
def test_values_out_of_range(options, words):
    with pytest.raises(ValueError, match=words):
        config(**options)


def test_control_of_equal_bytes():
    for budget in (98, 3_482, 24_962, 92_930):
        small = config().resized(budget)
        assert small.adapter == "full"
        assert small.n_params <= budget
    assert config().resized(92_930).units == 256
    assert config().resized(24_962) == config(128, 32).fully_trained()
    assert config().resized(97) is None


def test_work_is_counted_for_each_step():
    """The products of 5 steps, by hand: rank 4, 82 inputs, 338 -> 64 -> 64 -> 4 x 256, head."""
    made = config(rank=4, n_steps=5)
    work = Sequential(Network(made, 0).root.layers).multiply_adds(made.sample_shape)
    frozen = 338 * 64 + 64 * 64 + 4 * 64 * 256
    assert work.forward == 5 * frozen + 2 * 256
    low_rank = 4 * sum(3 * d_in + 2 * d_out for d_in, d_out in ((338, 64), (64, 64), (64, 1024)))
    heads_read = 4 * 3 * 64 * 3  # each of the four heads has a read-in of its own
    assert work.backward == 5 * (frozen + low_rank + heads_read) + 2 * 2 * 256
    assert work.forward_call == 4 * frozen
    full = made.fully_trained()
    work = Network(full, 0).root.multiply_adds(full.sample_shape)
    assert work.forward == 5 * frozen + 2 * 256
    assert work.backward == 5 * (2 * frozen - 82 * 64) + 2 * 2 * 256
    of_three = Network(full, 0).root.multiply_adds((3, *full.sample_shape))
    assert (of_three.forward, of_three.backward) == (3 * work.forward, 3 * work.backward)
    assert Network(full, 0).body.out_shape((3, *full.sample_shape)) == (3, 256)
    assert np.isfinite(made.sample_bytes)
