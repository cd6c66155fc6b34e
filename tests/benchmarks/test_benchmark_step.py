"""The parts of a training step that are timed alone are those of the step."""

from __future__ import annotations

import numpy as np
import pytest
from benchmark_tools import imported

from deepreservoir import MLPConfig, Network
from deepreservoir.kernels import compiled

step_parts = imported("step_parts")


def multiply_adds(pairs):
    return sum(a.shape[0] * a.shape[1] * b.shape[1] for a, b in pairs)


def test_the_products_are_those_of_the_network():
    widths = step_parts.MEDIUM
    network = Network(MLPConfig(widths[0], widths[-1], widths[1:-1], rank=8), 0)
    frozen = [layer.scaffold.multiply_adds() for layer in network.adapted.values()][1:]
    rows = step_parts.BATCH
    assert multiply_adds(step_parts.frozen_products()) == 2 * rows * sum(frozen)
    trained = sum(slot.size for slot in network.params.slots if len(slot.shape) == 2)
    # Each matrix is multiplied with and has a gradient; A is multiplied with once more for the
    # gradient of the input, which is part of the compiled loops, as B is in the forward pass.
    head = network.head.weight.size
    assert multiply_adds(step_parts.narrow_products()) == rows * (2 * (trained - head) + 3 * head)


@pytest.mark.skipif(not compiled.available(), reason="numba is not installed")
def test_the_loops_run_in_the_shapes_of_the_network(monkeypatch):
    monkeypatch.setattr(step_parts, "REPEATS", 1)
    step_parts._pass_through()


def test_both_libraries_compute_the_same(monkeypatch):
    torch_peers = imported("torch_peers")
    if not torch_peers.available():
        pytest.skip("PyTorch is not installed")
    x, W = np.ones((2, 3), np.float32), np.arange(9, dtype=np.float32).reshape(3, 3)
    forward, backward = torch_peers.products(x, W)
    np.testing.assert_allclose(forward().numpy(), x @ W.T)
    np.testing.assert_allclose(backward().numpy(), x @ W)
