"""One option for the device, the same in every command that computes, passed to what computes."""

import click
import numpy as np
import pytest
from cli_tools import files_below, own_folder, run
from click.testing import CliRunner

from deepreservoir import backend
from deepreservoir.cli import base, main
from deepreservoir.estimators import EchoStateRegressor
from deepreservoir.experiments.comparisons import arms
from deepreservoir.experiments.forecasts.forecast import forecast_series
from deepreservoir.experiments.tables import rank_table as ranks
from deepreservoir.sweeps import Sweep, cluster, read_sweep, run_sweep, work

pytestmark = pytest.mark.host(reason="devices are pretended")

ROWS = "".join(f"{i},{i % 7},{i % 3}\n" for i in range(40))
SWEEP = 'dataset = "friedman1"\nseeds = 1\n[grid]\nrank = [1]\n'
COMMANDS = {
    "compare": ("compare", "digits", "--ranks", "1", "--seeds", "1"),
    "compare a series": ("compare", "mackey_glass", "--seeds", "1"),
    "fit": ("fit", "table.csv", "--target", "y", "--save", "model.st", "--epochs", "1"),
    "predict": ("predict", "model.st", "table.csv"),
    "generate": ("generate", "model.st", "--prompt", "a"),
    "rank": ("rank", "table.csv", "--target", "y"),
    "forecast": ("forecast", "table.csv", "--horizon", "2"),
    "sweep": ("sweep", "ranks.toml"),
}
COMPUTES = {
    "compare": "compare.compare",
    "compare a series": "compare.compare_forecasts",
    "fit": "models.fit_table",
    "predict": "models.predict_table",
    "generate": "generate.load",
    "rank": "rank.rank_table",
    "forecast": "forecast.forecast_series",
    "sweep": "sweep.run_sweep",
}


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    folder = own_folder(tmp_path, monkeypatch)
    (folder / "table.csv").write_text("a,x,y\n" + ROWS)
    (folder / "ranks.toml").write_text(SWEEP)
    (folder / "model.st").write_bytes(b"not read")
    return folder


class _Reached(ValueError):
    pass


@pytest.fixture
def reached(monkeypatch):
    """Note the device that what computes is given, and stop there."""
    seen = []

    def compute(*args, **named):
        place = {1: 1}.get(len(args) - 1, 2)  # `load` has the device as its second argument
        seen.append(named.get("device", args[place] if len(args) > place else None))
        raise _Reached("computing")

    for kind in ("series", "images"):
        monkeypatch.setattr(f"deepreservoir.cli.models.is_of_{kind}", lambda model: False)
    monkeypatch.setattr("deepreservoir.cli.models._sample_kind", lambda model: None)
    for name in COMPUTES.values():
        monkeypatch.setattr(f"deepreservoir.cli.{name}", compute)
    return seen


def pretend(monkeypatch, problem):
    """Pretend that a CUDA device is here, or that this is the problem with it."""
    monkeypatch.setattr(backend, "cuda_problem", lambda number=None: problem)
    monkeypatch.setattr(base, "cuda_problem", lambda number=None: problem)
    monkeypatch.setattr(cluster, "cuda_problem", lambda number=None: problem)


def test_every_command_that_computes_has_the_same_option():
    options = {
        name: parameter
        for name in main.modules
        for parameter in main.get_command(None, name).params
        if parameter.name == "device"
    }
    assert set(options) == {name.split()[0] for name in COMMANDS}
    for option in options.values():
        assert isinstance(option.type, click.Choice)
        assert list(option.type.choices) == ["cpu", "cuda", "auto"]
        assert option.default == "auto"
        assert option.help == (
            "Where to compute; auto uses a GPU if CuPy finds one, and cuda:N the GPU number N."
        )
    for name in options:
        shown = CliRunner().invoke(main, [name, "--help"]).output
        assert "--device [cpu|cuda|cuda:N|auto]" in shown
        assert "[default: auto]" in shown


@pytest.mark.parametrize("case", COMMANDS)
@pytest.mark.parametrize(
    ("options", "problem", "expected"),
    [
        ((), None, "cuda"),
        ((), "no CUDA", "cpu"),
        (("--device", "auto"), None, "cuda"),
        (("--device", "cuda"), None, "cuda"),
        (("--device", "cpu"), None, "cpu"),
    ],
    ids=["default", "default without", "auto", "cuda", "cpu"],
)
def test_what_computes_is_given_the_device(
    case, options, problem, expected, reached, monkeypatch, capsys
):
    pretend(monkeypatch, problem)
    assert run(*COMMANDS[case], *options) == 1
    assert "computing" in capsys.readouterr().err
    assert reached == [expected]


@pytest.mark.parametrize("case", COMMANDS)
def test_a_device_that_is_not_there_is_refused_before_any_work(
    case, reached, monkeypatch, capsys, here
):
    pretend(monkeypatch, "CuPy is not installed")
    before = files_below(here)
    assert run(*COMMANDS[case], "--device", "cuda") == 1
    error = capsys.readouterr().err
    assert error == (
        "Error: --device cuda is not available: CuPy is not installed. Or use --device cpu\n"
    )
    assert reached == []
    assert files_below(here) == before


@pytest.mark.parametrize("case", COMMANDS)
def test_an_unknown_device_is_refused(case, reached, capsys):
    assert run(*COMMANDS[case], "--device", "tpu") == 2
    words = "'--device': expected one of cpu, cuda, cuda:N, auto; got 'tpu'"
    assert words in capsys.readouterr().err
    assert reached == []


# What computes -------------------------------------------------------------------------


def test_a_rank_search_is_given_the_device(monkeypatch):
    from deepreservoir import load_dataset

    pretend(monkeypatch, None)
    seen = []

    def search(estimator, *args, **named):
        seen.append(estimator.device)
        raise _Reached

    monkeypatch.setattr(ranks, "RankSearch", search)
    for device in ("cpu", "cuda", "auto"):
        with pytest.raises(_Reached):
            ranks.rank_table(load_dataset("digits"), device=device)
    assert seen == ["cpu", "cuda", "cuda"]


def test_a_forecast_is_given_the_device(monkeypatch):
    pretend(monkeypatch, None)
    seen = []

    def fit(self, X, y):
        seen.append(self.device)
        raise _Reached

    monkeypatch.setattr(EchoStateRegressor, "fit", fit)
    for device in ("cpu", "cuda", "auto"):
        with pytest.raises(_Reached):
            forecast_series(np.sin(np.arange(100.0))[:, None], 5, device=device)
    assert seen == ["cpu", "cuda", "cuda"]


def sweep(here):
    return read_sweep(here / "ranks.toml")


def test_the_runs_of_a_sweep_are_given_the_device(monkeypatch, here):
    seen = set()

    def parameters(self):
        seen.add(self.device)
        raise _Reached

    def watched(assignments):
        for assignment in assignments:
            with monkeypatch.context() as patch:
                patch.setattr(arms.Task, "parameters", parameters)
                yield work.work(assignment)

    pretend(monkeypatch, None)
    for device, expected in (("cpu", "cpu"), ("cuda", "cuda"), ("auto", "cuda")):
        seen.clear()
        run_sweep(sweep(here), here / device, device=device, executor=watched)
        assert seen == {expected}


def test_a_sweep_without_an_executor_refuses_a_device_that_is_not_there(monkeypatch, here):
    pretend(monkeypatch, "no CUDA")
    with pytest.raises(ValueError, match="device='cuda' is not available: no CUDA"):
        run_sweep(sweep(here), here / "out", device="cuda")
    with pytest.raises(ValueError, match="must be one of cpu, cuda, cuda:N, auto; got 'tpu'"):
        run_sweep(sweep(here), here / "out", device="tpu", executor=lambda assignments: iter(()))
    assert not (here / "out").exists()


def test_records_name_the_device_and_the_declaration_does_not(here):
    (here / "ranks.toml").write_text(
        'dataset = "table.csv"\ntarget = "y"\nseeds = 1\n'
        "[protocol]\nhidden_layer_sizes = [4]\nmax_iter = 1\n[grid]\nrank = [1]\n"
    )
    folder = run_sweep(sweep(here), here / "out", device="cpu")
    records = folder.records()
    assert records
    assert {record.get("device") for record in records if "error" not in record} == {"cpu"}
    assert "device" not in folder.sweep.to_dict()
    # Another device goes on in the same folder.
    assert run_sweep(sweep(here), here / "out", device="auto").records() == records
    assert isinstance(folder.sweep, Sweep)


def test_workers_of_a_cluster_are_asked_for_the_device(monkeypatch, here, capsys):
    distributed = pytest.importorskip("distributed")

    class Client:
        def __init__(self, *args, **named):
            pass

        def __enter__(self):
            return self

        def __exit__(self, *args):
            pass

        def run(self, function, *args, on_error):
            return {"tcp://worker": function(*args)}

    monkeypatch.setattr(distributed, "Client", Client)
    monkeypatch.setattr(cluster, "check_scheduler", lambda scheduler: None)
    pretend(monkeypatch, "CuPy is not installed")
    assert run("sweep", "ranks.toml", "--scheduler", "tcp://x:1", "--device", "cuda") == 1
    error = capsys.readouterr().err
    assert "device 'cuda' is not available on the worker tcp://worker: CuPy is not" in error
    assert files_below(here) == ["model.st", "ranks.toml", "table.csv"]
