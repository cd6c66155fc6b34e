"""Files of models for indicator matrices are checked as all others."""

import numpy as np
import pytest
from artifact_tools import forged, set_at

from deepreservoir import ArtifactError, DeepReservoirClassifier, load, save
from deepreservoir.artifact.summary import describe

X = np.random.default_rng(0).normal(size=(30, 4))
Y = (X[:, :3] > 0).astype(int)


@pytest.fixture
def path(tmp_path):
    model = DeepReservoirClassifier((8,), rank=1, max_iter=1, random_state=0)
    return save(model.fit(X, Y), tmp_path / "labels.safetensors")


@pytest.mark.parametrize("n_labels", [1, 2, -4, 10**9, "3", None])
def test_an_impossible_number_of_labels_is_refused(path, n_labels):
    with pytest.raises(ArtifactError, match=r"columns|outputs|n_labels"):
        load(forged(path, set_at("fitted", "n_labels", to=n_labels)))


def test_classes_and_a_number_of_labels_exclude_each_other(path):
    classes = {"dtype": "<i8", "values": [0, 1, 2]}
    with pytest.raises(ArtifactError, match="'classes' is unknown"):
        load(forged(path, set_at("fitted", "classes", to=classes)))


def test_the_summary_gives_the_number_of_labels(path):
    assert ("labels", "3, any number of them per sample") in describe(path)
