"""The races of echo-state networks: what they are compared with, and what is kept and printed."""

import json

import numpy as np
import pytest
from benchmark_tools import imported

echo = imported("echo")
forecasting = imported("forecasting")
storing = imported("store")
tables = imported("tables")

SECONDS = {"ours": [1.0, 2.0], "peer": [8.0, 9.0], "peer, dense": [4.0, 6.0]}


def test_the_fastest_setting_is_compared_and_no_setting_loses_its_own_time():
    figures = echo._figures(SECONDS, {}, 2.0)
    assert figures["against"] == "peer, dense"
    assert figures["times_faster"] == 3.5
    assert figures["median_seconds"] == {"ours": 1.5, "peer": 8.5, "peer, dense": 5.0}
    assert "against" not in echo._figures({"ours": [1.0]}, {}, 2.0)


def test_states_are_those_of_reservoirpy():
    pytest.importorskip("reservoirpy")
    x, _ = echo._series()
    assert 0 < echo._difference_of_states(60, x[:500]) < 1e-10


def test_versions_of_packages_that_are_there_are_kept(tmp_path):
    path = storing.store("echo", {}, tmp_path, ("pytest", "no-such-package"))
    found = json.loads(path.read_text())["versions"]
    assert found["pytest"] == pytest.__version__
    assert "no-such-package" not in found


def test_races_are_printed_with_setting_medians_and_difference_of_states(tmp_path):
    race = echo._figures(SECONDS, {"ours": 0.01, "reservoirpy": 0.02}, 4.0)
    alone = echo._figures({"ours": [0.5]}, {"ours": 0.03}, None)
    races = {
        "one": race | {"largest_difference_of_states": 2e-15},
        "two": alone | {"microseconds_a_step": 12.5},
    }
    storing.store("echo", {"rounds": 2, "races": races}, tmp_path)
    text = tables.echo(tmp_path)
    assert "| one | peer, dense | 3.5 | ≥ 4 **missed** | 0.01 | 0.02 |" in text
    assert "| two |  | 12.5 µs per step |  | 0.03 |  |" in text
    assert "| one: peer, dense | 5000.0 |" in text
    assert "differ by at most 2e-15" in text


@pytest.mark.slow
def test_forecasts_start_after_the_last_target_of_training(monkeypatch):
    starts, n_train = [], []

    def closed_loop(series, n, begin, history, horizon, **params):
        assert begin[-1] + horizon <= len(series)
        starts.append(begin[0])
        n_train.append(n)
        truth = series[None, begin[0] : begin[0] + horizon]
        return truth, truth

    monkeypatch.setattr(forecasting, "_closed_loop", closed_loop)
    mackey = forecasting.mackey_glass_loop(1)
    lorenz = forecasting.lorenz_loop(1)
    assert np.all(np.array(starts) > n_train)  # row n_train is the last target
    assert mackey["valid_time_units_of_time"]["median"] == mackey["horizon"]
    assert lorenz["valid_time_lyapunov_times"]["median"] == pytest.approx(
        lorenz["horizon_lyapunov_times"]
    )


def test_a_valid_time_that_reaches_the_horizon_is_a_bound(tmp_path):
    def over(*values):
        return forecasting._over_seeds(list(values))

    tasks = {
        "mackey_glass": {
            "nrmse_84": over(1e-4),
            "valid_time_units_of_time": over(70.0, 80.0, 90.0),
            "horizon": 90,
        },
        "lorenz63": {
            "valid_time_lyapunov_times": over(9.0, 9.5),
            "horizon_lyapunov_times": 16.3,
        },
        "narma10": {"nrmse": over(0.1)},
        "memory_capacity": {"capacity": 97.0},
        "fit_memory": {"by_length": {"10": {"peak_bytes": 1e6, "series_bytes": 1e5}}},
    }
    storing.store("forecasting", {"seeds": 3, "tasks": tasks}, tmp_path)
    text = tables.forecasting(tmp_path)
    assert "| valid time, of 90 steps | 80 | 70 to at least 90 |" in text
    assert "| valid time, Lyapunov times, of 16.3 | 9.2 | 9.0 to 9.5 |" in text
