"""A user's series in a long table: fitted, saved with the columns, predicted."""

import numpy as np
import pytest

from deepreservoir import ArtifactError, container, load
from deepreservoir.experiments.tables.user_series import (
    fit_long_table,
    predict_long_table,
    save_fitted_series,
)

pytestmark = pytest.mark.host(reason="files are read on the host")

QUICK = {
    "units": 8,
    "backbone_units": 4,
    "rank": 2,
    "max_iter": 10,
    "batch_size": 8,
    "learning_rate_init": 0.03,
    "random_state": 0,
}


def write(path, n=40, number=False):
    random = np.random.default_rng(0)
    rows = ["patient,t,pulse,drug,outcome"]
    for i in range(n):
        label = i % 2
        for t in np.cumsum(random.uniform(0.5, 2, 4)):
            pulse = f"{60 + 40 * label + random.normal():.3f}" if random.uniform() < 0.9 else ""
            rows.append(f"p{i},{t:.4f},{pulse},{random.normal():.3f},{label + 0.5 * number}")
    path.write_text("\n".join(rows) + "\n")
    return path


def test_fit_save_predict(tmp_path):
    path = write(tmp_path / "series.csv")
    fitted = fit_long_table(path, "patient", "t", "outcome", **QUICK)
    assert fitted.task == "classification"
    assert fitted.score == 1.0
    assert len(fitted.held_out[1]) == 8
    save_fitted_series(fitted, tmp_path / "model")
    found = predict_long_table(tmp_path / "model", path, proba=True)
    assert found.target == "outcome"
    assert found.kept["patient"][:2] == ["p0", "p1"]
    assert (found.values == np.array(["0.0", "1.0"])[np.arange(40) % 2]).mean() > 0.9
    assert found.to_csv().splitlines()[0] == "patient,outcome,outcome=0.0,outcome=1.0"
    np.testing.assert_allclose(found.probabilities.sum(axis=1), 1, atol=1e-6)
    # The file is an ordinary model too.
    model = load(tmp_path / "model")
    assert model.feature_names_in_.tolist() == ["pulse", "drug"]
    again = fit_long_table(path, "patient", "t", "outcome", ["pulse"], **QUICK)
    assert again.model.n_features_in_ == 1


def test_numbers_are_a_regression(tmp_path):
    path = write(tmp_path / "series.csv", number=True)
    fitted = fit_long_table(path, "patient", "t", "outcome", **QUICK)
    assert fitted.task == "regression"
    save_fitted_series(fitted, tmp_path / "model", "float16")
    assert predict_long_table(tmp_path / "model", path).values.dtype == np.float64
    with pytest.raises(ValueError, match="predicts numbers, which have no probabilities"):
        predict_long_table(tmp_path / "model", path, proba=True)


def test_refusals(tmp_path):
    path = write(tmp_path / "few.csv", n=4)
    with pytest.raises(ValueError, match="needs at least 5 series"):
        fit_long_table(path, "patient", "t", "outcome", **QUICK)
    path = write(tmp_path / "series.csv")
    fitted = fit_long_table(path, "patient", "t", "outcome", **QUICK)
    save_fitted_series(fitted, tmp_path / "model")
    contents = container.read(tmp_path / "model")
    del contents.document["long_table"]
    container.write(tmp_path / "plain", contents)
    with pytest.raises(ArtifactError, match="is not a model of series from a long table"):
        predict_long_table(tmp_path / "plain", path)
    contents.document["long_table"] = {"id": "patient", "time": "t", "target": "y", "channels": [1]}
    container.write(tmp_path / "bad", contents)
    with pytest.raises(ArtifactError, match="channels must be names"):
        predict_long_table(tmp_path / "bad", path)
