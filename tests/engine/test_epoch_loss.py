"""The mean loss of an epoch: from numbers of any kind, and up to the first that is not finite."""

import numpy as np
import pytest
from target import put

from deepreservoir.training.epoch_loss import EpochLoss

KINDS = {
    "of the device": lambda value: put(value, np.float32),
    "Python's": float,
    "NumPy's": np.float64,
}


@pytest.mark.parametrize("every", [1, 2, 5])
def test_losses_of_any_kind_are_averaged_together(every):
    losses = EpochLoss(0.0, 0.0, every)
    kinds = list(KINDS.values())
    values, weights = [0.5, 1.0, 2.0, 4.0, 0.25], [3, 1, 2, 2, 4]
    for step, (value, n) in enumerate(zip(values, weights, strict=True)):
        assert losses.add(kinds[step % 3](value), step, n) is None
    assert losses.fetch() is None
    assert losses.mean == np.average(values, weights=weights)


@pytest.mark.parametrize("kind", KINDS.values(), ids=list(KINDS))
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_the_first_loss_that_is_not_finite_is_found_with_its_step(kind, value):
    losses = EpochLoss(0.0, 0.0, 4)
    found = [losses.add(put(1.0), 0, 1), losses.add(kind(value), 1, 1), losses.add(2.0, 2, 1)]
    assert found == [None] * 3
    bad, step = losses.add(kind(value), 3, 1)
    assert step == 1
    assert np.array_equal(bad, value, equal_nan=True)
