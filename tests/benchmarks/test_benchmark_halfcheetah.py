"""Returns in HalfCheetah: the models are trained once and kept, and act in the environment."""

import numpy as np
from benchmark_tools import imported

from deepreservoir import trajectories
from deepreservoir.datasets import Dataset

module = imported("halfcheetah_return")
RNG = np.random.default_rng(0)
EPISODES = {
    "observations": RNG.normal(size=(4, 6, 17)),
    "actions": RNG.uniform(-1, 1, (4, 6, 6)),
    "rewards": np.ones((4, 6)),
}
DATA = Dataset(
    "short", trajectories(EPISODES), np.zeros(4), trajectories(EPISODES), np.zeros(4), "control"
)


class Still:
    """An environment of six steps, each of which is rewarded with 1."""

    def reset(self, seed):
        self.t = 0
        return np.zeros(17), {}

    def step(self, action):
        self.t += 1
        assert action.shape == (6,)
        return np.zeros(17), 1.0, False, self.t == 6, {}


def test_models_are_trained_once_and_act(tmp_path):
    said = []
    small = {"width": 16, "max_iter": 1, "context": 3}
    figures = module.run(tmp_path, 2, said.append, DATA, Still(), **small)
    assert set(figures["models"]) == {"full", "rank16"}
    for found in figures["models"].values():
        assert found["returns"] == [6.0, 6.0]
        assert found["target_return"] == 6.0
        assert found["mse"] > 0
    assert figures["data"] == {"mean": 6.0, "deviation": 0.0}
    assert sum(line.startswith("Training") for line in said) == 2
    again = module.run(tmp_path, 2, said.append, DATA, Still(), **small)
    assert again["models"] == figures["models"]
    assert sum(line.startswith("Training") for line in said) == 2
