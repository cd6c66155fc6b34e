"""run_sweep: refusals before any run, and going on where it was."""

from dataclasses import replace

import pytest
from sweep_tools import KINDS, lasting, small

from deepreservoir.experiments.comparisons import arms
from deepreservoir.sweeps import Figure, Folder, Published, Sweep, jobs_of, run_sweep, runs_of, work
from deepreservoir.sweeps.workers import CountedExecutor


def never(assignments):
    raise AssertionError("runs were about to be made")
    yield


def nothing(assignments):
    yield from ()


def counting(asked):
    """Return an executor that notes the runs that it is asked for."""

    def execute(assignments):
        for assignment in assignments:
            asked.extend(assignment.runs)
            yield work.work(assignment)

    return execute


# Refused before any run ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("sweep", "words"),
    [
        (small(("rank", (1, 5))), ["small, at rank = 5", "rank"]),  # of 4 features
        (small(("rank", (0,))), ["at rank = 0"]),
        (small(("rank", ("many",))), ["at rank = 'many'"]),
        (small(("rank", (1.5,))), ["at rank = 1.5"]),
        (small(("scaffold", ("normal", "nope"))), ["at scaffold = 'nope'", "binary"]),
        (small(("rank", (1,)), ("resample", (("step", 0),))), ["resample = ('step', 0)"]),
        (small(("learning_rate_init", (float("nan"),))), ["learning_rate_init = nan"]),
        (small(("storage", ("structured",))), ["storage = 'structured'", "normal"]),
        (small(max_iter=0), ["max_iter", "got 0"]),
        (small(hidden_layer_sizes=0), ["hidden_layer_sizes"]),
        (small(schedule="nope"), ["schedule", "'nope'"]),
        (replace(small(), target="nope"), ["'nope'", "length, width"]),
        (replace(small(), data_digest="0" * 64), ["kinds.csv differs from the file"]),
        (replace(small(("class_weight", ("balanced",))), target="width"), ["class_weight"]),
        (
            replace(
                small(), published=Published("x", None, (Figure("full", (("rank", 1),), 9.0),))
            ),
            ["'full' at rank = 1"],
        ),
    ],
)
def test_what_no_run_can_be_made_of_is_refused_before_the_folder_is_made(tmp_path, sweep, words):
    with pytest.raises(ValueError) as caught:  # noqa: PT011  (the words are below)
        run_sweep(sweep, tmp_path / "out", executor=never)
    assert [word for word in words if word not in str(caught.value)] == []
    assert not (tmp_path / "out").exists()


def test_a_rank_of_the_protocol_that_the_grid_overrides_is_not_checked(tmp_path):
    protocol = small().protocol.changed(rank=99)
    sweep = replace(small(("rank", (1,))), protocol=protocol, arms=("adapter", "full"))
    records = run_sweep(sweep, tmp_path).records()
    assert {record["arm"] for record in records if "score" in record} == {"adapter", "full"}


@pytest.mark.parametrize(
    ("figure", "words"),
    [
        (
            Figure("full", (), 150.0),
            r"score in .*, accuracy %, must be from 0 to 100; got 150\.0",
        ),
        (
            Figure("full", (), None, None, -1.0),
            r"at_least in .* must be from 0 to 100; got -1\.0",
        ),
    ],
)
def test_published_figures_that_no_score_can_have_are_refused(tmp_path, figure, words):
    sweep = replace(small(), published=Published("x", None, (figure,)))
    with pytest.raises(ValueError, match=words):
        run_sweep(sweep, tmp_path / "out", executor=never)
    assert not (tmp_path / "out").exists()


def test_published_figures_of_a_regression_are_at_most_one(tmp_path):
    published = Published("x", None, (Figure("full", (), 97.0),))
    sweep = Sweep(
        "r", "friedman1", None, None, (0,), small().protocol, (("rank", (1,)),), published
    )
    with pytest.raises(ValueError, match=r"score in .*, R², must be at most 1; got 97\.0"):
        run_sweep(sweep, tmp_path / "out", executor=never)


def test_a_published_fraction_of_percents_is_named(tmp_path):
    sweep = replace(small(), published=Published("x", 0.5, (Figure("full", (), 0.97),)))
    with pytest.warns(UserWarning, match=r"score = 0\.97 .* percent; if .*, write 97"):
        run_sweep(sweep, tmp_path, executor=nothing)


def test_a_refusal_without_values_of_the_grid_names_the_sweep_alone(tmp_path):
    sweep = replace(small(max_iter=0), arms=("full",))
    with pytest.raises(ValueError, match=r"^small: max_iter"):
        run_sweep(sweep, tmp_path, executor=never)


def test_a_folder_of_another_sweep_is_refused_before_any_run(tmp_path):
    Folder(tmp_path, small(seeds=2))
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    with pytest.raises(ValueError, match="another sweep"):
        run_sweep(small(), tmp_path, executor=never)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_a_folder_that_cannot_be_written_to_is_refused_before_any_run(tmp_path):
    Folder(tmp_path, small())
    (tmp_path / "records.jsonl").unlink()
    (tmp_path / "records.jsonl").mkdir()
    with pytest.raises(OSError, match=r"records\.jsonl"):
        run_sweep(small(), tmp_path, executor=never)


def test_a_damaged_record_is_refused_before_any_run(tmp_path):
    Folder(tmp_path, small())
    (tmp_path / "records.jsonl").write_text("nonsense\n")
    with pytest.raises(ValueError, match="line 1, is not a record"):
        run_sweep(small(), tmp_path, executor=never)


def test_a_table_that_changed_is_another_sweep(tmp_path):
    table = tmp_path / "kinds.csv"
    table.write_bytes(KINDS.read_bytes())
    declaration = tmp_path / "made.toml"
    declaration.write_text(
        'dataset = "kinds.csv"\ntarget = "kind"\nseeds = 1\n'
        "[protocol]\nhidden_layer_sizes = [8]\nmax_iter = 1\n[grid]\nrank = [1]\n"
    )
    run_sweep(declaration, tmp_path / "out")
    kept = (tmp_path / "out" / "records.jsonl").read_bytes()
    run_sweep(declaration, tmp_path / "out", executor=never_asked)
    table.write_bytes(KINDS.read_bytes() + b"1.0,1.0,1.0,1.0,a\n")
    with pytest.raises(ValueError, match=r"another sweep \(made\)"):
        run_sweep(declaration, tmp_path / "out", executor=never)
    assert (tmp_path / "out" / "records.jsonl").read_bytes() == kept


def never_asked(assignments):
    assert assignments == []
    yield from ()


def test_a_table_that_changes_under_a_worker_is_noticed(tmp_path):
    table = tmp_path / "kinds.csv"
    table.write_bytes(KINDS.read_bytes())
    sweep = replace(small(), dataset=str(table))
    assignment = work.Assignment.of(sweep, jobs_of(runs_of(sweep))[0])
    table.write_bytes(KINDS.read_bytes() + b"1.0,1.0,1.0,1.0,a\n")
    with pytest.raises(ValueError, match="all machines must have the same file"):
        work.work(assignment)


# What is made --------------------------------------------------------------------------


def test_every_run_is_made_once_and_recorded(tmp_path):
    sweep = small(seeds=2)
    asked = []
    folder = run_sweep(sweep, tmp_path, executor=counting(asked))
    assert sorted(run.key for run in asked) == sorted(run.key for run in runs_of(sweep))
    records = {record["run"]: record for record in folder.records()}
    for run in runs_of(sweep):
        record = records[run.key]
        assert (record["arm"], record["at"], record["seed"]) == (
            run.arm,
            dict(run.point),
            run.seed,
        )
        assert ("left_out" in record) == (run.arm == "echo_state")
        assert ("afterwards" in record) == (run.arm == "adapter")
    assert folder.task == "classification"


def test_records_say_what_the_arms_of_a_comparison_do(tmp_path):
    """Against the arms, called alone."""
    sweep = small()
    records = {r["arm"]: r for r in run_sweep(sweep, tmp_path).records() if r["at"] != {"rank": 1}}
    task = work.task_of(work.canonical(sweep.to_dict()))
    everything = frozenset(("adapter", "scaffold_removed", "wrong_seed"))
    adapter, removed, wrong = arms.adapter_arms(task, 2, 0, everything)
    alone = {
        "adapter": adapter,
        "no_scaffold": arms.no_scaffold(task, 2, 0),
        "equal_bytes": arms.equal_bytes(task, 2, 0, adapter.stored_bytes),
        "full": arms.full(task, 0),
        "random_features": arms.random_features(task, 0),
        "linear": arms.linear(task, 0),
    }
    for arm, expected in alone.items():
        found = records[arm]
        for name in ("score", "trained", "stored_bytes"):
            assert found[name] == getattr(expected, name)
    assert records["adapter"]["afterwards"] == {
        "scaffold_removed": removed.score,
        "wrong_seed": wrong.score,
    }


@pytest.mark.parametrize(("n_workers", "sizes"), [(1, [6]), (2, [3, 3]), (4, [1] * 6)])
def test_groups_are_no_larger_than_leaves_work_for_all_workers(tmp_path, n_workers, sizes):
    grid = ("rank", (1, 2, 3)), ("learning_rate_init", (1e-3, 2e-3))
    asked = []

    def execute(assignments):
        asked.extend(len(assignment.runs) for assignment in assignments)
        yield from ()

    sweep = replace(small(*grid), arms=("adapter",))
    run_sweep(sweep, tmp_path, executor=CountedExecutor(n_workers, execute))
    assert asked == sizes


def test_a_sweep_that_was_stopped_goes_on_where_it_was(tmp_path):
    sweep = small(seeds=2)
    whole = run_sweep(sweep, tmp_path / "whole")

    def stops(assignments):
        for assignment in assignments[:3]:
            yield work.work(assignment)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_sweep(sweep, tmp_path / "out", executor=stops)
    kept = {record["run"] for record in Folder(tmp_path / "out").records()}
    assert kept
    asked = []
    folder = run_sweep(sweep, tmp_path / "out", executor=counting(asked))
    assert {run.key for run in asked} == {run.key for run in runs_of(sweep)} - kept
    assert lasting(folder.records()) == lasting(whole.records())


def test_an_executor_is_closed_whatever_ends_the_sweep(tmp_path, monkeypatch):
    closed = []

    def execute(assignments):
        try:
            for assignment in assignments:
                yield work.work(assignment)
        finally:
            closed.append(True)

    def full(folder, records):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Folder, "append", full)
    with pytest.raises(OSError, match="No space left"):
        run_sweep(small(), tmp_path, executor=execute)
    assert closed == [True]


def test_a_bar_shows_what_has_ended(tmp_path, capsys):
    run_sweep(small(), tmp_path, verbose=True)
    shown = capsys.readouterr().err
    n = len(runs_of(small()))
    assert f"{n}/{n}" in shown
    run_sweep(small(), tmp_path, verbose=True)
    assert f"{n}/{n}" in capsys.readouterr().err
