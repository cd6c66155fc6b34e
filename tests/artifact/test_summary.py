"""What a file is said to hold: trained parameters, and what is not trained."""

import pytest
from every_model import MODELS, fitted

from deepreservoir import ArtifactError, container, save
from deepreservoir.artifact.summary import describe
from deepreservoir.models import ARCHITECTURES

pytestmark = pytest.mark.host(reason="it is about files, which do not depend on a device")


@pytest.mark.parametrize("name", MODELS)
def test_the_parameters_are_those_that_were_trained(name, tmp_path):
    model = fitted(name)
    path = save(model, tmp_path / "model")
    words = dict(describe(path))["trained"]
    assert words.startswith(f"{model.n_trained_params_:,} parameters in the file, ")
    kept = {"plain_cnn": 120, "gcn": 16, "gin": 16, "reservoir": 11}.get(name)
    assert words.endswith(
        " from the seed" if kept is None else f", and {kept} numbers in buffers and states"
    )


def test_an_architecture_that_is_not_registered_does_not_say_what_is_trained(tmp_path, monkeypatch):
    path = save(fitted("plain_cnn"), tmp_path / "model")
    monkeypatch.delitem(ARCHITECTURES, "plain_cnn")
    assert dict(describe(path))["trained"].startswith("1,194 parameters and buffers in the file")


def test_a_file_of_too_many_layers_is_not_described(tmp_path):
    path = save(fitted("plain_cnn"), tmp_path / "model")
    contents = container.read(path)
    contents.document["config"]["depth"] = 2**31
    container.write(path, contents)
    with pytest.raises(ArtifactError, match="model: the model needs more bytes for its layers"):
        describe(path)
