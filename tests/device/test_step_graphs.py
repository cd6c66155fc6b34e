"""Training with captured steps has the bits of training without them.

On the stand-in a captured step is called again instead of replayed: all that changes between steps
must then be read from the device, as on a real one.
"""

from contextlib import contextmanager, nullcontext

import numpy as np
import pytest
import standin
import target
from device_array import transfers

from deepreservoir import DeepReservoirClassifier
from deepreservoir.backend import no_uploads, to_device
from deepreservoir.inputs import Batch, Table, Target
from deepreservoir.losses import SoftmaxCrossEntropy
from deepreservoir.models import MLPConfig
from deepreservoir.network import Network
from deepreservoir.optim import SGD, Adam, AdamW, Cosine, WarmUp
from deepreservoir.training import Plan, Resample, TrainingSet, step_graphs, train
from deepreservoir.training.batches import TrainingBatch
from deepreservoir.training.checkpoint import Checkpoint
from deepreservoir.training.staged_batch import form_of


class Repeating:
    """A recorder whose replays call the work again, which may not touch the host."""

    def on_stream(self):
        return nullcontext()

    def own_memory(self):
        return nullcontext()

    def capture(self, work):
        def replay():
            before = transfers.to_host, transfers.to_device
            with no_uploads():
                work()
            assert (transfers.to_host, transfers.to_device) == before

        return replay

    def close(self):
        pass


class Made(list):
    """The `StepGraphs` made during a test."""

    def __init__(self, monkeypatch):
        super().__init__()
        self.monkeypatch = monkeypatch

    @contextmanager
    def off(self):
        """Train without graphs within a with block."""
        with self.monkeypatch.context() as patch:
            patch.setattr(step_graphs, "graphs_available", lambda: False)
            yield


@pytest.fixture
def graphs(cupy, monkeypatch):
    if target.device != "cuda" or standin.installed():
        monkeypatch.setattr(step_graphs, "Recorder", Repeating)
        monkeypatch.setattr(step_graphs, "graphs_available", lambda: True)
    made = Made(monkeypatch)
    create = step_graphs.StepGraphs.__init__

    def remember(self, run):
        create(self, run)
        made.append(self)

    monkeypatch.setattr(step_graphs.StepGraphs, "__init__", remember)
    return made


class HostChosen(Table):
    """A table whose batches are made outside of a graph."""

    takes_device_index = False

    def take(self, index, step=None):
        return super().take(to_device(index, self.device), step)


LOSS = SoftmaxCrossEntropy()


def trained(plan, inputs=Table, loss=LOSS, weighted=True, rows=50, **options):
    config = MLPConfig(n_features=11, n_outputs=3, hidden_layer_sizes=(24, 16), **options)
    network = Network(config, seed=3, device="cuda")
    rng = np.random.default_rng(1)
    X = rng.standard_normal((rows, 11)).astype(config.dtype)
    y, weights = rng.integers(0, 3, rows), rng.random(rows).astype(config.dtype)
    data = TrainingSet(
        inputs(X, config.dtype, "cuda"),
        to_device(y, "cuda"),
        to_device(weights, "cuda") if weighted else None,
    )
    outcome = train(network, data, loss, plan)
    return outcome.network.theta.get(), outcome.history


OPTIONS = [
    {},
    {"dropout": 0.3, "adapter_dropout": 0.2, "bias": True, "activation": "gelu"},
    {"adapter": "full", "dropout": 0.3, "bias": True},
    {"adapter": "dora", "layer_norm": True, "residual": False},
    {"scaffold": "hadamard", "head": "lora+bias"},
    {"scaffold": "kronecker", "activation": "silu", "storage": "auto"},
    {"scaffold": "binary", "storage": "packed"},
    {"storage": "streamed", "dtype": "float64"},
]
PLANS = [
    Plan(AdamW(), 0.01, epochs=3, batch_size=8),
    Plan(Adam(weight_decay=0.1), 0.01, Cosine(21), epochs=3, batch_size=8, clip_norm=0.1),
    Plan(SGD(), 0.1, WarmUp(5, Cosine(16)), epochs=3, batch_size=8, ema_decay=0.9),
    Plan(SGD(nesterov=False, weight_decay=0.1), 0.1, epochs=3, batch_size=16, shuffle=False),
    Plan(AdamW(), 0.01, epochs=2, batch_size=4, resample=Resample("epoch")),
]


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_every_network_has_the_same_bits(graphs, options):
    with_graphs, history = trained(PLANS[0], **options)
    assert graphs[0].problem is None
    assert graphs[0].replayed == 3 * 7 - 3 - 3  # but those that warm up, of both sizes of batch
    with graphs.off():
        without, expected = trained(PLANS[0], **options)
    np.testing.assert_array_equal(with_graphs, without)
    assert history == expected


@pytest.mark.parametrize("plan", PLANS, ids=lambda plan: type(plan.optimiser).__name__)
@pytest.mark.parametrize("inputs", [Table, HostChosen])
def test_every_plan_has_the_same_bits(graphs, plan, inputs):
    with_graphs, history = trained(plan, inputs, dropout=0.2)
    assert graphs[0].problem is None
    assert graphs[0].replayed > 5
    with graphs.off():
        without, expected = trained(plan, inputs, dropout=0.2)
    np.testing.assert_array_equal(with_graphs, without)
    assert history == expected


def test_a_step_that_cannot_be_captured_is_run_as_before(graphs, monkeypatch):
    plain = SoftmaxCrossEntropy()

    def loss(outputs, targets, weights=None, n=None):
        value, gradient = plain(outputs, targets, weights, n)
        return float(value), gradient  # waits for the device

    def refuse(work):
        raise RuntimeError("operation not permitted when stream is capturing")

    if step_graphs.Recorder is Repeating:
        monkeypatch.setattr(Repeating, "capture", lambda self, work: refuse(work))
    found, _ = trained(PLANS[0], loss=loss)
    assert isinstance(graphs[0].problem, Exception)
    assert graphs[0].replayed == 0
    with graphs.off():
        expected, _ = trained(PLANS[0])
    np.testing.assert_array_equal(found, expected)


def test_a_checkpoint_within_an_epoch_continues_with_the_same_bits(graphs, tmp_path):
    X = np.random.default_rng(0).standard_normal((64, 5)).astype(np.float32)
    y = (X[:, 0] > 0).astype(int)
    settings = {"hidden_layer_sizes": (8,), "batch_size": 8, "max_iter": 4, "random_state": 0}
    whole = DeepReservoirClassifier(device="cuda", **settings).fit(X, y)
    saved = []
    save = Checkpoint.save

    def interrupted(self, progress):
        save(self, progress)
        saved.append(progress)
        if len(saved) == 13:
            raise KeyboardInterrupt

    path = tmp_path / "run.ckpt"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Checkpoint, "save", interrupted)
        patch.setattr(Checkpoint, "due", property(lambda self: True))
        DeepReservoirClassifier(device="cuda", **settings).fit(X, y, checkpoint=path)
    assert path.exists()
    resumed = DeepReservoirClassifier(device="cuda", **settings).fit(X, y, checkpoint=path)
    np.testing.assert_array_equal(resumed.network_.theta.get(), whole.network_.theta.get())
    assert resumed.loss_curve_ == whole.loss_curve_
    assert all(made.replayed for made in graphs)


def test_divergence_names_the_step(graphs):
    with pytest.raises(Exception, match="became nan at epoch 1, step"):
        trained(Plan(SGD(), 1e20, epochs=3, batch_size=2), weighted=False)


def test_what_a_graph_cannot_hold_has_no_form():
    on_host = np.zeros(3)
    assert form_of(TrainingBatch(on_host, Batch(on_host), Target(on_host, 3))) is None
