import jax
import numpy as np
import pytest

from kc_jax.data import batches, sources
from kc_jax.stages import networks


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
