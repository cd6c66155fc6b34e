"""The declared sweeps: each can be run, names what it stands beside, and is printed beside it."""

import pytest
from benchmark_tools import ROOT, imported

from deepreservoir.datasets import DATASETS
from deepreservoir.sweeps import Folder, read_sweep, runs_of
from deepreservoir.sweeps.runs import check_published

declared = imported("declared")
entry = imported("__main__")

FILES = {path.stem: path for path in (ROOT / "benchmarks" / "sweeps").glob("*.toml")}


def run(*arguments: object) -> int:
    with pytest.raises(SystemExit) as caught:
        entry.main([str(argument) for argument in arguments], prog_name="benchmarks")
    return int(caught.value.code or 0)


def test_every_declaration_is_a_benchmark():
    assert set(declared.NAMES) == set(FILES)
    assert set(FILES) >= {
        "mnist_ranks",
        "mnist_families",
        "mnist_resampling",
        "mnist_b_init",
        "mnist_head",
        "mnist_controls",
    }


# One arm beside another sweep, or a single long run: they have no table of the paper, or few seeds.
BESIDE = {
    "cifar10_30",
    "cifar10_30_dora",
    "cifar10_small_dora",
    "flowers12_full",
    "flowers12_layer_norm",
    "halfcheetah",
    "halfcheetah_resampling",
    "imdb_lm",
}
FEW_SEEDS = {
    "cifar10_30",
    "cifar10_30_dora",
    "halfcheetah",
    "halfcheetah_resampling",
    "imdb",
    "imdb_frozen",
    "imdb_lm",
    "physionet_minutes",
    "wikitext103_paper",
}


@pytest.mark.parametrize("name", sorted(FILES))
def test_a_declaration_names_a_table_of_the_paper_and_what_stands_beside_it(name):
    sweep = read_sweep(FILES[name])
    assert sweep.dataset in DATASETS
    assert len(sweep.seeds) >= (1 if name in FEW_SEEDS else 3)
    if name not in BESIDE:
        assert "arXiv 2604.08749" in sweep.published.source
    check_published(sweep, runs_of(sweep))


def test_the_families_are_a_sweep_of_at_least_216_runs():
    runs = runs_of(read_sweep(FILES["mnist_families"]))
    assert sum(run.arm == "adapter" for run in runs) == 24 * 3 * 3 >= 216


@pytest.fixture
def quick(tmp_path, monkeypatch):
    """Put a declaration that takes a moment in the place of one that takes hours."""
    (tmp_path / "rows.csv").write_text("x,y\n" + "".join(f"{i},{i % 2}\n" for i in range(40)))
    (tmp_path / "mnist_ranks.toml").write_text(
        'dataset = "rows.csv"\ntarget = "y"\nseeds = 1\n'
        "[protocol]\nhidden_layer_sizes = [4]\nmax_iter = 1\n[grid]\nrank = [1]\n"
        '[published]\nsource = "them"\n[[published.rows]]\nat_least = 0.0\nscore = 1.25\n'
    )
    monkeypatch.setattr(declared, "_FOLDER", tmp_path)
    return tmp_path


def test_a_sweep_is_run_and_printed_beside_theirs(quick, capsys):
    out = quick / "out"
    assert run("run", "mnist_ranks", "--out", out) == 0
    shown = capsys.readouterr().out
    assert len(Folder(out / "mnist_ranks").records()) == 7
    assert "fully trained" in shown
    assert "source: them" in shown
    assert "1.25" in shown
    assert shown.splitlines()[-1] == f"Wrote {out / 'mnist_ranks'}"
    assert run("run", "mnist_ranks", "--out", out) == 0  # there is nothing left to do
    assert capsys.readouterr().out == shown


def test_a_sweep_goes_to_the_results_with_as_many_workers_as_asked(capsys, monkeypatch):
    asked = []

    def nothing(*arguments):
        asked.append(arguments)
        return "a table"

    monkeypatch.setattr(declared, "run", nothing)
    assert run("run", "mnist_head", "--workers", 2) == 0
    assert asked == [("mnist_head", ROOT / "benchmarks" / "results", 2, False, "cpu")]
    assert "a table" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (("run", "mnist_ranks", "--seeds", 3), "declares its own"),
        (("run", "mnist_ranks", "--workers", 0), "--workers"),
    ],
)
def test_wrong_input_is_refused_in_one_message(quick, capsys, arguments, word):
    assert run(*arguments) != 0
    (message,) = [x for x in capsys.readouterr().err.splitlines() if x.startswith("Error: ")]
    assert word in message


def test_a_folder_of_another_sweep_is_refused_in_one_message(quick, capsys):
    out = quick / "out"
    (out / "mnist_ranks").mkdir(parents=True)
    (out / "mnist_ranks" / "notes.txt").write_text("mine")
    assert run("run", "mnist_ranks", "--out", out) == 1
    assert "not results of a sweep" in capsys.readouterr().err
