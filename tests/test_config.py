import dataclasses
import functools
import re
import typing

import ml_collections
import pytest

from kc_jax import config
from kc_jax.config import ConfigError

STRINGS = {
    "head": "FC8-SC4", "init_from": "scratch", "schedule": "cosine", "level": "vertical",
    "initial": "sqrt_size", "compute_dtype": "float32", "judged_on": "test", "layout": "auto",
    "balance": "none", "kind": "sgd", "augmentation": "photo",
    "test_augmentation": "photo_centre",
    "prediction_kind": "logits", "missing": "labels", "loss": "sigmoid", "teacher_signal": "stored",
    "answers": "network", "similarity": "confusions", "attach": "trunk", "learn": "all",
}
NUMBERS = {"model": 1, "momentum": 0.9, "distill_weight": 0.0, "warmup": 0.1, "seed": 0,
           "validation_share": 0.2, "test_share": 0.2, "label_noise": 0.2, "labelled_share": 0.2,
           "wanted_precision": 0.9, "balance_strength": 0.5, "confidence": 0.6,
           "label_smearing": False, "temperature": 1.0}
LISTS = {"init_parts": ("backbone",), "sinks": ("wandb",), "milestones": (0.5, 0.75),
         "widths": (8, 8)}


def sample(cls=config.Config):
    """Makes a mapping with every option of a dataclass."""
    options = {
        name: sample_value(name, hint) for name, hint in typing.get_type_hints(cls).items()
    }
    if cls is config.Generations:
        options["loss"] = "softmax"
    return options


def sample_value(name, hint):
    if dataclasses.is_dataclass(hint):
        return sample(hint)
    if typing.get_origin(hint) is tuple:
        return LISTS.get(name, ("describe", "evaluate"))
    if typing.get_origin(hint) is not None:
        return {"small_conv": {"features": [8, 16]}}
    if hint is str:
        return STRINGS.get(name, "something")
    return hint(NUMBERS.get(name, 3))


def changed(path, value):
    """Makes the sample with one option set, as in ``data.image_size``; None removes it."""
    options = sample()
    *groups, name = path.split(".")
    group = functools.reduce(lambda mapping, key: mapping[key], groups, options)
    group[name] = value
    if value is None:
        del group[name]
    return options


def test_a_complete_mapping_is_built():
    built = config.build(sample())
    assert built.stages == ("describe", "evaluate")
    assert built.data.image_size == 3
    assert built.model.backbone_options == {"small_conv": {"features": [8, 16]}}
    assert built.student.optimizer.multipliers.trunk == 3.0
    assert dataclasses.asdict(built) == sample()


def test_ml_collections_are_understood():
    assert config.build(ml_collections.ConfigDict(sample())) == config.build(sample())


@pytest.mark.parametrize("value", [[], ["describe"], ("describe", "report")])
def test_lists_become_tuples(value):
    assert config.build(changed("stages", value)).stages == tuple(value)


def test_whole_numbers_serve_as_floats():
    rate = config.build(changed("student.optimizer.learning_rate", 2)).student.optimizer
    assert type(rate.learning_rate) is float and rate.learning_rate == 2.0


@pytest.mark.parametrize(
    "path, name, hint",
    [
        ("sead", "sead", "; did you mean 'seed'?"),
        ("data.imagesize", "data.imagesize", "; did you mean 'image_size'?"),
        ("student.optimizer.multipliers.trunks", "student.optimizer.multipliers.trunks",
         "; did you mean 'trunk'?"),
        ("mesh.zzz", "mesh.zzz", ". Options here: data, model, layout, tile"),
    ],
)
def test_unknown_options(path, name, hint):
    with pytest.raises(ConfigError, match=re.escape(f"config.{name} is unknown{hint}")):
        config.build(changed(path, 1))


@pytest.mark.parametrize("path", ["seed", "data", "data.seed", "student.name", "mesh.model"])
def test_missing_options(path):
    with pytest.raises(ConfigError, match=rf"config\.{re.escape(path)} is missing; add it"):
        config.build(changed(path, None))


@pytest.mark.parametrize(
    "path, value, expected",
    [
        ("seed", 1.0, "a value of type int"),
        ("seed", True, "a value of type int"),
        ("seed", "1", "a value of type int"),
        ("name", 1, "a value of type str"),
        ("model.kernel_stddev", "0.1", "a value of type float"),
        ("model.kernel_stddev", True, "a value of type float"),
        ("student.label_smearing", 1, "a value of type bool"),
        ("stages", "describe", "a list"),
        ("stages", 1, "a list"),
        ("model.backbone_options", 1, "a group of options"),
        ("model.backbone_options", ["features"], "a group of options"),
        ("model.backbone_options.small_conv", 1, "a group of options"),
        ("data", "glyphs", "a group of options"),
    ],
)
def test_wrong_types(path, value, expected):
    message = f"config.{path} is {value!r}; expected {expected}"
    with pytest.raises(ConfigError, match=f"^{re.escape(message)}$"):
        config.build(changed(path, value))


@pytest.mark.parametrize(
    "path, value, expected",
    [
        ("student.optimizer.schedule", "step", "constant, linear, cosine, steps"),
        ("data.augmentation", "glyf", "glyph, glyph_centre, photo"),
        ("data.test_augmentation", "centre", "glyph, glyph_centre, photo"),
        ("student.optimizer.kind", "adam", "adagrad, sgd"),
        ("student.self_paced.level", "classes", "none, vertical, class"),
        ("student.self_paced.initial", "ten", "sqrt_size, prior, constant"),
        ("student.balance", "classes", "none, vertical, class"),
        ("model.compute_dtype", "float16", "float32, bfloat16"),
    ],
)
def test_choices(path, value, expected):
    message = f"config.{path} is {value!r}; expected one of {expected}"
    with pytest.raises(ConfigError, match=re.escape(message)):
        config.build(changed(path, value))


@pytest.mark.parametrize(
    "path",
    ["generalist.num_epochs", "generalist.batch_size", "student.optimizer.learning_rate",
     "soft_targets.top_k", "soft_targets.num_views", "soft_targets.verify_records",
     "data.image_size", "data.channels", "data.num_classes", "data.num_verticals",
     "data.num_records", "data.read_threads", "data.max_pixels",
     "data.test_views", "evaluation.at_k", "running.checkpoint_every_steps",
     "running.log_every_steps", "running.print_every_seconds"],
)
@pytest.mark.parametrize("value", [0, -1])
def test_options_that_must_be_positive(path, value):
    with pytest.raises(ConfigError, match=f"config.{path} is {value}.*; expected more than 0"):
        config.build(changed(path, value))


@pytest.mark.parametrize("path", ["seed", "evaluation.gallery_size", "evaluation.confusions"])
def test_options_that_may_be_none_at_all(path):
    config.build(changed(path, 0))
    with pytest.raises(ConfigError, match=f"config.{path} is -1; expected at least 0"):
        config.build(changed(path, -1))


@pytest.mark.parametrize("path", [
    "model.kernel_stddev", "student.optimizer.initial_accumulator", "student.optimizer.momentum",
    "student.optimizer.weight_decay", "student.optimizer.clip_norm", "student.self_paced.deviation",
    "teachers.optimizer.multipliers.logits",
])
def test_numbers_that_are_not_negative(path):
    config.build(changed(path, 0.0))
    with pytest.raises(ConfigError, match=f"config.{path} is -0.5; expected at least 0"):
        config.build(changed(path, -0.5))


@pytest.mark.parametrize("path, value, expected", [
    ("mesh.data", 0, "other than 0"), ("mesh.data", -2, "at least -1"),
    ("mesh.model", 0, "more than 0"), ("mesh.model", -1, "more than 0"),
])
def test_meshes_have_devices(path, value, expected):
    config.build(changed("mesh.data", -1))
    with pytest.raises(ConfigError, match=f"config.{path} is {value}; expected {expected}"):
        config.build(changed(path, value))


def test_momentum_is_less_than_1():
    path = "student.optimizer.momentum"
    with pytest.raises(ConfigError, match=f"config.{path} is 1.0; expected less than 1"):
        config.build(changed(path, 1))


@pytest.mark.parametrize("value, message", [
    ((0.5, 0.5), " is \\(0.5, 0.5\\); expected increasing"),
    ((0.75, 0.5), " is \\(0.75, 0.5\\); expected increasing"),
    ((0.5, 1.0), "\\[1\\] is 1.0; expected less than 1"),
    ((0, 0.5), "\\[0\\] is 0.0; expected more than 0"),
])
def test_milestones(value, message):
    path = "student.optimizer.milestones"
    assert config.build(changed(path, [])).student.optimizer.milestones == ()
    with pytest.raises(ConfigError, match=f"config.{path}{message}"):
        config.build(changed(path, value))


@pytest.mark.parametrize("path,words", [
    ("student.optimizer.learning_rate", "more than 0"),
    ("student.optimizer.multipliers.pace", "at least 0"),
])
def test_nan_is_no_rate(path, words):
    with pytest.raises(ConfigError, match=f"config.{path} is nan; expected {words}"):
        config.build(changed(path, float("nan")))


@pytest.mark.parametrize("path", [
    "student.optimizer.learning_rate", "generalist.num_epochs", "data.min_confidence",
    "student.self_paced.scale",
])
@pytest.mark.parametrize("value", [float("inf"), float("nan")])
def test_numbers_are_finite(path, value):
    with pytest.raises(ConfigError, match=f"config.{path} is {value}; expected (a finite|more th)"):
        config.build(changed(path, value))


@pytest.mark.parametrize("path", ["seed", "data.seed"])
def test_seeds_fit_into_32_bits(path):
    config.build(changed(path, 2**32 - 1))
    with pytest.raises(ConfigError, match=f"config.{path} is {2**32}; expected less than {2**32}"):
        config.build(changed(path, 2**32))


@pytest.mark.parametrize("path", [
    "student.distill_weight", "student.optimizer.warmup", "evaluation.wanted_precision",
])
@pytest.mark.parametrize("value", [-0.1, 1.1, float("nan")])
def test_shares(path, value):
    with pytest.raises(ConfigError, match=f"config.{path} is {value}; expected 0 to 1"):
        config.build(changed(path, value))


@pytest.mark.parametrize("value", [0, 0.5, 1])
def test_shares_include_their_ends(value):
    built = config.build(changed("student.balance_strength", value))
    assert built.student.balance_strength == value


def test_heads_are_checked():
    with pytest.raises(ConfigError, match="config.student.head: head 'FC8' is not understood"):
        config.build(changed("student.head", "FC8"))


@pytest.mark.parametrize(
    "path, value, message",
    [
        ("model.backbone_init_from", "", "is empty, so a backbone of random weights would never"),
        ("generalist.distill_weight", 0.5, "soft targets exist only for the student"),
        ("teachers.distill_weight", 0.5, "soft targets exist only for the student"),
        ("student.temperature", 4.0, "learns from another, and specialists.*it must be 1.0"),
        ("generalist.init_from", "generalist", "it must be 'scratch'"),
        ("teachers.init_from", "teacher", "expected scratch, generalist, or the folder of a"),
        ("teachers.init_parts", ["head"], "has 'head'; expected some of backbone, trunk"),
        ("student.init_parts", ["trunk", "pace"], "has 'pace'; expected some of backbone, trunk"),
        ("running.sinks", ["tensorbord"], "has 'tensorbord'; expected some of tensorboard, wandb"),
        ("student.name", "a-b", "is 'a-b'; expected a word of letters"),
        ("student.name", "", "is ''; expected a word of letters"),
        ("student.name", "generalist", "other than generalist"),
        ("student.loss", "softmax", "is 'softmax'; it must be 'sigmoid'"),
        ("teachers.loss", "softmax", "is 'softmax'; it must be 'sigmoid'"),
        ("generations.label_smearing", True, "takes one class of each image"),
        ("generations.loss", "sigmoid", "is 'sigmoid'; it must be 'softmax'"),
        ("generations.init_from", "generalist", "it must be 'scratch'"),
        ("generations.tolerance.confidence", 0.2, "above 1/3 and up to 1"),
        ("generations.tolerance.confidence", 1.5, "above 1/3 and up to 1"),
        ("teachers.tolerance.confidence", 0.2, "above 1/3 and up to 1"),
        ("teachers.tolerance.confidence", -1.0, "above 1/3 and up to 1"),
    ],
)
def test_options_must_fit_together(path, value, message):
    with pytest.raises(ConfigError, match=rf"config\.{path}.*{message}"):
        config.build(changed(path, value))
