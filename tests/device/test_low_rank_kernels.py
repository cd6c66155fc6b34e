"""The kernels of the low-rank path give what the products give."""

import numpy as np
import pytest

from deepreservoir import kernels
from deepreservoir.kernels import add_low_rank_gradients_, combine, low_rank, project
from deepreservoir.kernels import low_rank_activation as fused

pytestmark = pytest.mark.usefixtures("thread_order")
every_type = pytest.mark.parametrize("dtype", [np.float32, np.float64])
# Rows, inputs, outputs, rank; ranks that fill a group of eight and that do not.
SIZES = [(1, 1, 1, 1), (5, 33, 17, 8), (3, 300, 40, 3), (9, 20, 64, 19), (2, 7, 5, 32)]
every_size = pytest.mark.parametrize("size", SIZES, ids=str)


def arrays(cupy, size, dtype):
    n, d_in, d_out, rank = size
    rng = np.random.default_rng(0)
    shapes = {
        "x": (n, d_in),
        "dy": (n, d_out),
        "base": (n, d_out),
        "g": (n, d_in),
        "A": (rank, d_in),
        "B": (d_out, rank),
        "z": (n, rank),
        "u": (n, rank),
        "bias": (d_out,),
        "beta": (1,),
    }
    host = {name: rng.standard_normal(shape).astype(dtype) for name, shape in shapes.items()}
    return host, {name: cupy.asarray(array) for name, array in host.items()}


def compare(found, expected):
    tolerance = 50 * np.finfo(expected.dtype).eps
    assert found.dtype == expected.dtype
    np.testing.assert_allclose(found.get(), expected, rtol=tolerance, atol=10 * tolerance)


@every_type
@every_size
@pytest.mark.usefixtures("grid")
def test_project(cupy, size, dtype):
    host, device = arrays(cupy, size, dtype)
    compare(project(device["x"], device["A"], 0.5), project(host["x"], host["A"], 0.5))
    compare(project(device["dy"], device["B"].T, 0.5), project(host["dy"], host["B"].T, 0.5))


@every_type
@every_size
@pytest.mark.usefixtures("grid")
def test_combine(cupy, size, dtype):
    host, device = arrays(cupy, size, dtype)
    for beta in ("beta", 0.75):
        of = [beta if isinstance(beta, float) else where[beta] for where in (host, device)]
        expected, _ = combine(host["base"], of[0], host["z"], host["B"].T, host["bias"])
        found, _ = combine(device["base"], of[1], device["z"], device["B"].T, device["bias"])
        compare(found, expected)
    expected, total = combine(host["g"], of[0], host["u"], host["A"], dotted=host["x"])
    found, dots = combine(
        device["g"], of[1], device["u"], device["A"], dotted=device["x"], overwrite=True
    )
    assert found is device["g"]
    compare(found, expected)
    assert float(dots.sum()) == pytest.approx(float(total), rel=1e-4, abs=1e-4)


@every_type
@every_size
@pytest.mark.usefixtures("grid")
def test_gradients(cupy, size, dtype):
    host, device = arrays(cupy, size, dtype)
    found, expected = ({} for _ in range(2))
    for sums, of in ((expected, host), (found, device)):
        sums.update(A=of["A"].copy(), B=of["B"].copy(), beta=of["beta"].copy())
        dots = of["x"].sum(axis=1)
        add_low_rank_gradients_(
            sums["A"], sums["B"], sums["beta"], of["u"], of["x"], of["z"], of["dy"], dots
        )
        add_low_rank_gradients_(
            sums["A"], sums["B"], None, of["u"], of["x"], of["z"], of["dy"], None
        )
    for name, value in expected.items():
        compare(found[name], value)


def test_more_rows_than_a_block_reads_go_to_products(cupy, monkeypatch):
    monkeypatch.setattr(low_rank, "MAX_ROWS", 3)
    host, device = arrays(cupy, (5, 33, 17, 8), np.float64)
    compare(project(device["x"], device["A"], 0.5), project(host["x"], host["A"], 0.5))


@every_type
@pytest.mark.parametrize("name", sorted(kernels.ACTIVATIONS))
@pytest.mark.parametrize("dropped", [False, True])
@pytest.mark.usefixtures("grid")
def test_with_an_activation(cupy, name, dropped, dtype):
    for size in ((3, 5, 33, 8), (2, 4, 1100, 11)):
        _, device = arrays(cupy, size, dtype)
        drop = kernels.Drop(20_000, (7 << 100) + 5, (1 << 40) + 3) if dropped else None
        before, _ = combine(device["base"], device["beta"], device["z"], device["B"].T)
        expected, cache = kernels.bias_activation_dropout(before, device["bias"], name, drop)
        y, found = fused.combine_activation(
            device["base"],
            device["beta"],
            device["z"],
            device["B"].T,
            device["bias"],
            name,
            drop,
        )
        compare(found, before.get())
        compare(y, expected.get())
        d, u = fused.combine_activation_backward(
            device["dy"], found, device["bias"], device["B"].T, 0.5, name, drop
        )
        expected = kernels.bias_activation_dropout_backward(device["dy"], name, cache)
        compare(d, expected.get())
        compare(u, project(expected, device["B"].T, 0.5).get())


def test_factors_of_another_type_are_read_as_the_rows_are(cupy):
    """A network in float32 may be asked for outputs in float64."""
    host, device = arrays(cupy, (5, 33, 17, 8), np.float32)
    x, base = (host[name].astype(np.float64) for name in ("x", "base"))
    z = project(x, host["A"], 0.5)
    compare(project(cupy.asarray(x), device["A"], 0.5), z)
    expected, _ = combine(base, host["beta"], z, host["B"].T, host["bias"])
    on_device = cupy.asarray(base), device["beta"], cupy.asarray(z), device["B"].T, device["bias"]
    compare(combine(*on_device)[0], expected)
    y, before = fused.combine_activation(*on_device, "relu", None)
    compare(y, np.maximum(expected, 0))
    compare(before, expected - host["bias"])
