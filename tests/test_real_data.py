"""Real MNIST, where DEEPRESERVOIR_DATA names a folder that holds it."""

import os

import pytest

from deepreservoir import DeepReservoirClassifier, load_dataset

pytestmark = pytest.mark.skipif(
    not os.environ.get("DEEPRESERVOIR_DATA"), reason="needs DEEPRESERVOIR_DATA with mnist/"
)


def test_two_epochs_of_mnist_at_rank_8():
    data = load_dataset("mnist")
    model = DeepReservoirClassifier(
        (512, 256, 128, 64), rank=8, max_iter=2, dropout=0.1, random_state=0
    )
    model.fit(data.X_train, data.y_train)
    assert model.n_trained_params_ == 21_774
    assert model.score(data.X_test, data.y_test) > 0.94
