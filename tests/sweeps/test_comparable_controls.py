"""Controls of a sweep are what they are called: of every weight, of the same size, to the end."""

import json
import subprocess
import sys

import pytest
from sklearn.datasets import load_digits

from deepreservoir import DeepReservoirClassifier, RankSearch
from deepreservoir.datasets import load_dataset
from deepreservoir.experiments import Protocol
from deepreservoir.experiments.comparisons.task import Task
from deepreservoir.reports import beside, paired_differences, save_report
from deepreservoir.reports.paired import same_budget
from deepreservoir.sweeps import Figure, Folder, Published, Sweep, run_sweep

pytestmark = pytest.mark.host(reason="sweeps are run on the host")
QUICK = Protocol(hidden_layer_sizes=(32,), max_iter=1).changed(rank=2)


def sweep(protocol=QUICK, grid=(("rank", (1, 2)),), published=None, **fields):
    return Sweep("controls", "digits", None, None, (0,), protocol, grid, published, **fields)


def test_full_training_trains_the_head_whole(tmp_path):
    (record,) = run_sweep(sweep(QUICK.changed(head="lora"), arms=("full",)), tmp_path).records()
    assert record["trained"] == 64 * 32 + 32 + 32 * 10 + 10
    assert record["stored_bytes"] == 4 * record["trained"]
    X, y = load_digits(n_class=3, return_X_y=True)
    model = DeepReservoirClassifier((8,), head="lora", max_iter=2, bias=True)
    search = RankSearch(model, eps=9, ranks=(1, 2), cv=2, n_seeds=1, random_state=0).fit(X / 16, y)
    assert search.baseline_["n_trained"] == 64 * 8 + 8 + 8 * 3 + 3


def test_training_goes_to_the_end_of_the_epochs_of_the_grid():
    protocol = Protocol(max_iter=5, validation=True)
    task = Task(load_dataset("digits"), protocol)
    assert task.estimator(0).n_iter_no_change == 5
    assert task.estimator(0, max_iter=80).n_iter_no_change == 80
    assert task.estimator(0, max_iter=80, n_iter_no_change=7).n_iter_no_change == 7
    changed = Task(load_dataset("digits"), protocol, changes=(("max_iter", 80),))
    assert changed.parameters()["n_iter_no_change"] == 80
    assert changed.estimator(0).n_iter_no_change == 80


def test_a_larger_network_is_not_called_one_of_the_same_size(tmp_path):
    arms = ("adapter", "equal_bytes", "no_scaffold")
    folder = run_sweep(sweep(grid=(("head", ("full", "lora")),), arms=arms), tmp_path)
    found = {(dict(d.at)["head"], d.arm) for d in paired_differences(folder)}
    assert {("full", "equal_bytes"), ("full", "no_scaffold")} <= found
    assert not {("lora", "equal_bytes"), ("lora", "no_scaffold")} & found
    assert ("lora", "scaffold_removed") in found
    assert same_budget("linear", {"trained": 1}, {"trained": 9})


def test_changed_figures_stay(tmp_path):
    def published(score):
        return Published(f"source of {score}", None, (Figure("full", (), score),))

    run_sweep(sweep(published=published(50.0), arms=("full",)), tmp_path)
    began = Folder(tmp_path).began
    run_sweep(sweep(published=published(90.0), arms=("full",)), tmp_path)
    assert beside(Folder(tmp_path))[0].figure.score == 90.0
    assert Folder(tmp_path).began == began
    assert save_report(Folder(tmp_path)).name == "report.html"


@pytest.mark.parametrize(
    ("protocol", "arms", "message"),
    [
        (QUICK, ("fingerprints",), "no run of arms = .* is possible on digits"),
        (QUICK.changed(class_weight={"foo": 1.0}), (), "class_weight has the class 'foo'"),
        (QUICK.changed(schedule="linear"), ("no_scaffold",), "schedule must be"),
    ],
)
def test_declarations_that_cannot_run_are_refused_before_any_run(protocol, arms, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        run_sweep(sweep(protocol, arms=arms), tmp_path / "out")
    assert not (tmp_path / "out").exists()


INTERRUPTED = """
import os, signal, sys, tempfile
class Sender:
    sent = False
    def find_spec(self, name, path=None, target=None):
        if name == "deepreservoir.kernels.compiled.numba_dense_loops" and not self.sent:
            self.sent = True
            os.kill(os.getpid(), signal.SIGINT)
sys.meta_path.insert(0, Sender())
from deepreservoir.experiments import Protocol
from deepreservoir.sweeps import Sweep, run_sweep
sweep = Sweep("r", "friedman1", None, None, (0,), Protocol(max_iter=1), (("rank", (1,)),))
try:
    run_sweep(sweep, sys.argv[1])
except KeyboardInterrupt:
    print("interrupted")
"""


def test_ctrl_c_while_loops_are_loaded_ends_the_sweep(tmp_path):
    pytest.importorskip("numba")
    program = [sys.executable, "-c", INTERRUPTED, str(tmp_path / "out")]
    run = subprocess.run(program, capture_output=True, text=True, check=False)
    assert run.stdout.strip() == "interrupted", run.stderr


def test_a_record_whose_score_is_no_number_is_named_by_its_line(tmp_path):
    folder = run_sweep(sweep(arms=("full",)), tmp_path)
    records = folder.own_files[1]
    line = json.loads(records.read_text())
    records.write_text(json.dumps(line | {"score": "x"}) + "\n")
    with pytest.raises(ValueError, match=r"line 1, is not a record: .*the score is 'x'"):
        Folder(tmp_path).records()
