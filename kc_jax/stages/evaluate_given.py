"""Judges networks of other verticals on those that the source gives, to compare them."""

import dataclasses

import numpy as np
from rich.console import Console

from kc_jax import artifacts
from kc_jax.config import Config, ConfigError
from kc_jax.data import sources
from kc_jax.stages import evaluate, finished, judging, networks
from kc_jax.stages.judging import TestSet
from kc_jax.stages.report_text import percent
from kc_jax.stages.terminal import plain_table
from kc_jax.workdir import Workdir


def run(config: Config, workdir: Workdir) -> bool:
    """Writes results_given.json and prints it; tells whether there was anything to do.

    Specialists know one vertical each and are left out.

    Raises:
      ConfigError: the networks' verticals are those that the source gives.
    """
    if config.data.verticals == sources.GIVEN:
        raise ConfigError(
            "config.data.verticals is 'given', so the stage evaluate judges on these already"
        )
    data = dataclasses.replace(config.data, verticals=sources.GIVEN)
    space = sources.load_label_space(data)
    own, column_of_class = sources.regrouped(config.data, space)
    source = sources.open_source(data, config.data.judged_on)
    test = TestSet(source, space, data.test_views)
    did_any, methods = False, {}
    for network in finished.single_networks(config, workdir, own):
        directory = workdir.evaluation_given / network.title
        inputs = {
            "network": network.fingerprint,
            "records": source.fingerprint,
            "label_spaces": [space.fingerprint, own.fingerprint],
            "views": networks.view_inputs(config, source.split),
            "num_views": test.num_views,
        }
        if not artifacts.is_complete(directory, inputs):
            metrics = _judge(config, network, test, column_of_class, directory)
            artifacts.write_json(directory / evaluate.METRICS, metrics)
            artifacts.complete(directory, files=[evaluate.METRICS])
            did_any = True
        methods[network.title] = artifacts.read_json(directory / evaluate.METRICS)
    artifacts.write_sealed(workdir.results_given, {"seed": config.seed, "methods": methods})
    _print(methods)
    return did_any


def _judge(
    config: Config, network: finished.Network, test: TestSet, column_of_class: np.ndarray, directory
) -> dict:
    everything = np.arange(len(test.source))
    with judging.vertical_judges(test, range(test.space.num_verticals), directory) as verticals:
        for examples, logits in evaluate.predictions(config, network, test, everything):
            for vertical in verticals:
                vertical.add(*vertical.own(examples, logits[:, column_of_class]))
        verdicts = {vertical.vertical_id: vertical.verdict() for vertical in verticals}
    metrics, _ = judging.summarise(test.space, verdicts)
    return metrics


def _print(methods: dict[str, dict]) -> None:
    table = plain_table("network", "mean AP in the given verticals, %")
    for name, metrics in methods.items():
        table.add_row(name, percent(metrics["mean_vertical_ap"]))
    Console(highlight=False).print(table)
