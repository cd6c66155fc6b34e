"""Comparisons of Decision Transformers, their reference and their data sets."""

import numpy as np
import pytest

from deepreservoir import DecisionTransformer, compare, trajectories
from deepreservoir.datasets import Dataset, DatasetUnavailable, read_trajectories
from deepreservoir.experiments import Protocol, table
from deepreservoir.experiments.comparisons.control_arms import RidgeCloning


def episode(seed, steps=8):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(steps, 3))
    return {"observations": x, "actions": 0.2 * x[:, :2], "rewards": rng.normal(size=steps)}


EPISODES = [episode(i) for i in range(8)]
UNUSED = np.zeros(4, np.int8)
DATA = Dataset(
    "points",
    trajectories(EPISODES[:4]),
    UNUSED,
    trajectories(EPISODES[4:]),
    UNUSED,
    task="control",
    metric="mse",
)
PROTOCOL = Protocol(
    max_iter=2, batch_size=8, others=(("width", 8), ("depth", 1), ("heads", 2), ("context", 4))
)


def test_ridge_cloning_is_a_linear_policy():
    model = RidgeCloning().fit(EPISODES)
    assert model.score(EPISODES) > -1e-4
    assert model.n_coefficients == 2 * 5
    noisy = [{**each, "actions": -each["actions"]} for each in EPISODES]
    assert model.score(noisy) == pytest.approx(-4 * 0.04, rel=0.3)


def test_a_comparison_of_decision_transformers():
    arms = ("adapter", "full", "wrong_seed", "equal_bytes", "no_scaffold", "linear")
    arms += ("random_features", "behaviour_cloning")
    found = compare(DATA, ranks=(1,), seeds=1, arms=arms, protocol=PROTOCOL)
    scores = {row.arm: row.mean for row in found.summary()}
    assert set(scores) == set(arms) - {"linear", "random_features"}
    assert any(note.startswith("linear: the samples are texts whose") for note in found.notes)
    assert all(score < 0 for score in scores.values())
    assert scores["behaviour_cloning"] == max(scores.values())  # the policy is linear
    model = DecisionTransformer(**PROTOCOL.parameters(DecisionTransformer().get_params()))
    model.set_params(rank=1, random_state=0, scaffold_seed=0).fit(DATA.X_train)
    assert scores["adapter"] == model.score(DATA.X_test)
    assert "minus mean squared error" in table(found)


def test_only_decision_transformers_are_for_trajectories():
    with pytest.raises(ValueError, match="control task, which DeepReservoirRegressor"):
        compare(DATA, estimator="DeepReservoirRegressor", ranks=(1,), seeds=1)


def test_files_of_d4rl_and_minari(tmp_path):
    h5py = pytest.importorskip("h5py")
    flat = {name: np.concatenate([each[name] for each in EPISODES]) for name in EPISODES[0]}
    with h5py.File(tmp_path / "d4rl.hdf5", "w") as file:
        for name, values in flat.items():
            file[name] = values
        file["timeouts"] = np.arange(64) % 8 == 7
        file["terminals"] = np.zeros(64, bool)
        file.create_group("metadata")
    with h5py.File(tmp_path / "main_data.hdf5", "w") as file:
        for i in reversed(range(8)):
            group = file.create_group(f"episode_{i}")
            for name, values in EPISODES[i].items():
                group[name] = values
            group["infos/x"] = np.ones(3)
    expected = trajectories(EPISODES)
    for name in ("d4rl.hdf5", "main_data.hdf5"):
        found = read_trajectories(tmp_path / name)
        np.testing.assert_array_equal(found.bounds, expected.bounds)
        np.testing.assert_array_equal(found.observations, expected.observations)
    with h5py.File(tmp_path / "other.hdf5", "w") as file:
        file["images"] = np.ones(3)
    with pytest.raises(DatasetUnavailable, match=r"^\S*other.hdf5 has neither .*it has images"):
        read_trajectories(tmp_path / "other.hdf5")
    (tmp_path / "text.hdf5").write_text("no")
    with pytest.raises(DatasetUnavailable, match=r"text.hdf5 cannot be read as HDF5"):
        read_trajectories(tmp_path / "text.hdf5")
    with h5py.File(tmp_path / "groups.hdf5", "w") as file:
        file.create_group("episode_x")
        file["episode_0/observations/position"] = np.ones((3, 1))
    with pytest.raises(ValueError, match=r"observations in /episode_0 are .*arrays, position"):
        read_trajectories(tmp_path / "groups.hdf5")
