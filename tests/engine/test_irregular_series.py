"""Series as inputs: filling, gaps, batches, and the gradient of a network that reads them."""

import numpy as np
import pytest
from gradcheck import jitter
from hypothesis import given, settings
from hypothesis import strategies as st
from target import device, host, put

from deepreservoir import CfCConfig, Network, irregular_series
from deepreservoir.inputs import IrregularSeries, IrregularSeriesReader, Target
from deepreservoir.layers import Pass, Step
from deepreservoir.losses import SoftmaxCrossEntropy


def made(seed, n=5, channels=3, longest=8):
    """Return random series with missing values and missing rows."""
    random = np.random.default_rng(seed)
    X, times = [], []
    for length in random.integers(1, longest + 1, n):
        values = random.normal(size=(length, channels))
        values[random.uniform(size=values.shape) < 0.4] = np.nan
        values[random.uniform(size=length) < 0.2] = np.nan
        values[-1, random.integers(channels)] = 1.0
        X.append(values)
        times.append(np.cumsum(random.uniform(0.1, 2, length)))
    return X, times


@given(st.integers(0, 10_000))
@settings(max_examples=25, deadline=None)
@pytest.mark.host(reason="nothing runs on a device")
def test_filling_and_gaps_are_those_of_each_series(seed):
    X, times = made(seed)
    series = irregular_series(X, times)
    filled, gaps = series.filled(), series.gaps()
    for i, (x, t) in enumerate(zip(X, times, strict=True)):
        part = slice(series.bounds[i], series.bounds[i + 1])
        expected = x.copy()
        for step in range(1, len(x)):
            missing = np.isnan(expected[step])
            expected[step, missing] = expected[step - 1, missing]
        np.testing.assert_array_equal(filled[part], expected)
        np.testing.assert_allclose(gaps[part], np.diff(t, prepend=t[0]), rtol=1e-12)
    chosen = np.random.default_rng(seed).integers(0, len(X), 4)
    some = series[chosen]
    for i, array in zip(chosen, some.arrays(), strict=True):
        np.testing.assert_array_equal(array, X[i])
    assert isinstance(some, IrregularSeries)


def inputs_of(X, times, dtype=np.float64):
    reader = IrregularSeriesReader().fit(irregular_series(X, times))
    inputs = reader.read(irregular_series(X, times), dtype, device)
    reader.fit_training(inputs)
    return reader, inputs


def test_chunks_cover_every_series_once_and_are_bounded():
    X, times = made(0, n=40, longest=30)
    reader, inputs = inputs_of(X, times)
    sample_bytes = reader.n_steps * 100
    seen = []
    for index, batch in inputs.chunks(20_000, sample_bytes):
        seen += list(index)
        lengths = batch.side["lengths"]
        assert batch.x.shape[1] == max(lengths)
        assert len(index) == 1 or batch.x.shape[0] * batch.x.shape[1] * 100 <= 20_000
    assert sorted(seen) == list(range(40))


@pytest.mark.parametrize("recompute", [False, True])
def test_gradient_of_a_network_on_series_with_missing_rows(recompute):
    X, times = made(3, n=6, longest=12)
    reader, inputs = inputs_of(X, times)
    config = CfCConfig(
        reader.sizes()["n_inputs"], 2, 5, 4, rank=2, dtype="float64", recompute=recompute
    )
    network = Network(config, 0, device=device)
    jitter(network.theta)
    batch = inputs.take(np.arange(6))
    target = Target(put(np.arange(6) % 2, int), 6.0)
    loss, on = SoftmaxCrossEntropy(), Pass(Step(0, 0), dtype=network.dtype)

    def value(move):
        network.theta[:] = put(start + move)
        found = float(network.gradient(batch, target, loss, on))
        network.theta[:] = put(start)
        return found

    start = host(network.theta).copy()
    network.grad.fill(0)
    network.gradient(batch, target, loss, on)
    gradient = host(network.grad).copy()
    direction = np.random.default_rng(1).normal(size=len(start))
    width = 1e-5
    difference = (value(width * direction) - value(-width * direction)) / (2 * width)
    np.testing.assert_allclose(gradient @ direction, difference, rtol=1e-6)


def test_statistics_come_from_the_training_samples_only():
    X, times = made(1, n=10)
    reader = IrregularSeriesReader().fit(irregular_series(X, times))
    inputs = reader.read(irregular_series(X, times), np.float64, device)
    reader.fit_training(inputs.subset(np.arange(4)))
    expected = np.nanmean(np.concatenate(X[:4]), axis=0)
    np.testing.assert_allclose(reader.mean, expected, rtol=1e-12)
    gaps = np.concatenate([np.diff(t) for t in times[:4]])
    np.testing.assert_allclose(reader.time_unit, gaps.mean(), rtol=1e-12)
    # Inputs that were read before follow.
    columns = host(inputs.take(np.array([7])).x)[0]
    first = X[7][0]
    scaled = np.nan_to_num((first - reader.mean) / reader.scale)
    np.testing.assert_allclose(columns[0, :3], scaled, rtol=1e-12)
