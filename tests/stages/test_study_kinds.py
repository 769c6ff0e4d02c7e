import dataclasses

from configs import self_informed
from kc_jax import artifacts, config
from kc_jax.stages import process_tables, report_structures, study_kinds
from kc_jax.workdir import Workdir


def test_claims_about_processes_may_name_what_is_read_of_them():
    generation = {"top1": 0.5, "ensemble": {"top1": 0.5}}
    found = process_tables.process_metrics({"generations": [generation, generation]})
    assert tuple(found) == study_kinds.OF_PROCESSES


def test_structures_agree_with_the_verticals_that_were_discovered(tmp_path, monkeypatch):
    workdir = Workdir(tmp_path)
    artifacts.write_json(workdir.results, {"methods": {"clusters": {}}})
    found = report_structures.Structure("clusters", {}, None, {}, 0.5)
    monkeypatch.setattr(
        study_kinds.discovery, "resolve",
        lambda config, workdir: dataclasses.replace(
            config, data=dataclasses.replace(config.data, verticals="found.csv")
        ),
    )
    spaces = {"found.csv": "a space"}
    monkeypatch.setattr(
        study_kinds.sources, "load_label_space", lambda data: spaces[data.verticals]
    )
    monkeypatch.setattr(report_structures, "read_structures", lambda workdir, space: [found])
    options = self_informed.get_config("smoke")
    options.data.verticals = "discovered"
    read = study_kinds.KINDS["structures"].read
    results = read(config.build(options), workdir, ["clusters"])
    assert results["methods"]["clusters"] == {study_kinds.RAND_INDEX: 0.5}
