"""Tables as people have them: what is read, refused and said of them."""

import gzip
import io
import math
import random
import warnings

import numpy as np
import pandas as pd
import pytest
from cli_tools import own_folder, run

from deepreservoir.cli.base import _with_options
from deepreservoir.cli.models import fit_command
from deepreservoir.datasets import read_table
from deepreservoir.datasets.notation import notation_of
from deepreservoir.datasets.sample_column import read_sample_column
from deepreservoir.experiments.tables import references
from deepreservoir.experiments.tables.held_out import split, targets_of

pytestmark = pytest.mark.host(reason="files are read on the host")


@pytest.fixture
def here(tmp_path, monkeypatch):
    return own_folder(tmp_path, monkeypatch)


# Notations --------------------------------------------------------------------------------------


def test_points_separate_thousands_beside_decimal_commas(here):
    rng = random.Random(1)
    values = [rng.randint(200, 9000) for _ in range(60)]
    rows = [f"{value % 97},5;{f'{value:,}'.replace(',', '.')}" for value in values]
    (here / "t.csv").write_text("x;y\n" + "\n".join(rows) + "\n")
    data = read_table("t.csv", "y", delimiter=";")
    assert sorted(np.r_[data.y_train, data.y_test]) == sorted(values)


@pytest.mark.parametrize(
    ("cells", "comma", "point", "thousands"),
    [
        (["1.234", "950"], True, False, "."),
        (["1.234", "2.500"], True, False, ""),
        (["1.234", "2.500"], False, True, "."),
        (["1.234", "950"], False, False, ""),
        (["1.234", "0.950"], True, True, ""),
        (["1.234", "9.5"], True, True, ""),
        (["1.234 €", "950 €"], True, False, "."),
        (["12", "950"], True, True, ""),
    ],
)
def test_points_before_three_digits(cells, comma, point, thousands):
    assert notation_of(cells, comma, point).thousands == thousands


def test_fractions_that_could_be_thousands_are_warned_of(here):
    rows = [f"{i};{1 + i / 1000:.3f}" for i in range(1, 60)]
    (here / "t.csv").write_text("x;y\n" + "\n".join(rows) + "\n")
    with pytest.warns(UserWarning, match=r"column 'y': numbers such as 1\.001 are read as frac"):
        read_table("t.csv", "y", delimiter=";")


# Targets ----------------------------------------------------------------------------------------


def test_rare_other_targets_of_a_regression_are_in_both_parts(here):
    y = np.zeros(100)
    held = np.setdiff1d(np.arange(100), _trained_on(100))
    y[np.setdiff1d(np.arange(100), held)[:12]] = np.arange(1, 13) + 0.5
    frame = pd.DataFrame({"x": np.arange(100.0) % 7, "y": y})
    frame.to_csv("t.csv", index=False)
    data = read_table("t.csv", "y", task="regression")
    assert np.ptp(data.y_test) > 0
    assert np.ptp(data.y_train) > 0
    y[:] = 0
    y[_trained_on(100)[0]] = 5.5
    pd.DataFrame({"x": np.arange(100.0), "y": y}).to_csv("t.csv", index=False)
    with pytest.raises(ValueError, match="t: 1 of 100 targets differs from 0"):
        read_table("t.csv", "y", task="regression")


def _trained_on(n):
    """Return the rows that the first split of n rows trains on."""
    from sklearn.model_selection import train_test_split

    return train_test_split(np.arange(n), test_size=0.2, random_state=0)[0]


def test_equal_numbers_are_one_class_however_they_are_written():
    y, task = targets_of(np.array(["1.0", "0", "1", "0.0"]))
    assert (y.tolist(), task) == (["1", "0", "1", "0"], "classification")
    with pytest.raises(ValueError, match="the target 'inf' is not a finite number"):
        targets_of(np.array(["1", "inf"]))
    labels = ["9007199254740992", "9007199254740993"]
    assert targets_of(np.array(labels * 3))[0].tolist() == labels * 3


def test_samples_need_classes_that_can_be_held_out(tmp_path):
    with pytest.raises(ValueError, match="all 10 texts have the target 'a'; there is nothing"):
        split(tmp_path, np.array(["a"] * 10), "classification", "texts")
    with pytest.raises(ValueError, match="nearly every one of the 6 texts has a class of its own"):
        split(tmp_path, np.array(list("abcdee")), "classification", "texts")
    train, held = split(tmp_path, np.array(["a", "b"] * 10 + ["c"]), "classification", "texts")
    assert 20 in train
    assert len(held) == 4
    assert sorted([*train, *held]) == list(range(21))


@pytest.mark.parametrize("word", ["NA", "nan", "?"])
def test_missing_targets_of_texts_are_refused_with_their_row(here, capsys, word):
    rows = [f"good film {i},{word if i == 5 else i % 2}" for i in range(30)]
    (here / "t.csv").write_text("review,y\n" + "\n".join(rows) + "\n")
    assert run("fit", "t.csv", "--text", "review", "--target", "y", "--save", "m") == 1
    assert f"row 7, column 'y': the target is missing, '{word}'" in capsys.readouterr().err


def test_a_word_such_as_none_is_a_class_beside_words(here):
    rows = [f"good film {i},{('none', 'toxic')[i % 2]}" for i in range(30)]
    (here / "t.csv").write_text("review,y\n" + "\n".join(rows) + "\n")
    assert read_sample_column(here / "t.csv", "text", "review", "y")[1].tolist()[0] == "none"


# References -------------------------------------------------------------------------------------


def test_signed_ranks_tell_where_a_few_errors_are_large():
    gains = np.r_[np.full(39, 0.1), 8.0]
    error = gains.std(ddof=1) / math.sqrt(40)
    told = references._told_by_ranks(gains)
    assert told == 1
    assert abs(gains.mean()) < 2 * error
    assert references.Reference("mean", 0.0, gains.mean(), error, told).verdict == 1
    assert references.Reference("mean", 0.0, gains.mean(), error).verdict == 0
    # The ranks do not overrule the mean.
    assert references.Reference("mean", 0.0, -gains.mean(), error, told).verdict == 0


def test_an_error_in_the_comparison_keeps_the_model(here, monkeypatch):
    def fails(*_):
        raise MemoryError("too large")

    monkeypatch.setattr(references, "references", fails)
    frame = pd.DataFrame({"x": np.arange(40.0), "y": np.arange(40) % 2})
    frame.to_csv("t.csv", index=False)
    with pytest.warns(UserWarning, match="failed, and the model is kept: too large"):
        assert run("fit", "t.csv", "--target", "y", "--save", "m", "--epochs", "2") == 0
    assert (here / "m").exists()


# Series -----------------------------------------------------------------------------------------

SERIES = ("--estimator", "cfc", "--id", "id", "--time", "t", "--target", "y", "--epochs", "2")


def long_frame():
    rng = np.random.default_rng(0)
    steps = pd.DataFrame({"id": np.repeat(np.arange(20), 4), "t": np.tile(np.arange(4), 20)})
    steps["a"] = rng.normal(size=80).round(3)
    steps["y"] = steps.id % 2
    return steps


def test_series_may_be_compressed_and_have_the_index_of_a_frame(here, capsys):
    text = io.StringIO()
    long_frame().to_csv(text)
    (here / "s.csv.gz").write_bytes(gzip.compress(text.getvalue().encode()))
    assert run("fit", "s.csv.gz", *SERIES, "--save", "m") == 0
    capsys.readouterr()
    assert run("inspect", "m") == 0
    assert run("predict", "m", "s.csv.gz") == 0


def test_times_are_of_the_kind_of_the_fit(here, capsys):
    frame = long_frame()
    frame.to_csv("n.csv", index=False)
    frame.t = pd.Timestamp("2026-01-01") + pd.to_timedelta(frame.t, unit="D")
    frame.to_csv("d.csv", index=False)
    assert run("fit", "n.csv", *SERIES, "--save", "m") == 0
    assert run("predict", "m", "d.csv") == 1
    assert "column 't': the times are dates, but those" in capsys.readouterr().err
    frame.t = frame.t.dt.strftime("%Y%m%d")
    frame.to_csv("basic.csv", index=False)
    assert run("fit", "d.csv", *SERIES, "--save", "m2") == 0
    assert run("predict", "m2", "basic.csv", "--out", "basic.out") == 0
    assert run("predict", "m2", "d.csv", "--out", "dates.out") == 0
    assert (here / "basic.out").read_text() == (here / "dates.out").read_text()


@pytest.mark.parametrize("channels", ["a,y", "a,a", "a,t"])
def test_channels_are_neither_the_target_nor_named_twice(here, capsys, channels):
    long_frame().to_csv("s.csv", index=False)
    assert run("fit", "s.csv", *SERIES, "--save", "m", "--channels", channels) == 1
    assert "channels must be different columns, and neither 'id'" in capsys.readouterr().err


def test_targets_of_a_series_may_be_written_in_two_ways(here):
    frame = long_frame().astype({"y": str})
    frame.loc[frame.t == 1, "y"] += ".0"
    frame.to_csv("s.csv", index=False)
    assert run("fit", "s.csv", *SERIES, "--save", "m") == 0


# Words ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("message", "shown"),
    [
        ("set batch_size to 5", "set --batch-size to 5"),
        ("column 'batch_size': missing", "column 'batch_size': missing"),
        ("no column; it has batch_size, max_iter", "no column; it has batch_size, max_iter"),
        ("or set early_stopping=False", "or leave out --early-stopping"),
        ("read with skip_broken=True", "read with --skip-broken"),
        ("cv.csv has no column", "cv.csv has no column"),
    ],
)
def test_parameters_are_named_as_options_and_columns_as_they_are(message, shown):
    assert _with_options(message, fit_command) == shown


def test_a_model_is_not_saved_as_its_checkpoint(here, capsys):
    frame = pd.DataFrame({"x": np.arange(40.0), "y": np.arange(40) % 2})
    frame.to_csv("t.csv", index=False)
    assert run("fit", "t.csv", "--target", "y", "--save", "m", "--checkpoint", "./m") == 2
    assert "--checkpoint and --save are the same file" in capsys.readouterr().err


def test_columns_of_results_have_names_of_their_own(here):
    waves = pd.DataFrame({"step": np.sin(np.arange(60) / 5), "x": np.cos(np.arange(60) / 7)})
    waves.to_csv("s.csv", index=False)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert run("forecast", "s.csv", "--horizon", "2", "--units", "20", "--out", "f.csv") == 0
    assert (here / "f.csv").read_text().startswith("step_,step,x,")
    frame = pd.DataFrame({"y=a": np.arange(40.0), "y": np.array(["a", "b"])[np.arange(40) % 2]})
    frame.to_csv("t.csv", index=False)
    assert run("fit", "t.csv", "--target", "y", "--save", "m", "--epochs", "2") == 0
    keep = ("--proba", "--keep", "y=a", "--out", "p.csv")
    assert run("predict", "m", "t.csv", *keep) == 0
    assert (here / "p.csv").read_text().splitlines()[0] == "y=a,y,y=a_predicted,y=b"
