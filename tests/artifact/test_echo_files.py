"""Echo-state models to files and back: a seed and a readout, or a reason."""

import numpy as np
import pandas as pd
import pytest
from artifact_tools import forged, told
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from deepreservoir import (
    ArtifactError,
    EchoStateClassifier,
    EchoStateRegressor,
    container,
    load,
    save,
)
from deepreservoir.esn import TOPOLOGIES, IntrinsicPlasticity

WALK = np.random.default_rng(0).normal(size=(400, 2)).cumsum(axis=0) / 20
SERIES = np.random.default_rng(1).normal(size=(40, 30))
LABELS = np.array(["a", "b", "c"])[np.arange(40) % 3]


def regressor(**params):
    params = {"units": 64, "washout": 20, "random_state": 0, **params}
    return EchoStateRegressor(**params).fit(WALK[:-1], WALK[1:])


def classifier(**params):
    params = {"units": 30, "random_state": 0, **params}
    return EchoStateClassifier(**params).fit(SERIES, LABELS)


REGRESSORS = [
    *({"topology": topology} for topology in TOPOLOGIES),
    {"units": (40, 30)},
    {"units": (40, 30), "arrangement": "grouped", "feedback": True},
    {"plasticity": IntrinsicPlasticity(epochs=2)},
    {"noise": 0.1, "dtype": "float64", "density": 5, "leak_rate": 0.5, "bias_scaling": 0.2},
    {"readout": "rls", "units": 20},
    pytest.param(
        {"ridge": (1e-6, 1e-3), "random_state": np.random.RandomState(3)}, id="a generator"
    ),
]


@pytest.mark.parametrize("params", REGRESSORS, ids=str)
def test_a_loaded_regressor_is_the_saved_one_bit_for_bit(params, tmp_path):
    model = regressor(**params)
    path = save(model, tmp_path / "m.safetensors")
    found = load(path)
    np.testing.assert_array_equal(found.predict(WALK), model.predict(WALK))
    np.testing.assert_array_equal(found.forecast(20), model.forecast(20))
    np.testing.assert_array_equal(found.forecast(5, WALK[:99]), model.forecast(5, WALK[:99]))
    theirs = {k: v for k, v in told(model).items() if k != "random_state"}
    assert {k: v for k, v in told(found).items() if k != "random_state"} == theirs
    assert (
        save(found, tmp_path / "again").read_bytes()
        == save(model.set_params(random_state=found.random_state), tmp_path / "model").read_bytes()
    )


CLASSIFIERS = [
    {},
    {"features": "last", "units": (20, 10)},
    {"features": (0.5, 1.0)},
    {"features": "output_model", "n_components": 5},
    {"features": "reservoir_model", "n_components": 5, "feature_penalty": 3},
    {"features": "output_model", "n_components": None, "units": 10},
    {"plasticity": 1, "dtype": "float32"},
]


@pytest.mark.parametrize("params", CLASSIFIERS, ids=str)
def test_a_loaded_classifier_is_the_saved_one_bit_for_bit(params, tmp_path):
    model = classifier(**params)
    found = load(save(model, tmp_path / "m.safetensors"))
    np.testing.assert_array_equal(found.predict_proba(SERIES), model.predict_proba(SERIES))
    np.testing.assert_array_equal(found.predict(SERIES), model.predict(SERIES))
    assert told(found) == told(model)


def test_series_of_several_variables_and_flat_targets(tmp_path):
    many = SERIES.reshape(20, 30, 2)
    model = EchoStateClassifier(20, random_state=0).fit(many, LABELS[:20])
    found = load(save(model, tmp_path / "m.safetensors"))
    np.testing.assert_array_equal(found.predict_proba(many), model.predict_proba(many))
    flat = EchoStateRegressor(20, random_state=0).fit(WALK, WALK[:, 0])
    found = load(save(flat, tmp_path / "m.safetensors"))
    assert found.predict(WALK).shape == (400,)
    scaled = make_pipeline(StandardScaler(), EchoStateRegressor(20, random_state=0))
    scaled.fit(WALK, WALK[:, 0])
    found = load(save(scaled, tmp_path / "m.safetensors"))
    np.testing.assert_array_equal(found.predict(WALK), scaled.predict(WALK))


def test_a_file_is_a_readout_and_a_few_words(tmp_path):
    model = regressor(units=500)
    path = save(model, tmp_path / "m.safetensors")
    contents = container.read(path)
    assert contents.tensors["readout.coef"].shape == (2, 500)
    numbers = sum(map(contents.nbytes, contents.tensors))
    assert numbers == 8 * (2 * 500 + 2) + 4 * 500 + 8 * 2  # readout; end of training
    assert path.stat().st_size < numbers + 3000


def test_sixteen_bits_are_for_the_readout(tmp_path):
    model = classifier()
    path = save(model, tmp_path / "m.safetensors", dtype="bfloat16", X=SERIES, y=LABELS)
    contents = container.read(path)
    assert contents.dtypes["readout.coef"] == "bfloat16"
    assert contents.document["precision"]["score_rounded"] == load(path).score(SERIES, LABELS)
    large = EchoStateRegressor(20, random_state=0).fit(WALK, WALK[:, 0] * 1e6)
    with pytest.raises(ArtifactError, match=r"tensor 'readout.coef': .* does not fit float16"):
        save(large, tmp_path / "n.safetensors", dtype="float16")
    assert not (tmp_path / "n.safetensors").exists()


def test_what_is_not_in_the_file_is_said(tmp_path):
    found = load(save(regressor(), tmp_path / "m.safetensors"))
    with pytest.raises(ValueError, match=r"saved files do not contain.* Fit again"):
        found.partial_fit(WALK[:-1], WALK[1:])
    found.fit(WALK[:-1], WALK[1:]).partial_fit(WALK[:-1], WALK[1:])
    with pytest.raises(ArtifactError, match=r"a Ridge as readout cannot be saved.*readout='ridge'"):
        save(regressor(readout=Ridge()), tmp_path / "n.safetensors")


def at(*keys, to):
    def change(document, tensors):
        for key in keys[:-1]:
            document = document[key]
        document[keys[-1]] = to

    return change


LAYER = ("scaffold", "layers", 0)
REFUSED = {
    "seed": (at("scaffold", "seed", to=3), "frozen weights of reservoir 0 are not those"),
    "terabytes": (at(*LAYER, "units", to=10**6), "bytes for its reservoirs; max_bytes allows"),
    "units": (at(*LAYER, "units", to=10**30), "units must be an integer of at most 2"),
    "inputs": (at("config", "n_inputs", to=10**12), "max_bytes allows|are not those of the model"),
    "topology": (at(*LAYER, "topology", to="star"), "topology must be one of"),
    "density": (at(*LAYER, "density", to=7.5), "density must be a share"),
    "leak": (at(*LAYER, "leak_rate", to=2.0), "leak_rate must be"),
    "activation": (at(*LAYER, "activation", to="exec"), "activation cannot be 'exec'"),
    "path": (at(*LAYER, "path", to="x\ny"), "must have the path 'reservoir.0'"),
    "digest": (at(*LAYER, "digest", to="0"), "expected digest 0, got"),
    "none": (at("scaffold", "layers", to=[]), "at least one reservoir"),
    "stream": (at("scaffold", "stream", to=9), "streams of version 9"),
    "outputs": (at("fitted", "n_outputs", to=3), "must have shape"),
    "dtype": (at("config", "dtype", to="float16"), "config cannot be"),
    "factor": (at(*LAYER, "factor", to=1e308), r"factor must be a number in \[0, 3.4"),
    "scaling": (at(*LAYER, "input_scaling", to=1e308), r"input_scaling must be a number in"),
    "tuned": (at(*LAYER, "tuned", to=True), "has no tensor 'reservoir.0.bias'"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_file_that_says_something_else_is_refused(case, tmp_path):
    change, message = REFUSED[case]
    path = save(regressor(), tmp_path / "m.safetensors")
    with pytest.raises(ArtifactError, match=message):
        load(forged(path, change))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (at("fitted", "features", to="all"), "features cannot be 'all'"),
        (at("fitted", "features", to={"tuple": [0.5, 2.0]}), "features cannot be"),
        (at("fitted", "features", to="output_model"), "must have shape"),
        (at("fitted", "n_variables", to=2), "inputs do not match"),
        (at("fitted", "classes", "values", to=["a", "b"]), "must have shape"),
        (at("fitted", "washout", to=-1), "washout must be an integer"),
    ],
)
def test_a_classifier_that_says_something_else_is_refused(change, message, tmp_path):
    path = save(classifier(), tmp_path / "m.safetensors")
    with pytest.raises(ArtifactError, match=message):
        load(forged(path, change))


@pytest.mark.host(reason="DataFrames are on the host")
def test_names_of_outputs_are_kept(tmp_path):
    t = np.arange(200)
    waves = pd.DataFrame({"p": np.sin(t / 5), "q": 5 + np.cos(t / 5)})
    model = EchoStateRegressor(50, washout=20, random_state=0)
    model.fit(waves[:-1], waves[["q", "p"]][1:])
    loaded = load(save(model, tmp_path / "swapped.safetensors"))
    for each in (model, loaded):
        with pytest.raises(ValueError, match="are those of X in another order"):
            each.forecast(3, waves)
    totals = pd.DataFrame({"sum": waves.p + waves.q, "difference": waves.p - waves.q})
    model.fit(waves, totals)
    loaded = load(save(model, tmp_path / "named.safetensors"))
    ahead = waves[:3].set_index(pd.RangeIndex(200, 203))
    wanted = model.forecast(3, waves, inputs=ahead)
    pd.testing.assert_frame_equal(loaded.forecast(3, waves, inputs=ahead), wanted)
    assert list(wanted.columns) == ["sum", "difference"]


@pytest.mark.host(reason="DataFrames are on the host")
def test_names_that_are_not_those_of_the_outputs_are_refused(tmp_path):
    waves = pd.DataFrame({"p": np.sin(np.arange(50)), "q": np.cos(np.arange(50))})
    model = EchoStateRegressor(10, density=0.5).fit(waves[:-1], waves[1:])
    path = save(model, tmp_path / "m.safetensors")
    contents = container.read(path)
    contents.document["outputs"] = ["p"]
    container.write(path, contents)
    with pytest.raises(ArtifactError, match="1 names for 2 outputs"):
        load(path)


@pytest.mark.host(reason="DataFrames are on the host")
def test_names_of_inputs_are_not_those_of_other_outputs():
    waves = pd.DataFrame({"p": np.sin(np.arange(50)), "q": np.cos(np.arange(50))})
    model = EchoStateRegressor(10, density=0.5).fit(waves.to_numpy(), waves.to_numpy()[:, ::-1])
    known = model.forecast(2, waves, inputs=waves[:2].set_index(pd.RangeIndex(50, 52)))
    assert list(known.columns) != ["p", "q"]
