import dataclasses

import jax
import numpy as np
import pytest

from kc_jax import artifacts
from kc_jax.bundle import Bundle, files
from kc_jax.data import augment, sources
from kc_jax.stages import networks, runner


def expected_logits(config, workdir, images):
    """Asks the student itself about the views without chance."""
    student = workdir.student("student")
    options, training, seed = networks.recorded_options(student, "train_student")
    space = sources.load_label_space(config.data)
    model = networks.build_model(options, training, space, seed)
    variables = networks.load_variables(student, "train_student")
    views = augment.centre_views("glyph", images, config.data.image_size)
    return model.apply(variables, views, train=False)


def test_the_bundle_says_what_the_student_says(copy):
    config, workdir = copy
    runner.run_stages(config, workdir, ["export"])
    bundle = Bundle.load(workdir.bundle("student"))
    source = sources.open_source(config.data, "test")
    images = np.stack([source.read(record) for record in range(5)])
    np.testing.assert_allclose(
        bundle.classify(images), expected_logits(config, workdir, images), rtol=1e-5, atol=1e-5
    )
    assert bundle.space == sources.load_label_space(config.data)
    assert bundle.metrics == artifacts.read_json(workdir.evaluation / "student" / "metrics.json")
    train = sources.open_source(config.data, "train")
    assert set(np.flatnonzero(bundle.named)) == {c for ids in train.labels for c in ids}
    card = (workdir.bundle("student") / files.CARD).read_text(encoding="utf-8")
    for name in bundle.space.verticals:
        assert f"| {name} |" in card
    assert f"| {100 * bundle.metrics['mean_vertical_ap']:.1f} |" in card and jax.__version__ in card


def test_it_is_made_once_and_anew_when_something_changed(copy, capsys):
    config, workdir = copy
    runner.run_stages(config, workdir, ["export"])
    made = (workdir.bundle("student") / files.MANIFEST).stat().st_mtime_ns
    runner.run_stages(config, workdir, ["export"])
    assert "[export] complete, skipped" in capsys.readouterr().err
    assert (workdir.bundle("student") / files.MANIFEST).stat().st_mtime_ns == made
    space = sources.load_label_space(config.data)
    fit = {"temperature": 2.0, "bias": -1.0, "threshold": 0.75}
    judged = workdir.evaluation / "student"
    artifacts.write_json(
        judged / files.CALIBRATION, {"verticals": {name: fit for name in space.verticals}}
    )
    artifacts.complete(judged, [files.CALIBRATION])
    runner.run_stages(config, workdir, ["export"])
    bundle = Bundle.load(workdir.bundle("student"))
    [[name]] = bundle.names(np.zeros((1, space.num_classes), np.float32), top=1)
    assert name.probability == pytest.approx(1 / (1 + np.exp(1))) and name.above_threshold is False
    assert "| 2.000 | -1.000 | 75.0 |" in (bundle.directory / files.CARD).read_text("utf-8")


def test_a_student_that_is_not_trained_or_not_judged_is_named(copy):
    config, workdir = copy
    artifacts.remove(workdir.evaluation / "student")
    with pytest.raises(artifacts.MissingArtifactError, match="stage evaluate"):
        runner.run_stages(config, workdir, ["export"])
    artifacts.remove(workdir.student("student"))
    with pytest.raises(artifacts.MissingArtifactError, match="stage train_student"):
        runner.run_stages(config, workdir, ["export"])


def test_what_does_not_belong_together_is_refused(copy):
    config, workdir = copy
    other = dataclasses.replace(config, data=dataclasses.replace(config.data, image_size=28))
    with pytest.raises(artifacts.StaleArtifactError, match="views.image_size: 32 → 28"):
        runner.run_stages(other, workdir, ["export"])
    path = workdir.student("student") / artifacts.MANIFEST
    artifacts.write_json(path, {**artifacts.read_json(path), "digest": "another"})
    with pytest.raises(artifacts.StaleArtifactError, match="judges another.*--redo=evaluate"):
        runner.run_stages(config, workdir, ["export"])


def test_other_views_than_those_that_were_judged_are_refused(copy):
    config, workdir = copy
    other = dataclasses.replace(
        config, data=dataclasses.replace(config.data, test_augmentation="glyph_centre")
    )
    with pytest.raises(artifacts.StaleArtifactError, match="judges other views.*\n.*glyph_centre"):
        runner.run_stages(other, workdir, ["export"])
