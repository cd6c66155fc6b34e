"""Displays of attention and of filters: what is drawn, and what is refused."""

import numpy as np
import pytest
from sklearn.datasets import load_digits
from sklearn.exceptions import NotFittedError

from deepreservoir import (
    AttentionDisplay,
    DeepReservoirClassifier,
    FilterDisplay,
    ViTClassifier,
    load,
    save,
)

matplotlib = pytest.importorskip("matplotlib")
matplotlib.use("Agg")
plt = pytest.importorskip("matplotlib.pyplot")

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
DIGITS = load_digits(n_class=2)
X, Y = DIGITS.images[:40].astype(np.uint8), DIGITS.target[:40]


@pytest.fixture(autouse=True)
def _no_open_figures():
    yield
    plt.close("all")


def model(**options):
    params = {"heads": 2, "depth": 2, "max_iter": 2, "random_state": 0} | options
    return ViTClassifier(2, 8, **params).fit(X, Y)


@pytest.mark.parametrize("options", [{}, {"pooling": "mean"}, {"recompute": True}])
def test_attention_over_an_image(options):
    fitted = model(**options)
    display = AttentionDisplay.from_estimator(fitted, X[3])
    assert display.attention.shape == (2, 4, 4)
    assert (display.attention > 0).all()
    sums = display.attention.sum(axis=(1, 2))
    assert (sums < 1).all() if fitted.pooling == "token" else np.allclose(sums, 1)
    assert len(display.axes_) == 3
    np.testing.assert_allclose(display.image[..., 0], X[3] / 255)
    other = AttentionDisplay.from_estimator(fitted, X[4])
    assert (other.attention != display.attention).any()


def test_attention_is_what_the_network_weighs_values_with():
    fitted = model(depth=1)
    display = AttentionDisplay.from_estimator(fitted, X[3])
    inputs = fitted._reader.read(X[3:4], np.float32, "cpu").take(np.arange(1))
    embedding, block = fitted.network_.body.children[:2]
    x = embedding.forward(inputs.x)[0]
    p = block.probabilities(x)[0, :, 0, 1:].mean(axis=0)
    np.testing.assert_allclose(display.attention[0].ravel(), p)


def test_filters_as_drawn_and_as_learned(tmp_path):
    fitted = model(learning_rate_init=1e-12)
    display = FilterDisplay.from_estimator(fitted)
    assert display.learned.shape == (8, 2, 2, 1)
    np.testing.assert_allclose(display.learned, display.random, atol=1e-6)
    trained = model(learning_rate_init=0.05)
    display = FilterDisplay.from_estimator(load(save(trained, tmp_path / "model")))
    assert np.abs(display.learned - display.random).max() > 0.01
    figure, axes = plt.subplots(1, 2)
    assert FilterDisplay.from_estimator(trained, ax=axes).figure_ is figure


def test_what_has_no_images_or_does_not_fit_is_refused():
    table = DeepReservoirClassifier((8,), max_iter=1).fit(X.reshape(40, 64), Y)
    for display in (
        lambda: AttentionDisplay.from_estimator(table, X[0]),
        lambda: FilterDisplay.from_estimator(table),
    ):
        with pytest.raises(ValueError, match="classifier of images; got DeepReservoirClassifier"):
            display()
    with pytest.raises(NotFittedError):
        FilterDisplay.from_estimator(ViTClassifier())
    fitted = model()
    with pytest.raises(ValueError, match=r"X has images of shape \(4, 8, 1\)"):
        AttentionDisplay.from_estimator(fitted, X[0, :4])
    with pytest.raises(ValueError, match="ax must be 3 axes, one for each picture"):
        AttentionDisplay.from_estimator(fitted, X[0], ax=plt.subplots(1, 2)[1])
