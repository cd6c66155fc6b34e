"""Trajectories of MuJoCo's HalfCheetah, and files of trajectories of D4RL and Minari."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from ..inputs import Trajectories, trajectories
from .base import Dataset
from .idx import DatasetUnavailable
from .local_files import find, missing, verified_arrays

_FOLDER, _FILE, _SIZE = "halfcheetah", "halfcheetah_40x1000.npz", 3_480_071
_SHA256 = "f1f1c7884a2625eb42b1ec078854f7e69aa811f48df44b894c9ca3d8c48dcc67"
_SOURCE = "a run of an expert policy in gymnasium's HalfCheetah-v5"
_HELD_OUT = 4  # of 40 trajectories

_D4RL, _D4RL_FILE = "d4rl", "halfcheetah_expert-v2.hdf5"
_D4RL_SOURCE = "http://rail.eecs.berkeley.edu/datasets/offline_rl/gym_mujoco_v2/"


def halfcheetah() -> Dataset:
    """Return 36 trajectories of 1,000 steps to train on, and 4 others.

    They are of an expert policy with noise on its actions in gymnasium's HalfCheetah-v5. The noise
    makes 0.0129 per entry of an action the least mean squared error.
    """
    path = find(_FOLDER, _FILE)
    if path is None:
        raise missing("halfcheetah", _FOLDER, _FILE, _SOURCE)
    found = trajectories(verified_arrays(path, _SIZE, _SHA256))
    return _dataset("halfcheetah", found, np.arange(len(found)) >= len(found) - _HELD_OUT)


def halfcheetah_expert() -> Dataset:
    """Return the expert trajectories of D4RL (Fu et al., 2020), each tenth of them held out."""
    path = find(_D4RL, _D4RL_FILE)
    if path is None:
        raise missing("halfcheetah_expert", _D4RL, _D4RL_FILE, _D4RL_SOURCE)
    found = read_trajectories(path)
    return _dataset("halfcheetah_expert", found, np.arange(len(found)) % 10 == 9)


def _dataset(name: str, found: Trajectories, held_out: np.ndarray) -> Dataset:
    train, test = found[~held_out], found[held_out]
    unused = (np.zeros(len(part), np.int8) for part in (train, test))
    return Dataset(name, train, next(unused), test, next(unused), task="control", metric="mse")


def read_trajectories(path: str | Path) -> Trajectories:
    """Return the trajectories of a file of D4RL or Minari (HDF5), which needs h5py.

    Parameters
    ----------
    path : str or path
        A file of D4RL, with the arrays ``observations``, ``actions``, ``rewards``, ``terminals``
        and ``timeouts``; or the file ``main_data.hdf5`` of Minari, with a group for each episode.

    Returns
    -------
    Trajectories
        In the order of the steps of D4RL, or of the numbers of the episodes of Minari.

    Raises
    ------
    DatasetUnavailable
        If h5py is not installed, or the file is neither.
    ValueError
        If a trajectory is not one; the message names it.
    """
    try:
        import h5py
    except ImportError:
        raise DatasetUnavailable(
            f'{path} is HDF5, which needs h5py: pip install "deepreservoir[control]"'
        ) from None
    try:
        with h5py.File(path, "r") as file:
            found = _found(file)
            names = ", ".join(sorted(file)) or "nothing"
    except OSError as error:
        raise DatasetUnavailable(f"{path} cannot be read as HDF5: {error}") from None
    if found is None:
        raise DatasetUnavailable(
            f"{path} has neither the array observations of D4RL nor the groups episode_0, ... of "
            f"Minari; it has {names}"
        )
    return trajectories(found)


def _found(file: Any) -> Any:
    """Return the trajectories of a file of D4RL or Minari, unchecked; None if it is neither."""
    if "observations" in file:
        return _arrays(file)
    numbers = {name: name.removeprefix("episode_") for name in file if name.startswith("episode_")}
    episodes = [name for name, number in numbers.items() if number.isdecimal()]
    return [_arrays(file[name]) for name in sorted(episodes, key=lambda n: int(numbers[n]))] or None


def _arrays(group: Any) -> dict[str, np.ndarray]:
    """Return the arrays of a trajectory, or of several, in a group of an HDF5 file.

    Raises
    ------
    ValueError
        If observations or actions are a group of several arrays.
    """
    for name in ("observations", "actions"):
        if name in group and not hasattr(group[name], "dtype"):
            raise ValueError(
                f"{name} in {group.name} are a group of several arrays, "
                f"{', '.join(sorted(group[name]))}; expected one array. Concatenate them, and pass "
                "the trajectories as mappings"
            )
    names = ("observations", "actions", "rewards", "terminals", "timeouts", "terminations")
    return {
        name: np.asarray(group[name][()])
        for name in (*names, "truncations")
        if name in group and hasattr(group[name], "dtype")
    }
