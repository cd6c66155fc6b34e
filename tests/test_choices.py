"""The names that type checkers allow are the ones that are allowed at run time."""

from typing import get_args

import pytest

from deepreservoir import choices
from deepreservoir.artifact.persist import SAVED_DTYPES
from deepreservoir.esn.recurrent import PRODUCTS
from deepreservoir.esn.reservoir import ACTIVATIONS as RESERVOIR_ACTIVATIONS
from deepreservoir.esn.stack import ARRANGEMENTS
from deepreservoir.estimators.base.training_plan import OPTIMIZERS, SCHEDULES
from deepreservoir.layers import ACTIVATIONS
from deepreservoir.layers.adapter import Mode
from deepreservoir.models import ADAPTERS, B_INITS, HEADS, SCALINGS
from deepreservoir.models.base import DTYPES
from deepreservoir.scaffold import STORAGES


@pytest.mark.parametrize(
    ("literal", "names"),
    [
        (Mode, ADAPTERS),
        (choices.ScalingName, SCALINGS),
        (choices.InitialB, B_INITS),
        (choices.StorageName, STORAGES),
        (choices.HeadName, HEADS),
        (choices.ActivationName, ACTIVATIONS),
        (choices.OptimizerName, OPTIMIZERS),
        (choices.ScheduleName, SCHEDULES),
        (choices.DtypeName, DTYPES),
        (choices.ShortDtypeName, SAVED_DTYPES),
        (choices.ReservoirActivation, RESERVOIR_ACTIVATIONS),
        (choices.ArrangementName, ARRANGEMENTS),
        (choices.ProductName, PRODUCTS),
    ],
)
def test_names_are_the_same(literal, names):
    assert sorted(get_args(literal)) == sorted(names)
