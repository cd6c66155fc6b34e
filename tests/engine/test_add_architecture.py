"""The module of the page "Add an architecture", which edits nothing in the package, has all that
the perceptron's estimators have."""

import importlib
import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from unittest.mock import patch

import numpy as np
import pytest
from gradcheck import bind, check_gradients, normal
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.model_selection import GridSearchCV

import deepreservoir
from deepreservoir import (
    ArtifactError,
    RankSearch,
    Sequential,
    compare,
    fit_many,
    load,
    predict_many,
    save,
)
from deepreservoir.analysis import cost_of
from deepreservoir.estimators import ESTIMATORS
from deepreservoir.experiments import ARMS, Protocol
from deepreservoir.models import ARCHITECTURES, from_plain
from deepreservoir.sweeps import read_sweep, run_sweep

PAGE = Path(deepreservoir.__file__).parent.parent / "docs" / "add_architecture.md"
FENCE = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)
QUICK = {"width": 12, "rank": 2, "max_iter": 3, "random_state": 0}
DECLARATION = """
dataset = "digits"
estimator = "{name}"
seeds = 1
[protocol]
max_iter = 1
[grid]
width = [8, 12]
rank = [1, 2]
"""

pytestmark = pytest.mark.host(reason="it is about what an architecture has, not where it runs")


def source():
    """Return the module of the page: its blocks up to the last class."""
    blocks = FENCE.findall(PAGE.read_text("utf-8"))
    last = max(i for i, block in enumerate(blocks) if re.search(r"^class ", block, re.MULTILINE))
    return "\n\n".join(blocks[: last + 1])


@pytest.fixture(scope="module")
def gated_units(tmp_path_factory):
    """The module of the page, imported from a folder outside the package and forgotten after."""
    folder = tmp_path_factory.mktemp("outside")
    (folder / "gated_units.py").write_text(source(), encoding="utf-8")
    path = os.pathsep.join([str(folder), os.environ.get("PYTHONPATH", "")])
    registered = patch.dict(ARCHITECTURES), patch.dict(ESTIMATORS)
    with pytest.MonkeyPatch.context() as monkeypatch, registered[0], registered[1]:
        monkeypatch.syspath_prepend(str(folder))
        monkeypatch.setenv("PYTHONPATH", path)
        yield importlib.import_module("gated_units")
        sys.modules.pop("gated_units")


@pytest.fixture(scope="module")
def digits():
    X, y = load_digits(return_X_y=True)
    return X[:600] / 16, y[:600]


def test_the_module_is_short():
    assert 60 < len(source().splitlines()) < 120


def test_gradients(gated_units):
    config = gated_units.GatedConfig(5, 3, 6, 2, rank=2, dtype="float64", b_init="kaiming")
    check_gradients(bind(Sequential(config.build())), normal(4, 5), needs_dx=False)


@pytest.mark.parametrize("adapter", ["lora", "dora", "full", "none"])
def test_it_fits_with_weights_and_goes_on_after_loading(gated_units, digits, tmp_path, adapter):
    X, y = digits
    model = gated_units.GatedUnitClassifier(
        **QUICK, adapter=adapter, class_weight="balanced", warm_start=True
    )
    model.fit(X, y, sample_weight=1 + (y == 3))
    unweighted = clone(model).set_params(class_weight=None).fit(X, y)
    assert (unweighted.network_.theta != model.network_.theta).any()
    loaded = load(save(model, tmp_path / "model.safetensors"))
    assert type(loaded.network_.config) is gated_units.GatedConfig
    np.testing.assert_array_equal(loaded.predict_proba(X), model.predict_proba(X))
    assert loaded.get_params() == model.get_params()
    for each in (model, loaded):
        each.fit(X, y)
    np.testing.assert_array_equal(loaded.network_.theta, model.network_.theta)
    assert (model.n_iter_, len(model.loss_curve_)) == (3, 6)


def test_searches(gated_units, digits):
    X, y = digits
    model = gated_units.GatedUnitClassifier(**QUICK)
    search = RankSearch(model, eps=1.0, cv=2, n_seeds=1, random_state=0).fit(X, y)
    assert search.rank_ == 1
    assert search.baseline_["n_trained"] == search.best_estimator_.network_.config.fully_trained(
    ).n_params  # fmt: skip
    with pytest.raises(ValueError, match=r"between 1 and 12.*layers\.0\.value"):
        RankSearch(model, ranks=(13,), cv=2, n_seeds=1).fit(X, y)
    grid = GridSearchCV(model, {"width": [6, 12], "rank": np.array([1, 2])}, cv=2).fit(X, y)
    assert grid.best_params_["width"] in (6, 12)


def test_side_by_side_has_the_bits_of_alone(gated_units, digits):
    X, y = digits
    params = QUICK | {"dtype": "float64"}
    models = [
        gated_units.GatedUnitClassifier(**params).set_params(rank=rank, adapter=adapter)
        for rank, adapter in ((1, "lora"), (3, "dora"), (2, "none"))
    ]
    alone = [clone(model).fit(X, y) for model in models]
    for fitted, one in zip(fit_many(models, X, y), alone, strict=True):
        np.testing.assert_array_equal(fitted.network_.theta, one.network_.theta)
    names = np.arange(len(X)) % 3
    expected = np.choose(names, [model.predict(X) for model in alone])
    np.testing.assert_array_equal(predict_many(dict(enumerate(models)), X, names), expected)


def test_seed_gated(gated_units, digits, tmp_path):
    X, y = digits
    task = y % 2
    better = {"max_iter": 20, "learning_rate_init": 0.02}
    model = gated_units.SeedGatedUnitClassifier(**QUICK | better, out_of_class=-1)
    model.fit(X, y, task)
    assert model.score(X, y, task) > model.score(X, y, 1 - task) + 0.3
    assert model.score(X, np.full(len(X), -1), 1 - task) > 0.7
    loaded = load(save(model, tmp_path / "gated.safetensors"))
    np.testing.assert_array_equal(loaded.predict(X, task), model.predict(X, task))


def test_counted(gated_units, digits):
    model = gated_units.GatedUnitClassifier(**QUICK).fit(*digits)
    cost = cost_of(model, rows=600, epochs=2, batch_size=600)
    matrices = 2 * (64 * 12 + 12 * 12)
    assert (cost.n_frozen, cost.n_trained) == (matrices, model.n_trained_params_)
    assert cost.n_dense == matrices + 4 * 12 + 13 * 10
    # Two frozen products, forward and, but for the first layer, back; the twin's weight gradients.
    assert cost.counted.full_prediction == 600 * (matrices + 12 * 10)
    assert cost.counted.full_step == 600 * (3 * (matrices + 120) - 2 * 64 * 12)


@pytest.mark.parametrize(
    "arms",
    [
        pytest.param([arm for arm in ARMS if arm != "echo_state"], id="without the reservoir"),
        pytest.param(ARMS, id="all", marks=pytest.mark.slow),
    ],
)
def test_compared(gated_units, arms):
    protocol = Protocol(max_iter=2).changed(width=12)
    kind = gated_units.GatedUnitClassifier
    found = compare("digits", (2,), 1, arms, protocol=protocol, estimator=kind)
    records = {record.arm: record for record in found.records}
    assert set(records) == set(arms)
    config = gated_units.GatedConfig(64, 10, 12, rank=2)
    assert records["adapter"].trained == config.n_params
    assert records["full"].trained == config.fully_trained().n_params
    assert records["equal_bytes"].stored_bytes <= records["adapter"].stored_bytes
    wider = replace(config.resized(records["adapter"].stored_bytes // 4), width=4)
    assert 4 * wider.n_params > records["adapter"].stored_bytes
    assert records["scaffold_removed"].score != records["adapter"].score


@pytest.mark.parametrize("workers", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_swept_by_the_path_of_its_class(gated_units, tmp_path, workers):
    (tmp_path / "gated.toml").write_text(
        DECLARATION.format(name="gated_units:GatedUnitClassifier"), encoding="utf-8"
    )
    sweep = read_sweep(tmp_path / "gated.toml")
    records = run_sweep(sweep, tmp_path / "out", workers=workers).records()
    assert not [record for record in records if "error" in record]
    adapters = [record for record in records if record["arm"] == "adapter"]
    assert len(adapters) == 4
    assert {record["arm"] for record in records} == set(ARMS) - {"scaffold_removed", "wrong_seed"}
    assert set(adapters[0]["afterwards"]) == {"scaffold_removed", "wrong_seed"}
    full = [record for record in records if record["arm"] == "full"]
    assert [record["at"] for record in full] == [{"width": 8}, {"width": 12}]
    for record in full:
        config = gated_units.GatedConfig(64, 10, record["at"]["width"], adapter="full")
        assert record["trained"] == config.n_params


def test_a_sweep_names_what_there_is(gated_units, tmp_path):
    path = tmp_path / "gated.toml"
    for name, words in {
        "GatedUnits": "must be one of.*GatedUnitClassifier",
        "gated_units:Nothing": "cannot be imported",
        "nowhere_at_all:Model": "cannot be imported.*nowhere_at_all",
        "gated_units:GatedConfig": "DeepClassifier or DeepRegressor",
    }.items():
        path.write_text(DECLARATION.format(name=name), encoding="utf-8")
        with pytest.raises(ValueError, match=words):
            read_sweep(path)
    path.write_text(
        DECLARATION.format(name="GatedUnitClassifier").replace("width", "hidden_layer_sizes"),
        encoding="utf-8",
    )
    with pytest.raises(ValueError, match="unknown key 'hidden_layer_sizes'"):
        read_sweep(path)
    path.write_text(
        DECLARATION.format(name="DeepReservoirRegressor").replace("width", "tol"), "utf-8"
    )
    with pytest.raises(
        ValueError, match="classification task, which DeepReservoirRegressor does not support"
    ):
        run_sweep(path, tmp_path / "out")


@pytest.mark.slow
def test_a_file_never_imports(gated_units, digits, tmp_path):
    path = save(gated_units.GatedUnitClassifier(**QUICK).fit(*digits), tmp_path / "model")
    code = f"import deepreservoir; deepreservoir.load({str(path)!r})"
    ended = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    assert ended.returncode
    assert "GatedUnitClassifier" in ended.stderr
    assert "register_estimator" in ended.stderr
    ended = subprocess.run([sys.executable, "-c", "import gated_units; " + code], check=False)
    assert ended.returncode == 0


def test_a_configuration_that_is_not_registered_says_how(gated_units):
    plain = gated_units.GatedConfig(4, 3).to_plain()
    assert from_plain(plain) == gated_units.GatedConfig(4, 3)
    with pytest.raises(ValueError, match=r"'other'.*gated_units, .*mlp.*@architecture\('other'\)"):
        from_plain(plain | {"architecture": "other"})


def test_a_file_of_too_many_layers_is_refused(gated_units, digits, tmp_path):
    """Also where the rank is a number, so that the configuration builds its layers to check it."""
    from deepreservoir import container

    path = save(gated_units.GatedUnitClassifier(**QUICK).fit(*digits), tmp_path / "model")
    contents = container.read(path)
    for part in ("config", "params"):
        document = contents.document | {part: contents.document[part] | {"depth": 10**12}}
        container.write(path, container.Contents(document, contents.tensors, contents.dtypes))
        with pytest.raises(ArtifactError, match="which are 1,000 layers of 10,000 bytes"):
            load(path, max_bytes=10_000_000)


def test_a_file_of_another_architecture_is_refused(gated_units, digits, tmp_path):
    from deepreservoir import container

    path = save(gated_units.GatedUnitClassifier(**QUICK).fit(*digits), tmp_path / "model")
    contents = container.read(path)
    contents.document["config"] = deepreservoir.MLPConfig(64, 10, (12,)).to_plain()
    container.write(path, contents)
    with pytest.raises(
        ArtifactError,
        match="architecture 'gated_units'; the network in the file is of the architecture 'mlp'",
    ):
        load(path)
