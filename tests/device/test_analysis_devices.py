"""A network on a device is read as it is on the host."""

import numpy as np
import pytest

from deepreservoir import MLPConfig, Network
from deepreservoir.analysis import betas_of, cost_of, multiply_adds, spectra_of

CASES = [
    {},
    {"adapter": "dora", "scaffold": "binary", "storage": "packed"},
    {"storage": "streamed", "head": "lora"},
    {"scaffold": "hadamard"},
    {"scaffold": "kronecker"},
]


@pytest.fixture(autouse=True)
def both(both_devices):
    pass


def networks(**given):
    """The same network on the host and on a device, its trained parameters not at their start."""
    config = MLPConfig(100, 7, (128, 99), rank=3, dtype="float64", **given)
    host = Network(config, seed=1, device="cpu")
    host.theta += np.random.default_rng(0).normal(scale=0.3, size=host.theta.shape)
    return host, host.to("cuda")


@pytest.mark.parametrize("given", CASES, ids=str)
def test_spectra_and_betas(given):
    host, device = networks(**given)
    assert betas_of(device).values.tolist() == betas_of(host).values.tolist()
    for found, expected in zip(spectra_of(device), spectra_of(host), strict=True):
        assert found.path == expected.path
        assert found.scaffold.largest == pytest.approx(expected.scaffold.largest, rel=1e-9)
        assert found.scaffold.sigma == pytest.approx(expected.scaffold.sigma, rel=1e-12)
        np.testing.assert_array_equal(
            found.adapter.singular_values, expected.adapter.singular_values
        )


@pytest.mark.parametrize("given", CASES, ids=str)
def test_costs(given):
    host, device = networks(**given)
    mine, its = cost_of(device, 50, 2), cost_of(host, 50, 2)
    assert (mine.paper, mine.held, mine.stored) == (its.paper, its.held, its.stored)
    assert (mine.counted == its.counted) == (given.get("scaffold") != "hadamard")


def test_a_transform_on_a_device_is_counted_as_its_additions():
    _, device = networks(scaffold="hadamard", adapter="none")
    count = multiply_adds(device.root, (1, 100))
    transforms = 128 * 7  # order 128 both times: seven passes over 128 numbers
    assert count.forward == 2 * transforms + 99 * 7
    assert count.backward == transforms + 2 * 99 * 7
