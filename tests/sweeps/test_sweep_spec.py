"""Declarations: what they mean, what is refused and in which words."""

import hashlib
import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sweep_tools import small

from deepreservoir.experiments import MNIST_MEDIUM, Protocol, protocol_for
from deepreservoir.experiments.comparisons.protocol import default_protocol
from deepreservoir.scaffold import PAPER_FAMILIES
from deepreservoir.sweeps import Figure, Published, Sweep, read_sweep
from deepreservoir.sweeps.plain_data import canonical
from deepreservoir.sweeps.work import task_of

GRID = "[grid]\nrank = [1, 2]\n"
ROWS = '[published]\nsource = "nobody"\n[[published.rows]]\n'


@pytest.fixture
def declared(tmp_path):
    """Return a function that writes a declaration and reads it."""

    def read(text, name="made.toml"):
        path = tmp_path / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return read_sweep(path)

    return read


def test_arms_and_controls_are_part_of_the_digest_where_they_are_given(declared):
    plain = declared(f"{GRID}")
    some = declared(f'arms = ["adapter", "full"]\n{GRID}[controls]\nrank = [2]\n')
    assert some.arms == ("adapter", "full")
    assert some.controls == (("rank", (2,)),)
    assert Sweep.from_dict(json.loads(json.dumps(some.to_dict()))) == some
    assert "arms" not in plain.to_dict()
    assert plain.digest() != some.digest()


def test_the_content_of_a_backbone_is_part_of_the_digest(declared, tmp_path):
    def read():
        task_of.cache_clear()
        return declared(f'{head}[protocol]\nbackbone = "{file}"\n{GRID}')

    head, file = 'dataset = "digits"\nestimator = "ViTClassifier"\n', tmp_path / "vit.safetensors"
    missing = read()
    assert missing.files == ((str(file), None),)
    with pytest.raises(ValueError, match=r"vit\.safetensors, which made names, does not exist"):
        task_of(canonical(missing.to_dict()))
    file.write_bytes(b"one")
    one = read()
    assert Sweep.from_dict(json.loads(json.dumps(one.to_dict()))) == one
    assert read().digest() == one.digest()
    file.write_bytes(b"other")
    assert len({sweep.digest() for sweep in (missing, one, read())}) == 3
    with pytest.raises(ValueError, match=r"vit.safetensors differs .* made was declared with"):
        task_of(canonical(one.to_dict()))
    assert "files" not in declared(GRID).to_dict()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (f'arms = "full"\n{GRID}', "arms must be a list"),
        (f'arms = ["best"]\n{GRID}', "arms must be one of .*'best'"),
        (f'arms = ["wrong_seed"]\n{GRID}', "arms must be one of"),
        (f"{GRID}[controls]\nrank = [3]\n", r"rank in \[controls\].*\[1, 2\]; got \[3\]"),
        (f"{GRID}[controls]\nrank = 2\n", r"rank in \[controls\]"),
        (f"{GRID}[controls]\nscaffold = [1]\n", "scaffold"),
    ],
)
def test_unknown_arms_and_values_off_the_grid_are_refused(declared, text, message):
    with pytest.raises(ValueError, match=message):
        declared(text)


# What it means -------------------------------------------------------------------------


def test_all_keys_have_their_meaning(declared):
    sweep = declared(
        """
        dataset = "mnist"
        seeds = [3, 1]
        [protocol]
        hidden_layer_sizes = [8, 4]
        max_iter = 5
        validation = false
        [grid]
        scaffold = ["normal", "binary"]
        resample = ["none", "epoch", ["step", 2]]
        [published]
        source = "somebody"
        tolerance = 0.5
        [[published.rows]]
        at = { resample = "none" }
        score = 90
        trained = 100
        [[published.rows]]
        arm = "full"
        at_least = 98.5
        """
    )
    assert sweep == Sweep(
        "made",
        "mnist",
        None,
        None,
        (3, 1),
        replace(MNIST_MEDIUM, hidden_layer_sizes=(8, 4), max_iter=5, validation=False),
        (("scaffold", ("normal", "binary")), ("resample", (None, "epoch", ("step", 2)))),
        Published(
            "somebody",
            0.5,
            (
                Figure("adapter", (("resample", None),), 90, 100),
                Figure("full", (), None, None, 98.5),
            ),
        ),
    )


def test_the_shortest_declaration(declared):
    sweep = declared(GRID)
    assert (sweep.dataset, sweep.seeds, sweep.published) == ("digits", (0, 1, 2), None)
    assert sweep.protocol == protocol_for("digits")
    assert list(sweep.points()) == [(("rank", 1),), (("rank", 2),)]


def test_a_byte_order_mark_is_left_out(declared):
    assert declared(b"\xef\xbb\xbf" + GRID.encode()) == declared(GRID)


def test_the_last_parameter_changes_first(declared):
    sweep = declared('[grid]\nhead = ["full", "lora"]\nrank = [1, 2]')
    assert [tuple(dict(point).values()) for point in sweep.points()] == [
        ("full", 1),
        ("full", 2),
        ("lora", 1),
        ("lora", 2),
    ]


def test_all_scaffolds_are_the_families_without_zero(declared):
    (_, families), *_ = declared('[grid]\nscaffold = "all"').grid
    assert set(families) == {*PAPER_FAMILIES, "hadamard", "kronecker"}
    assert len(families) == 24


def test_a_table_is_found_beside_the_declaration_and_known_by_its_bytes(declared, tmp_path):
    (tmp_path / "data").mkdir()
    rows = b"x,y\n1,2\n"
    (tmp_path / "data" / "rows.csv").write_bytes(rows)
    text = f'dataset = "data/rows.csv"\ntarget = "y"\n{GRID}'
    sweep = declared(text)
    assert sweep.dataset == str(tmp_path / "data" / "rows.csv")
    assert (sweep.target, sweep.data_digest) == ("y", hashlib.sha256(rows).hexdigest())
    assert sweep.protocol == default_protocol()
    (tmp_path / "data" / "rows.csv").write_bytes(rows + b"3,4\n")
    assert declared(text).digest() != sweep.digest()


WEIGHTED = """dataset = "digits"
[protocol]
hidden_layer_sizes = [8]
max_iter = 2
class_weight = { 0 = 40.0, 1 = 1, 2 = 1, 3 = 1, 4 = 1, 5 = 1, 6 = 1, 7 = 1, 8 = 1, 9 = 1 }
"""


def test_weights_of_classes_are_a_table_whose_keys_are_the_text_of_labels(declared):
    sweep = declared(WEIGHTED + GRID)
    again = Sweep.from_dict(json.loads(json.dumps(sweep.to_dict())))
    assert again == sweep
    assert again.digest() == sweep.digest()
    assert declared(WEIGHTED.replace("40.0", "41.0") + GRID).digest() != sweep.digest()
    task = task_of(canonical(sweep.to_dict()))
    data = task.data
    found = task.estimator(0, rank=2).fit(data.X_train, data.y_train)
    weights = {label: 40.0 if label == 0 else 1 for label in range(10)}
    named = task.estimator(0, rank=2, class_weight=weights).fit(data.X_train, data.y_train)
    np.testing.assert_array_equal(found.network_.theta, named.network_.theta)
    plain = task.estimator(0, rank=2, class_weight=None).fit(data.X_train, data.y_train)
    assert (found.network_.theta != plain.network_.theta).any()


# What is refused -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("rank = [1", ["not a TOML file"]),
        (b"\xff\xfe", ["not a TOML file"]),
        (GRID * 2, ["not a TOML file"]),
        ("", ["[grid] must have at least one parameter", "rank = [1, 2, 4]"]),
        (f"[protocol]\nclass_weight = {{ 0 = -1 }}\n{GRID}", ["label '0'", "not negative; got -1"]),
        (f'[protocol]\nclass_weight = {{ a = "b" }}\n{GRID}', ["label 'a'", "must be a number"]),
        (f"[protocol]\ndropout = {{ a = 1 }}\n{GRID}", ["dropout must be a number"]),
        ("[grid]\nclass_weight = [{ 0 = 1 }]", ["class_weight must be a number, a string"]),
        ("[grid]\n", ["[grid] must have at least one parameter"]),
        ("grid = 3", ["[grid] must be a table", "3"]),
        ("protocol = 3\n" + GRID, ["[protocol] must be a table", "3"]),
        ("published = 3\n" + GRID, ["[published] must be a table"]),
        # Keys without a meaning, at every level.
        ("datset = 'digits'\n" + GRID, ["'datset'", "dataset"]),
        (GRID + "rnk = [1]", ["'rnk'", "[grid]", "rank"]),
        (GRID + "random_state = [1]", ["'random_state'", "[grid]"]),
        (GRID + "scaffold_seed = [1]", ["'scaffold_seed'", "[grid]"]),
        (GRID + "[protocol]\nepochs = 3", ["'epochs'", "[protocol]", "max_iter"]),
        (GRID + ROWS + "scor = 1", ["'scor'", "[published.rows]", "score"]),
        (GRID + "[published]\nsource = ''\nsauce = 1", ["'sauce'", "[published]", "source"]),
        # Values.
        ("dataset = 'nope'\n" + GRID, ["digits, friedman1, mnist", "nope"]),
        ("dataset = 3\n" + GRID, ["dataset", "3"]),
        ("dataset = 'made.toml'\n" + GRID, ["target = COLUMN"]),
        ("dataset = 'made.toml'\ntarget = 3\n" + GRID, ["target = COLUMN", "3"]),
        ("target = 'y'\n" + GRID, ["target is for CSV files", "digits"]),
        ("seeds = 0\n" + GRID, ["seeds", "got 0"]),
        ("seeds = -1\n" + GRID, ["seeds", "got -1"]),
        ("seeds = []\n" + GRID, ["seeds", "none"]),
        ("seeds = [-1]\n" + GRID, ["seeds", "-1"]),
        ("seeds = 1.5\n" + GRID, ["seeds", "1.5"]),
        ("seeds = [1.5]\n" + GRID, ["seeds", "1.5"]),
        ("seeds = true\n" + GRID, ["seeds", "True"]),
        ("seeds = 'many'\n" + GRID, ["seeds", "many"]),
        ("[grid]\nrank = 3", ["rank in [grid] must be a list", "3"]),
        ("[grid]\nrank = []", ["rank in [grid] must be a list", "[]"]),
        ("[grid]\nrank = 'all'", ["rank in [grid] must be a list", "'all'"]),
        ("[grid]\nrank = [1, 2, 1]", ["rank in [grid] has duplicate values"]),
        ("[grid]\nrank = [1, 1.0]", ["rank in [grid] has duplicate values"]),
        ("[grid]\nresample = [['step', 2], ['step', 2]]", ["resample", "duplicate"]),
        ("[grid]\nrank = [{ a = 1 }]", ["rank", "{'a': 1}"]),
        ("[grid]\nrank = [1979-05-27]", ["rank", "1979"]),
        ("[grid]\nresample = [['step', [2]]]", ["resample"]),
        (GRID + "[protocol]\nmax_iter = { a = 1 }", ["max_iter", "{'a': 1}"]),
        (
            GRID + "[protocol]\nvalidation = 1.0",
            ["validation in [protocol]", "true or false", "1.0"],
        ),
        # Published figures.
        (GRID + "[published]\ntolerance = 1", ["[published]", "source"]),
        (GRID + "[published]\nsource = 3", ["[published]", "source"]),
        (GRID + "[published]\nsource = ''", ["at least one [[published.rows]]"]),
        (GRID + "[published]\nsource = ''\nrows = [3]", ["[[published.rows]]", "3"]),
        (GRID + "[published]\nsource = ''\ntolerance = 'x'", ["tolerance", "'x'"]),
        (GRID + "[published]\nsource = ''\ntolerance = -1", ["tolerance", "-1"]),
        (GRID + "[published]\nsource = ''\ntolerance = true", ["tolerance", "True"]),
        (GRID + ROWS + "score = 'high'", ["score", "'high'"]),
        (GRID + ROWS + "at_least = true", ["at_least", "True"]),
        (GRID + ROWS + "trained = 'many'", ["trained", "'many'"]),
        (GRID + ROWS + "trained = -4", ["trained", "not negative; got -4"]),
        (GRID + ROWS + "trained = 4.5", ["trained", "whole number", "got 4.5"]),
        (GRID + ROWS + "at = 3", ["at must be a table", "3"]),
        (GRID + ROWS + "at = { rank = { a = 1 } }", ["rank", "{'a': 1}"]),
        (GRID + ROWS + "arm = 'adaptor'", ["'adaptor'", "adapter, full"]),
        (GRID + ROWS + "arm = 3", ["arm", "got 3"]),
    ],
)
def test_a_wrong_declaration_is_refused_with_its_file(declared, tmp_path, text, words):
    with pytest.raises(ValueError, match=r"made\.toml") as caught:
        declared(text)
    assert [word for word in words if word not in str(caught.value)] == []


@pytest.mark.parametrize("name", ["nowhere.toml", "."])
def test_a_file_that_cannot_be_read_is_an_os_error(tmp_path, name):
    with pytest.raises(OSError, match=r"No such file|Is a directory"):
        read_sweep(tmp_path / name)


# Plain data ----------------------------------------------------------------------------

numbers = st.integers(0, 2**64 - 1) | st.floats(allow_nan=False)
words = st.text(max_size=5)
values = st.none() | st.booleans() | numbers | words | st.tuples(words, st.integers(1, 9))
points = st.lists(st.tuples(words, values), max_size=2).map(tuple)
figures = st.builds(
    Figure,
    st.sampled_from(["adapter", "full"]),
    points,
    st.none() | st.floats(0, 100),
    st.none() | st.integers(0, 10**9),
    st.none() | st.floats(0, 100),
)
sweeps = st.builds(
    Sweep,
    words,
    words,
    st.none() | words,
    st.none() | words,
    st.lists(st.integers(0, 2**128), min_size=1, max_size=3).map(tuple),
    st.builds(
        Protocol,
        hidden_layer_sizes=st.lists(st.integers(1, 99), max_size=3).map(tuple),
        lora_alpha=st.none() | st.floats(0.1, 10),
        validation=st.booleans(),
    ),
    st.lists(st.tuples(words, st.lists(values, min_size=1, max_size=3).map(tuple)), max_size=2).map(
        tuple
    ),
    st.none()
    | st.builds(Published, words, st.none() | st.floats(0, 9), st.lists(figures).map(tuple)),
)


@given(sweeps)
def test_a_sweep_survives_json(sweep):
    text = json.dumps(sweep.to_dict())
    assert Sweep.from_dict(json.loads(text)) == sweep


def test_the_digest_is_of_what_decides_the_runs():
    sweep = small()
    published = Published("nobody", None, (Figure("full", (), 99.0),))
    same = replace(sweep, name="other", published=published, dataset="/elsewhere/other.csv")
    assert same.digest() == sweep.digest()
    others = [
        small(("rank", (1, 3))),
        small(seeds=2),
        small(max_iter=2),
        replace(sweep, target="width"),
        replace(sweep, data_digest="0" * 64),
    ]
    assert len({other.digest() for other in [sweep, *others]}) == len(others) + 1


def test_the_digest_of_a_declaration_stays_what_it_is(declared):
    """Or folders that were begun could not be gone on with."""
    sweep = declared('dataset = "mnist"\nseeds = 2\n[grid]\nresample = ["none", ["step", 2]]')
    assert sweep.digest().startswith("6754179f7116a281e3df7a88bbd30140")


def rows(cell="1"):
    return "".join(f"{i};{cell if i == 3 else i * i};{'ab'[i % 2]}\n" for i in range(20))


def test_a_table_is_read_as_the_declaration_says(declared, tmp_path):
    (tmp_path / "cells.csv").write_bytes(rows(cell="").replace("a", "\xe4").encode("latin-1"))
    head = f'dataset = "cells.csv"\ntarget = "3"\n{GRID}'
    options = 'delimiter = ";"\nencoding = "latin-1"\nheader = false\nmissing = "impute"\n'
    sweep = declared(f"{head}[table]\n{options}drop = ['1']\n")
    assert dict(sweep.table)["drop"] == ("1",)
    assert Sweep.from_dict(json.loads(json.dumps(sweep.to_dict()))) == sweep
    data = task_of(canonical(sweep.to_dict())).data
    assert data.X_train.shape[1] == 1
    assert sorted(map(str, set(data.y_train))) == ["b", "\xe4"]
    plain = declared(head)
    assert "table" not in plain.to_dict()
    assert plain.digest() != sweep.digest()
    with pytest.raises(ValueError, match=r"the options of a table are keys of \[table\]"):
        task_of(canonical(plain.to_dict()))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("separator = ';'", r"unknown key 'separator' in \[table\]; expected columns, delimiter"),
        ("missing = 'guess'", "missing must be one of .*'guess'"),
        ("header = 'no'", r"header in \[table\] must be true or false; got 'no'"),
        ("drop = 'a'", r"drop in \[table\] must be a list of names; got 'a'"),
        ("columns = [1]", r"columns in \[table\] must be a list of names"),
        ("delimiter = [';']", r"delimiter in \[table\] must be text"),
    ],
)
def test_wrong_options_of_a_table_are_refused(declared, tmp_path, text, message):
    (tmp_path / "cells.csv").write_text(rows())
    with pytest.raises(ValueError, match=message):
        declared(f'dataset = "cells.csv"\ntarget = "3"\n{GRID}[table]\n{text}\n')


def test_options_of_a_table_are_for_tables(declared):
    with pytest.raises(ValueError, match=r"\[table\] is for CSV files; digits has its own columns"):
        declared(f"{GRID}[table]\nheader = false\n")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (f"arms = []\n{GRID}", "arms must be one or more different names; got"),
        (f'arms = ["full", "full"]\n{GRID}', "arms must be one or more different names"),
        (f"seeds = [1, 1]\n{GRID}", r"seeds has duplicate values; got \[1, 1\]"),
        (f"{GRID}{ROWS}at = {{ rank = 1 }}\n", "must have a score, at_least or trained"),
        (f"{GRID}{ROWS}score = nan\n", "score in .* must be a number; got nan"),
    ],
)
def test_what_would_be_run_twice_or_compared_with_nothing_is_refused(declared, text, message):
    with pytest.raises(ValueError, match=message):
        declared(text)
