"""Augmentation: keyed by seed and step, and what each change does."""

import numpy as np
import pytest
from scipy import stats

from deepreservoir.inputs import Augmentation, ImageReader
from deepreservoir.inputs.augmentation.draws import Draws
from deepreservoir.inputs.augmentation.geometric import cropped, erased, mirrored
from deepreservoir.inputs.augmentation.mixing import _share, mixed
from deepreservoir.inputs.augmentation.rand_augment import _OPERATIONS, rand_augmented
from tests.images.image_tools import random_images

ALL = {
    "crop": 2,
    "flip": 0.5,
    "rand_augment": (2, 9),
    "mixup": (0.4, 0.5),
    "cutmix": (1.0, 0.5),
    "erasing": 0.5,
}


def inputs_of(X, augmentation, seed=0):
    reader = ImageReader().fit(X)
    inputs = reader.read(X, np.float32, "cpu")
    reader.fit_training(inputs)
    return inputs.augmented(Augmentation.of(augmentation), seed)


def test_equal_seeds_and_steps_give_equal_bits_and_others_do_not():
    X, index = random_images(), np.arange(12)
    first = inputs_of(X, ALL).take(index, 3).x
    assert (inputs_of(X, ALL).take(index, 3).x == first).all()
    assert (inputs_of(X, ALL).take(index, 4).x != first).any()
    assert (inputs_of(X, ALL, seed=1).take(index, 3).x != first).any()


def test_without_a_step_nothing_is_changed():
    X, index = random_images(), np.arange(12)
    inputs = inputs_of(X, ALL)
    assert (inputs.take(index).x == inputs.flipped().flipped().take(index).x).all()
    assert not inputs.take(index).side


def test_the_images_themselves_are_not_changed():
    X = random_images()
    before = X.copy()
    inputs_of(X, ALL).take(np.arange(12), 0)
    assert (before == X).all()


def test_a_crop_is_a_window_of_the_padded_image():
    x = np.random.default_rng(0).normal(size=(40, 5, 4, 2))
    out = cropped(x, 2, Draws(0, 0))
    padded = np.pad(x, ((0, 0), (2, 2), (2, 2), (0, 0)))
    places = set()
    for i in range(40):
        found = [
            (top, left)
            for top in range(5)
            for left in range(5)
            if (padded[i, top : top + 5, left : left + 4] == out[i]).all()
        ]
        assert found
        places.add(found[0])
    assert len(places) > 10


def test_about_half_of_the_images_are_mirrored():
    x = np.random.default_rng(0).normal(size=(400, 2, 3, 1))
    out = mirrored(x.copy(), 0.5, Draws(0, 0))
    flipped = (out == x[:, :, ::-1]).all(axis=(1, 2, 3))
    assert (flipped | (out == x).all(axis=(1, 2, 3))).all()
    assert 150 < flipped.sum() < 250


def test_erased_rectangles_have_the_stated_area():
    x = np.ones((200, 30, 30, 2))
    out = erased(x.copy(), 0.5, Draws(0, 0))
    shares = 1 - out[..., 0].mean(axis=(1, 2))
    assert (out[..., 0] == out[..., 1]).all()
    assert 70 < (shares > 0).sum() < 130
    assert shares.max() < 0.36
    assert shares[shares > 0].min() > 0.01


def test_mixup_is_a_convex_combination_with_the_mirrored_position():
    x = np.random.default_rng(0).normal(size=(6, 4, 4, 1))
    out, share = mixed(x, (1.0, 1.0), None, Draws(0, 5))
    assert 0 < share < 1
    assert np.allclose(out, share * x + (1 - share) * x[::-1])


def test_cutmix_reports_the_area_that_is_left():
    x = np.random.default_rng(0).normal(size=(6, 16, 12, 1))
    for step in range(20):
        out, share = mixed(x, None, (1.0, 1.0), Draws(0, step))
        own = (out == x)[0, :, :, 0]
        assert np.isclose(own.mean(), share)
        assert ((out == x) | (out == x[::-1])).all()


def test_shares_have_a_beta_distribution():
    u = (np.arange(2000) + 0.5) / 2000
    shares = [_share(0.2, each) for each in u]
    assert stats.kstest(shares, stats.beta(0.2, 0.2).cdf).statistic < 0.01


def test_probabilities_of_mixing():
    x = np.random.default_rng(0).normal(size=(4, 8, 8, 1))
    shares = [mixed(x, None, (1.0, 0.3), Draws(0, step))[1] for step in range(400)]
    assert 80 < sum(share < 1 for share in shares) < 160


@pytest.mark.parametrize("channels", [1, 3])
def test_rand_augment_changes_bytes_and_keeps_the_form(channels):
    X = random_images(60, channels=channels)
    out = rand_augmented(X, 2, 9, Draws(0, 0))
    assert out.shape == X.shape
    assert out.dtype == np.uint8
    changed = (out != X).any(axis=(1, 2, 3))
    assert 0.5 < changed.mean() < 1


def test_every_operation_of_magnitude_zero_is_almost_nothing():
    from PIL import Image

    X = random_images(1, 16, 16)[0]
    stretched = {"_autocontrast", "_equalize"}  # they have no magnitude
    for operation in _OPERATIONS:
        if operation.__name__ not in stretched:
            out = np.asarray(operation(Image.fromarray(X), 0.0, 1)).astype(int)
            assert np.abs(out - X).max() <= 1, operation


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("spin", "'spin'"),
        (["crop", "spin"], "'spin'"),
        (3, "augmentation must be None"),
        ([3], "augmentation must be None"),
        ({"crop": 0}, "'crop'"),
        ({"flip": 1.5}, "'flip'"),
        ({"mixup": (0.0, 0.5)}, "'mixup'"),
        ({"cutmix": 1.0}, "'cutmix'"),
        ({"rand_augment": (2, 31)}, "'rand_augment'"),
        ({"erasing": "often"}, "'erasing'"),
    ],
)
def test_values_out_of_range_are_refused(value, message):
    with pytest.raises(ValueError, match=message):
        Augmentation.of(value)


def test_rand_augment_needs_bytes():
    augmentation = Augmentation.of("rand_augment")
    with pytest.raises(ValueError, match=r"bytes.*got floats"):
        augmentation.check_images((8, 8, 3), "floats")
    with pytest.raises(ValueError, match="2 channels"):
        augmentation.check_images((8, 8, 2), "bytes")


@pytest.mark.parametrize("value", [None, [], {}])
def test_nothing_is_none(value):
    assert Augmentation.of(value) is None
