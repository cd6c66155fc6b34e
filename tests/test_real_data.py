"""Real MNIST, where DEEPRESERVOIR_DATA names a folder that holds it."""

import os
from dataclasses import replace

import pytest

from deepreservoir import DeepReservoirClassifier, load_dataset
from deepreservoir.experiments import MNIST_MEDIUM

pytestmark = pytest.mark.skipif(
    not os.environ.get("DEEPRESERVOIR_DATA"), reason="needs DEEPRESERVOIR_DATA with mnist/"
)


@pytest.mark.slow
def test_two_epochs_of_mnist_at_rank_8():
    data = load_dataset("mnist")
    model = DeepReservoirClassifier(
        rank=8, random_state=0, **replace(MNIST_MEDIUM, max_iter=2, validation=False).parameters()
    )
    model.fit(data.X_train, data.y_train)
    assert model.n_trained_params_ == 21_774
    assert model.score(data.X_test, data.y_test) > 0.94
