"""``fit`` and ``predict`` on folders of images, through the real entry point."""

import csv
import io

import numpy as np
import pytest
from click.testing import CliRunner

from deepreservoir.cli import main
from tests.images.image_tools import random_images, write_folder, write_png


@pytest.fixture
def folder(tmp_path):
    """Dark and light images, in two subfolders."""
    noise = random_images(40, 8, 8, 3)
    light = np.arange(40) % 2 == 1
    return write_folder(
        tmp_path / "pictures", noise // 2 + 127 * light[:, None, None, None].astype("u1")
    )


def run(*arguments, ok=True):
    result = CliRunner().invoke(main, [str(argument) for argument in arguments])
    assert (result.exit_code == 0) == ok, result.output
    return result.output


def fit(folder, model, *more, ok=True):
    fixed = ("--image-size", 8, "--epochs", 5, "--batch-size", 8, "--save", model)
    return run("fit", folder, *fixed, *more, ok=ok)


def rows(text):
    return list(csv.reader(io.StringIO(text)))


@pytest.mark.parametrize("estimator", ["vit", "plain_cnn"])
def test_a_folder_is_fitted_and_predicted(folder, tmp_path, estimator):
    model = tmp_path / "model.safetensors"
    output = fit(folder, model, "--estimator", estimator, "--augmentation", "flip", "--epochs", 20)
    assert "2 classes: a, b" in output
    assert "on 8 held-out images" in output
    table = rows(run("predict", model, folder, "--proba"))
    assert table[0] == ["file", "class", "class=a", "class=b"]
    assert len(table) == 41
    right = [name.split("/")[0] == label for name, label, *_ in table[1:]]
    assert np.mean(right) > 0.8
    one = rows(run("predict", model, folder / table[1][0]))
    assert one[1][1] == table[1][1]
    assert "image_shape" in run("inspect", model, "--check")


def test_hidden_files_are_not_predicted(folder, tmp_path):
    model = tmp_path / "m"
    fit(folder, model)
    write_png(folder / ".thumbnails" / "0.png", random_images(1)[0])
    (folder / "a" / "._0.png").write_bytes(b"no image")
    assert len(rows(run("predict", model, folder))) == 41  # with the header


def test_a_folder_means_a_vision_transformer(folder, tmp_path):
    fit(folder, tmp_path / "m")
    assert "ViTClassifier" in run("inspect", tmp_path / "m")


def test_broken_files_are_named_or_skipped(folder, tmp_path):
    (folder / "a" / "broken.png").write_bytes(b"no image")
    output = fit(folder, tmp_path / "m", ok=False)
    assert "broken.png is not an image" in output
    assert "Traceback" not in output
    assert not (tmp_path / "m").exists()
    with pytest.warns(UserWarning, match="left out 1 of 41"):
        fit(folder, tmp_path / "m", "--skip-broken")
    output = run("predict", tmp_path / "m", folder, ok=False)
    assert "broken.png is not an image" in output
    assert "or leave such files of a folder out with --skip-broken" in output
    with pytest.warns(UserWarning, match="left out 1 of 41"):
        found = rows(run("predict", tmp_path / "m", folder, "--skip-broken"))
    assert len(found) == 41  # with the header


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--target", "y"), "--target is for tables"),
        (("--layers", "8"), "--layers, --bias and --no-bias are for --estimator perceptron"),
        (("--drop", "y"), "options of tables"),
        (("--augmentation", "spin"), "'spin'"),
        (("--image-size", "8,8,8"), "--image-size must be one or two"),
        (("--estimator", "perceptron", "--target", "y"), "is for images"),
        (("--image-size", "9", "--estimator", "vit"), "patch"),
    ],
)
def test_options_that_do_not_belong_to_images_are_refused(folder, tmp_path, options, message):
    output = fit(folder, tmp_path / "m", *options, ok=False)
    assert message in output
    assert "Traceback" not in output
    assert not (tmp_path / "m").exists()


def test_files_and_folders_are_not_taken_for_each_other(folder, tmp_path):
    table = tmp_path / "table.csv"
    table.write_text("x,y\n" + "1,2\n" * 10)
    assert "needs a folder" in run("fit", table, "--estimator", "vit", "--save", "m", ok=False)
    assert "--target" in run("fit", table, "--save", tmp_path / "m", ok=False)
    assert "is for images" in run(
        "fit", table, "--target", "y", "--skip-broken", "--save", "m", ok=False
    )
    empty = tmp_path / "empty"
    empty.mkdir()
    assert "one subfolder of images per class" in run("fit", empty, "--save", "m", ok=False)
    model = tmp_path / "m"
    fit(folder, model)
    assert "has no files that end in" in run("predict", model, empty, ok=False)
    assert "--keep" in run("predict", model, folder, "--keep", "x", ok=False)
    assert "--missing" in run("predict", model, folder, "--missing", "impute", ok=False)


def test_a_model_of_a_table_refuses_a_folder(folder, tmp_path):
    table, model = tmp_path / "table.csv", tmp_path / "m"
    table.write_text("x,y\n" + "\n".join(f"{i},{i % 2}" for i in range(20)))
    run("fit", table, "--target", "y", "--epochs", 1, "--save", model)
    assert "is a folder" in run("predict", model, folder, ok=False)


def test_grey_images_are_read_as_the_model_reads_them(folder, tmp_path):
    model = tmp_path / "m"
    fit(folder, model)
    grey = write_png(tmp_path / "grey.png", random_images(1, 8, 8, 1)[0])
    assert len(rows(run("predict", model, grey))) == 2
