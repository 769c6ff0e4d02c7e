"""ONNX files in the place of specialists: nothing of ours but the student is trained."""

import jax
import numpy as np
import pytest

from kc_jax import artifacts
from kc_jax.core.soft_targets import disagreement
from kc_jax.data import sources
from kc_jax.data.vertical_store import VerticalStore
from kc_jax.models.onnx_network import OnnxError
from kc_jax.stages import networks, runner, storing
from kc_jax.workdir import Workdir
from tests.stages import shipped

pytest.importorskip("onnxruntime")
pytest.importorskip("onnx")

STAGES = ("write_soft_targets", "verify_soft_targets", "train_student", "evaluate", "report")
SIZE = 16  # Another one than the student's.


@pytest.fixture
def run(data_directory, tmp_path):
    """Gives configuration, working directory and the weights of each vertical's linear network."""
    from tests.models import onnx_models

    folder = tmp_path / "teachers"
    folder.mkdir()
    config = shipped.smoke(data_directory, soft_targets__onnx_teachers=str(folder))
    space = sources.load_label_space(config.data)
    rng = np.random.default_rng(0)
    weights = [rng.normal(0, 0.2, (SIZE * SIZE, size)).astype(np.float32) for size in space.sizes]
    for name, matrix in zip(space.verticals, weights, strict=True):
        path = folder / f"{artifacts.safe_name(name)}.onnx"
        onnx_models.write(path, matrix, (1, SIZE, SIZE), image_size=SIZE, mean=[0.5], std=[0.5])
    return config, Workdir(tmp_path / "run"), weights


def test_the_main_job_needs_no_network_of_ours(run, capsys):
    config, workdir, weights = run
    runner.run_stages(config, workdir, STAGES)
    assert set(artifacts.read_json(workdir.results)["methods"]) == {"student"}
    assert not workdir.teachers.exists() and not workdir.generalist.exists()
    captured = capsys.readouterr()
    assert captured.out.count(" views agree; ") == len(weights)
    assert "Gap closed: unknown without generalist and specialists" in captured.out
    runner.run_stages(config, workdir, STAGES)
    assert capsys.readouterr().err.count("complete, skipped") == len(STAGES) - 1


def test_soft_targets_are_what_the_files_say_of_views_of_their_size(run):
    config, workdir, weights = run
    runner.run_stages(config, workdir, ["write_soft_targets"])
    space = sources.load_label_space(config.data)
    source = sources.open_source(config.data, "train")
    all_inputs = storing.store_inputs(config, workdir, space, source)
    views_of = jax.jit(networks.split_views(config, "train", SIZE))
    for v, name in enumerate(space.verticals):
        store = VerticalStore(workdir.soft_targets_of(name), space.sizes[v], all_inputs[v])
        np.testing.assert_array_equal(store.record_ids, source.records_of(space, v))
        places = np.arange(len(store.record_ids))
        for view in range(config.soft_targets.num_views):
            images = np.stack([source.read(r) for r in store.record_ids])
            seen = np.asarray(views_of(
                images, store.record_ids.astype(np.int32), np.full(len(places), view, np.int32)
            ))
            logits = seen.reshape(len(places), -1) @ weights[v]  # −1 to 1, as mean and std are 0.5.
            assert np.max(disagreement(logits, *store(places, np.full(len(places), view)))) < 1e-4


def test_another_file_makes_the_soft_targets_stale(run):
    from tests.models import onnx_models

    config, workdir, weights = run
    runner.run_stages(config, workdir, ["write_soft_targets"])
    space = sources.load_label_space(config.data)
    path = next((workdir.root.parent / "teachers").glob(f"{space.verticals[0]}.onnx"))
    onnx_models.write(path, weights[0] + 1, (1, SIZE, SIZE), image_size=SIZE)
    for stage in ("write_soft_targets", "train_student"):
        with pytest.raises(artifacts.StaleArtifactError, match="teacher: "):
            runner.run_stages(config, workdir, [stage])


def test_a_vertical_without_a_file_is_named(run):
    config, workdir, _ = run
    name = sources.load_label_space(config.data).verticals[2]
    (workdir.root.parent / "teachers" / f"{name}.onnx").unlink()
    with pytest.raises(OnnxError, match=f"{name}.onnx is missing; every vertical needs an ONNX"):
        runner.run_stages(config, workdir, ["write_soft_targets"])
