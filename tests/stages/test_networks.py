import jax
import numpy as np
import pytest

from kc_jax import config as config_lib
from kc_jax import sharding
from kc_jax.data import batches, sources
from kc_jax.stages import networks
from tests.stages import shipped


@pytest.mark.parametrize("head, weight", [
    ("FC64-SC8", 64), ("FC64-SC(8,2)", 48), ("FC64-FC8", 0), ("linear", 0),
])
def test_slots_weigh_what_a_vertical_has_of_its_own(head, weight):
    config = shipped.smoke("", student__head=head)
    space = sources.load_label_space(config.data)
    model = networks.build_model(config.model, config.student, space, seed=0)
    devices = config_lib.Mesh(data=1, model=1, layout="tiled", tile=0)
    assert networks.lay_out(model, devices, sharding.make_mesh()).layout.slot_classes == weight


def test_a_network_that_answers_without_numbers_is_named(finished, monkeypatch):
    config, workdir = finished
    variables = networks.load_variables(workdir.generalist, "train_generalist")
    monkeypatch.setattr(
        networks, "load_variables", lambda *_: jax.tree.map(lambda x: x * np.nan, variables)
    )
    source = sources.open_source(config.data, "test")
    predictor = networks.load_predictor(
        config, workdir.generalist, "train_generalist", sources.load_label_space(config.data),
        "test", batch_size=2,
    )
    (batch,) = batches.inference_batches(source, np.arange(2), batch_size=2, num_views=1)
    named = "generalist.*not finite for record 0 of 'test'.*redo=train_generalist"
    with pytest.raises(networks.NonFiniteLogitsError, match=named):
        predictor(batch)
