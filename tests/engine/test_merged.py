"""Predictions with scaffold and adapter as one matrix per layer."""

import pickle

import numpy as np
import pytest

from deepreservoir import MLPConfig
from deepreservoir.layers import Dense, Residual, Sequential
from deepreservoir.merged import MERGED_BYTES, Merged
from deepreservoir.models import GCNConfig
from deepreservoir.network import Network

pytestmark = pytest.mark.host(reason="scaffold and adapter are merged for the host alone")

X = np.random.default_rng(0).standard_normal((40, 12)).astype(np.float32)

CONFIGS = {
    "lora": {},
    "fixed beta": {"beta": "fixed"},
    "scaled": {"lora_alpha": 7.0, "beta": 0.5, "scaffold_scale": 2.0},
    "dora": {"adapter": "dora"},
    "nothing trained": {"adapter": "none"},
    "full": {"adapter": "full"},
    "head": {"head": "lora"},
    "head with bias": {"head": "lora+bias"},
    "norm": {"layer_norm": True, "bias": True},
    "residual": {"residual": True, "hidden_layer_sizes": (12, 12), "bias": True},
    "silu": {"activation": "silu", "bias": True},
    "no hidden layer": {"hidden_layer_sizes": ()},
    "orthogonal": {"scaffold": "orthogonal"},
    "zero scaffold": {"scaffold": "zero"},
    "float64": {"dtype": "float64"},
}


def network(**params):
    """A network of which every trained parameter differs from its initial value."""
    params = {"hidden_layer_sizes": (10, 8), "rank": 3, **params}
    made = Network(MLPConfig(12, 3, **params), seed=4)
    noise = np.random.default_rng(1).standard_normal(made.theta.shape)
    made.theta += (0.1 * noise).astype(made.dtype)
    return made


@pytest.mark.parametrize("params", CONFIGS.values(), ids=CONFIGS)
def test_outputs_are_those_of_the_network_to_rounding(params):
    plain = network(**params)
    expected = plain.outputs(X, np.float64)
    merged = plain.for_predictions(np.float64)
    found = merged.outputs(X)
    assert found.dtype == np.float64
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-14)
    single = plain.for_predictions(np.float32).outputs(X, np.float32)
    assert single.dtype == np.float32
    np.testing.assert_allclose(single, expected, rtol=1e-4, atol=1e-5)


def test_a_fully_trained_network_is_not_copied_in_its_own_dtype():
    full = network(adapter="full")
    assert full.for_predictions(np.float32) is full
    assert isinstance(full.for_predictions(np.float64), Merged)


@pytest.mark.parametrize(
    "params",
    [
        {"storage": "packed", "scaffold": "binary"},
        {"storage": "streamed"},
        {"scaffold": "hadamard"},
        {"scaffold": "kronecker"},
    ],
)
def test_scaffolds_that_are_not_held_as_a_matrix_are_not_expanded(params):
    plain = network(**params)
    assert plain.for_predictions(np.float64) is plain


def test_large_matrices_are_not_merged():
    side = int((MERGED_BYTES / 4) ** 0.5)
    plain = Network(MLPConfig(side + 1, 1, (side,), rank=1, scaffold="zero"), seed=0)
    assert plain.for_predictions(np.float32) is plain


def test_it_is_kept_until_a_parameter_changes():
    plain = network()
    merged = plain.for_predictions(np.float64)
    assert plain.for_predictions(np.float64) is merged
    plain.theta[-1] += 1  # the last bias of the head
    again = plain.for_predictions(np.float64)
    assert again is not merged
    np.testing.assert_allclose(again.outputs(X), plain.outputs(X, np.float64), rtol=1e-12)
    assert plain.for_predictions(np.float32).dtype == np.float32


def test_a_sign_of_zero_and_a_nan_are_compared_by_their_bits():
    plain = network()
    plain.theta[0] = 0.0
    merged = plain.for_predictions(np.float64)
    plain.theta[0] = -0.0
    assert plain.for_predictions(np.float64) is not merged
    plain.theta[0] = np.nan
    merged = plain.for_predictions(np.float64)
    assert plain.for_predictions(np.float64) is merged


def test_networks_that_share_an_adapter_are_merged_with_their_own_scaffold():
    plain = network()
    plain.for_predictions(np.float64)
    for other in (plain.with_scaffold(5), plain.without_scaffold()):
        found = other.for_predictions(np.float64).outputs(X)
        np.testing.assert_allclose(found, other.outputs(X, np.float64), rtol=1e-12, atol=1e-14)
        assert not np.allclose(found, plain.outputs(X, np.float64))


def test_pickles_do_not_hold_it():
    plain = network()
    before = pickle.dumps(plain)
    plain.for_predictions(np.float64)
    assert pickle.dumps(plain) == before
    assert isinstance(pickle.loads(before).for_predictions(np.float64), Merged)


def test_networks_on_the_scaffold_of_another_model_keep_no_matrices():
    plain = network()
    plain.attached = True
    assert plain.for_predictions(np.float64) is plain
    assert not plain.with_scaffold(5).attached


def test_other_architectures_predict_as_before():
    plain = Network(GCNConfig(n_features=4, n_outputs=2, hidden_layer_sizes=(5,)), seed=0)
    assert plain.for_predictions(np.float32) is plain


def test_a_configuration_with_other_arrays_is_refused(monkeypatch):
    class Wider(MLPConfig):
        def build(self):
            body, head = super().build()
            extra = Residual(Dense("extra", self.widths[-2], self.widths[-2]))
            return Sequential([*body.layers, extra]), head

    plain = network()
    wider = Wider(12, 3, (10, 8), adapter="full")
    monkeypatch.setattr(MLPConfig, "merged", lambda self, dtype: wider)
    with pytest.raises(ValueError, match=r"Wider.merged\(\) builds the array 'extra.weight'"):
        plain.for_predictions(np.float64)
