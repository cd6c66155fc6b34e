"""Ways to forecast a chaotic series, side by side."""

import json
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from sklearn.linear_model import Ridge

from deepreservoir.esn import NVAR
from deepreservoir.experiments import (
    FORECAST_ARMS,
    SERIES,
    compare_forecasts,
    forecast_table,
    save_comparison_picture,
    save_forecast_table,
)
from deepreservoir.experiments.forecasts import comparison
from deepreservoir.experiments.forecasts.forecasters import (
    DeepWindows,
    EchoState,
    LinearWindows,
    NextGeneration,
    Persistence,
)
from deepreservoir.experiments.forecasts.report import FORECAST_LABELS

WAVES = np.c_[np.sin(np.arange(900) / 5), np.cos(np.arange(900) / 5)]
QUICK = comparison._DEEP | {"hidden_layer_sizes": (32, 16), "max_iter": 30, "batch_size": 32}
LORENZ = SERIES["lorenz63"]
SHORT = replace(LORENZ, make=cache(LORENZ.make), n_train=800, n_starts=8, horizon=400)


@pytest.fixture(scope="module")
def quick():
    """One small comparison of all arms."""
    patch = pytest.MonkeyPatch()
    patch.setattr(comparison, "_DEEP", QUICK)
    patch.setitem(SERIES, "lorenz63", SHORT)
    yield compare_forecasts("lorenz63", (1, 2), 2)
    patch.undo()


@pytest.mark.parametrize(
    ("make", "tolerance"),
    [
        (lambda: EchoState(0, units=60, washout=50), 1e-2),
        (lambda: NextGeneration(NVAR(3, order=2)), 1e-2),
        (lambda: LinearWindows(4), 1e-2),
        (lambda: DeepWindows(4, 0, rank=4, **QUICK), 0.5),
    ],
    ids=["echo", "nvar", "linear", "deep"],
)
def test_what_can_be_learnt_is_forecast(make, tolerance):
    forecaster = make()
    forecaster.fit(WAVES[:600])
    histories = np.stack([WAVES[400:600], WAVES[500:700]])
    found = forecaster.forecast(histories, 20)
    wanted = np.stack([WAVES[600:620], WAVES[700:720]])
    np.testing.assert_allclose(found, wanted, atol=tolerance)
    alone = forecaster.forecast(histories[1:], 20)
    np.testing.assert_allclose(found[1], alone[0], atol=1e-6)
    assert forecaster.trained > 0


def test_the_linear_arm_is_ridge_on_windows():
    forecaster = LinearWindows(3)
    noisy = WAVES + 0.1 * np.random.default_rng(0).normal(size=WAVES.shape)
    forecaster.fit(noisy[:500])
    X = np.hstack([noisy[2:499], noisy[1:498], noisy[0:497]])
    oracle = Ridge(forecaster.readout.penalty).fit(X, np.diff(noisy[2:500], axis=0))
    np.testing.assert_allclose(forecaster.readout.coef, oracle.coef_, atol=1e-6)
    first = forecaster.forecast(noisy[None, :500], 1)[0, 0]
    ahead = noisy[499] + oracle.predict(np.hstack([noisy[499], noisy[498], noisy[497]])[None])[0]
    np.testing.assert_allclose(first, ahead, atol=1e-8)


def test_persistence_repeats_the_last_row():
    found = Persistence().forecast(WAVES[None, :10], 3)
    np.testing.assert_array_equal(found, np.repeat(WAVES[None, 9:10], 3, axis=1))


def test_a_loop_that_runs_away_is_held_and_told():
    forecaster = NextGeneration(NVAR(2, order=3))
    forecaster.fit(np.random.default_rng(0).normal(size=(60, 1)))
    forecaster.readout.coef[:] = 5.0
    found = forecaster.forecast(np.ones((1, 10, 1)), 200)
    assert np.isfinite(found).all()
    assert np.abs(found).max() == 1e6


def test_every_arm_has_a_record_a_rank_and_a_seed(quick):
    found = {(record.arm, record.rank, record.seed) for record in quick.records}
    expected = {("deep_reservoir", rank, seed) for rank in (1, 2) for seed in (0, 1)}
    expected |= {(arm, None, seed) for arm in ("echo_state", "deep_full") for seed in (0, 1)}
    expected |= {(arm, None, None) for arm in ("nvar", "linear", "persistence")}
    assert found == expected
    assert len(quick.records) == len(expected)
    assert [row.arm for row in quick.summary()] == [
        "echo_state",
        "nvar",
        "deep_reservoir",
        "deep_reservoir",
        "deep_full",
        "linear",
        "persistence",
    ]


def test_what_needs_a_seed_stores_it(quick):
    for record in quick.records:
        seeded = record.arm in ("echo_state", "deep_reservoir")
        assert record.stored_bytes == 4 * record.trained + 8 * seeded


def test_errors_are_those_of_the_loops(quick):
    best = {row.arm: row for row in quick.summary()}
    assert best["nvar"].error_1 < best["linear"].error_1 < best["persistence"].error_1
    assert best["echo_state"].valid_time > 1 > best["persistence"].valid_time
    rows = SERIES["lorenz63"].series()
    assert quick.truth.shape == (400, 3)
    assert np.abs(quick.loops["persistence", None] - quick.loops["persistence", None][0]).max() == 0
    assert rows.shape[1] == 3


def test_results_table_and_picture_are_written(quick, tmp_path):
    document = json.loads(quick.save(tmp_path).read_text())
    assert document["series"] == "lorenz63"
    assert len(document["records"]) == len(quick.records)
    text = save_forecast_table(quick, tmp_path).read_text()
    assert text.startswith("# lorenz63: 2 seeds")
    assert forecast_table(quick) in text
    pytest.importorskip("matplotlib")
    assert save_comparison_picture(quick, tmp_path).read_bytes()[:4] == b"\x89PNG"


def test_the_table_counts_the_seeds_of_arms_that_take_one(quick, tmp_path):
    def head(seeds):
        some = tuple(record for record in quick.records if record.seed in seeds)
        arms = {(record.arm, record.rank) for record in some}
        growth = {key: error for key, error in quick.growth.items() if key in arms}
        part = replace(quick, records=some, growth=growth)
        return save_forecast_table(part, tmp_path).read_text()

    assert head({None}).startswith("# lorenz63: no arm uses a seed, ")
    assert head({None, 1}).startswith("# lorenz63: 1 seed, ")


def test_every_arm_has_a_label():
    assert tuple(FORECAST_LABELS) == FORECAST_ARMS


def test_ctrl_c_keeps_what_was_finished(monkeypatch):
    def stop(self, series):
        raise KeyboardInterrupt

    monkeypatch.setattr(LinearWindows, "fit", stop)
    monkeypatch.setitem(SERIES, "lorenz63", SHORT)
    kept = []
    with pytest.raises(KeyboardInterrupt):
        compare_forecasts("lorenz63", arms=("nvar", "linear"), on_interrupt=kept.append)
    assert [record.arm for record in kept[0].records] == ["nvar"]
    assert not kept[0].complete


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"series": "henon"}, "series must be one of mackey_glass, lorenz63; got 'henon'"),
        ({"ranks": (0,)}, "ranks must be between 1 and 20, .*a window of 20 rows.*got 0"),
        ({"series": "lorenz63", "ranks": (16,)}, "between 1 and 15"),
        ({"ranks": ("a",)}, "ranks must be at least one whole number"),
        ({"seeds": 0}, "seeds must be at least 1"),
        ({"arms": ("full",)}, "arms must be among echo_state, nvar"),
        ({"arms": "nvar"}, "arms must be a sequence of names"),
        ({"device": "tpu"}, "device must be one of"),
    ],
    ids=str,
)
def test_what_is_wrong_is_refused_before_training(options, message, monkeypatch):
    monkeypatch.setattr(EchoState, "fit", lambda *_: pytest.fail("training was reached"))
    with pytest.raises(ValueError, match=message):
        compare_forecasts(**options)
