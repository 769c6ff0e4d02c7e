"""What becomes of networks when classes come, go or are renamed."""

import dataclasses

import jax
import numpy as np
import pytest

from kc_jax import artifacts
from kc_jax.config import ConfigError
from kc_jax.data import class_groups, sources
from kc_jax.stages import networks, tasks, train_student, training
from kc_jax.workdir import Workdir

ALL = ("backbone", "trunk", "bottleneck", "logits")


@pytest.fixture
def renamed(finished, tmp_path):
    """Gives the finished run's configuration with its verticals renamed, in another order."""
    config, _ = finished
    space = sources.load_label_space(config.data)
    path = tmp_path / "groups.csv"
    class_groups.write(path, space, space.num_verticals - 1 - space.vertical_of_class)
    return dataclasses.replace(config, data=dataclasses.replace(config.data, verticals=str(path)))


def test_a_changed_label_space_is_refused_with_its_differences(finished, renamed):
    _, workdir = finished
    config = dataclasses.replace(
        renamed, student=dataclasses.replace(renamed.student, distill_weight=0.0)
    )
    with pytest.raises(artifacts.StaleArtifactError) as caught:
        train_student.run(config, workdir)
    message = str(caught.value)
    space = sources.load_label_space(finished[0].data)
    assert f"vertical {space.verticals[0]!r} is 'group_{space.num_verticals - 1}' now" in message
    assert f"init_from={workdir.student('student').resolve()}" in message


def test_a_network_goes_on_with_what_another_knows_of_the_classes_it_shares(
    finished, renamed, tmp_path
):
    config, workdir = finished
    origin = workdir.student("student")
    student = dataclasses.replace(
        renamed.student, init_from=str(origin), init_parts=ALL, distill_weight=0.0
    )
    space = sources.load_label_space(renamed.data)
    task = tasks.Task(
        title="s", directory=tmp_path, training=student, space=space, record_ids=np.arange(1),
        targets=None, seed=3, verticals=tuple(range(space.num_verticals)),
    )
    model = networks.build_model(renamed.model, student, space, 0)
    started = training.initial_variables(renamed, task, model, Workdir(tmp_path))["params"]
    known = networks.load_variables(origin, "train_student")["params"]
    for part in ("backbone", "trunk"):
        jax.tree.map(np.testing.assert_array_equal, started[part], known[part])
    last = space.num_verticals - 1
    for vertical in range(space.num_verticals):
        jax.tree.map(
            np.testing.assert_array_equal, started["logits"][f"vertical_{vertical}"],
            known["logits"][f"vertical_{last - vertical}"],
        )
    own, old = (x["bottleneck"]["individual"]["kernel"] for x in (started, known))
    np.testing.assert_array_equal(own, old[::-1])


def test_where_a_network_starts_counts_as_what_it_is_made_from(finished, tmp_path):
    config, workdir = finished
    space, source = sources.load_label_space(config.data), sources.open_source(config.data, "train")
    student = dataclasses.replace(config.student, init_from=str(workdir.student("student")))
    inputs = tasks.task_inputs(config, student, space, source, workdir)
    expected = artifacts.fingerprint_of(workdir.student("student"), "train_student")
    assert inputs["start"] == expected
    nowhere = dataclasses.replace(student, init_from=str(tmp_path / "nowhere"))
    with pytest.raises(artifacts.MissingArtifactError, match="nowhere is missing"):
        tasks.task_inputs(config, nowhere, space, source, workdir)


def test_words_that_are_no_folder_are_refused():
    with pytest.raises(ConfigError, match="the folder of a trained network, with a / in it"):
        from configs import eft
        from kc_jax import config

        options = eft.get_config("smoke")
        options.student.init_from = "generalst"
        config.build(options)
