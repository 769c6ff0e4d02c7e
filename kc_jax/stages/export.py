"""Writes a trained student as a bundle: a folder of files that is used without its code."""

import dataclasses
import json
import os
import pathlib
import sys
from collections.abc import Callable
from typing import Any

import flax.traverse_util
import jax
import jinja2
import numpy as np
import safetensors.numpy

from kc_jax import artifacts, environment
from kc_jax.bundle import files
from kc_jax.bundle.calibration import Calibration
from kc_jax.config import Config
from kc_jax.core.label_space import LabelSpace
from kc_jax.data import augment, sources
from kc_jax.models.classifier import Classifier
from kc_jax.stages import class_table, evaluate, networks, report_text
from kc_jax.workdir import Workdir

PLATFORMS = ("cpu", "cuda", "tpu")
TEMPLATE = pathlib.Path(__file__).parent / "templates" / "model_card.md.jinja"
PACKAGES = ("jax", "jaxlib", "flax", "optax", "numpy", "pillow")


def run(config: Config, workdir: Workdir) -> bool:
    """Writes the bundle of the configuration's student; tells whether there was anything to do.

    Raises:
      MissingArtifactError: the student is not trained or not judged yet.
      StaleArtifactError: it was trained, or judged, from other inputs.
    """
    facts = gather_facts(config, workdir)
    directory = workdir.bundle(facts["name"])
    print(f"Bundle: {directory}\nTry it: python -m kc_jax.predict --bundle={directory} IMAGES")
    if _is_current(directory, _fingerprint(facts)):
        return False
    trained = workdir.student(facts["name"])
    made_by = networks.maker_of(trained)
    space = LabelSpace.from_json(facts["label_space"])
    model = networks.recorded_model(trained, made_by, space)
    write_bundle(directory, facts, model, networks.load_variables(trained, made_by))
    return True


def write_bundle(
    directory: pathlib.Path, facts: dict[str, Any], model: Classifier, variables: dict[str, Any]
) -> None:
    """Writes a bundle so that a reader never sees half of it.

    Args:
      directory: of the bundle; what is there is replaced.
      facts: of `gather_facts`.
      model: in its logical form.
      variables: of the model.
    """
    temporary = directory.with_name(directory.name + artifacts.TEMPORARY)
    artifacts.remove(temporary)
    temporary.mkdir(parents=True)
    weights = flatten(variables)
    (temporary / files.WEIGHTS).write_bytes(safetensors.numpy.save(weights))
    function = make_function(model, facts["preprocessing"])
    program = export_function(function, weights, facts["preprocessing"])
    (temporary / files.PROGRAM).write_bytes(program.serialize())
    _write_facts(facts, temporary)
    artifacts.write_sealed(temporary / files.MANIFEST, {
        "schema_version": files.SCHEMA_VERSION,
        "name": facts["name"],
        "inputs": _fingerprint(facts),
        "files": files.describe(temporary),
    })
    artifacts.remove(directory)
    os.replace(temporary, directory)


def _fingerprint(facts: dict) -> str:
    return artifacts.fingerprint([files.SCHEMA_VERSION, facts, _template_text()])


def _is_current(directory: pathlib.Path, inputs: str) -> bool:
    if not directory.exists():
        return False
    try:
        return files.verify(directory).get("inputs") == inputs
    except files.BundleError as error:
        print(f"{error}. It is exported anew", file=sys.stderr)
        return False


def gather_facts(config: Config, workdir: Workdir) -> dict[str, Any]:
    """Gathers all that a bundle says besides the network itself, as JSON.

    Args:
      config: with which the student was trained.
      workdir: of the run.

    Raises:
      MissingArtifactError, StaleArtifactError: see `run`.
    """
    name = config.student.name
    trained = workdir.student(name)
    made_by = networks.maker_of(trained)
    manifest = artifacts.manifest_of(trained, made_by)
    space = sources.load_label_space(config.data)
    source = sources.open_source(config.data, "train")
    _check_inputs(config, workdir, manifest["inputs"], space, source)
    counts = class_table.count_images(source.labels, space.num_classes)
    training = manifest["inputs"]["training"]
    return {
        "name": name,
        "fingerprint": artifacts.fingerprint_of(trained, made_by),
        "label_space": space.to_json(),
        "network": {
            "model": manifest["inputs"]["model"],
            "training": training,
            "seed": manifest["inputs"]["seed"],
            "auxiliary": [dataclasses.asdict(s) for s in networks.recorded_auxiliary(trained)],
            "params": manifest["params"],
            "images_seen": manifest["images_seen"],
        },
        "data": {
            "source": config.data.source, "variant": config.data.variant,
            "records": source.fingerprint, "num_records": len(source.labelled),
            "num_unlabelled": len(source.unlabelled) if training["distill_weight"] else 0,
            "judged_on": config.data.judged_on, "synthetic": config.data.synthetic,
        },
        "preprocessing": preprocessing_of(config),
        "training_images": counts.tolist(),
        "metrics": artifacts.read_json(workdir.evaluation / name / evaluate.METRICS),
        "calibration": artifacts.read_json(workdir.evaluation / name / evaluate.CALIBRATION, None),
    }


def preprocessing_of(config: Config) -> dict[str, Any]:
    """Says what images a bundle takes, and what the network is shown of them."""
    return {
        "side": sources.stored_side(config.data),
        "channels": config.data.channels,
        "fit": "turned upright, what is transparent becomes white, the shorter side is scaled to "
               "side (bicubic), the middle square is cut out",
        "dtype": "uint8",
        "value_range": [0, 255],
        "view": augment.CENTRES[config.data.test_augmentation],
        "image_size": config.data.image_size,
    }


def _check_inputs(config, workdir: Workdir, found: dict, space: LabelSpace, source) -> None:
    name = config.student.name
    wanted = {
        "label_space": space.fingerprint, "records": source.fingerprint,
        "views": networks.view_inputs(config, "train"),
    }
    differences = artifacts.describe_differences({key: found[key] for key in wanted}, wanted)
    if differences:
        raise artifacts.StaleArtifactError(
            f"{workdir.student(name)} was made from other inputs:\n  " + "\n  ".join(differences)
            + "\nExport it with the configuration that it was trained with"
        )
    judged = artifacts.manifest_of(workdir.evaluation / name, "evaluate")["inputs"]
    views = {"views": networks.view_inputs(config, config.data.judged_on)}
    differences = artifacts.describe_differences({"views": judged["views"]}, views)
    if differences:
        raise artifacts.StaleArtifactError(
            f"{workdir.evaluation / name} judges other views than the bundle would draw:\n  "
            + "\n  ".join(differences) + "\nExport it with the configuration that it was judged "
            "with, or run the stage evaluate anew"
        )
    trained = workdir.student(name)
    if judged["networks"] != [artifacts.fingerprint_of(trained, networks.maker_of(trained))]:
        raise artifacts.StaleArtifactError(
            f"{workdir.evaluation / name} judges another network than the student {name!r} that is "
            "there now; run the stage evaluate anew with --redo=evaluate"
        )


def flatten(variables: dict[str, Any]) -> dict[str, Any]:
    """Names every array of a model's variables, as in ``params/trunk/shared/kernel``."""
    return flax.traverse_util.flatten_dict(variables, sep="/")


def make_function(model: Classifier, preprocessing: dict) -> Callable:
    """Makes the function (weights by name, images u8[B, side, side, channels]) → logits f32[B, C].

    Args:
      model: in its logical form.
      preprocessing: as in the bundle; the view without chance is drawn on the device.
    """
    size, view = preprocessing["image_size"], preprocessing["view"]

    def logits_of(weights, images):
        variables = flax.traverse_util.unflatten_dict(weights, sep="/")
        return model.apply(variables, augment.centre_views(view, images, size), train=False)

    return logits_of


def export_function(function: Callable, weights: dict, preprocessing: dict) -> jax.export.Exported:
    """Lowers a function of `make_function` for any batch and all platforms.

    Args:
      function: to lower.
      weights: arrays by name; they stay arguments, so that the program is small.
      preprocessing: as in the bundle.
    """
    side, channels = preprocessing["side"], preprocessing["channels"]
    shape = jax.export.symbolic_shape(f"batch, {side}, {side}, {channels}")
    shapes = {
        name: jax.ShapeDtypeStruct(array.shape, array.dtype) for name, array in weights.items()
    }
    return jax.export.export(jax.jit(function), platforms=PLATFORMS)(
        shapes, jax.ShapeDtypeStruct(shape, np.uint8)
    )


def _write_facts(facts: dict, directory: pathlib.Path) -> None:
    """Writes label space, preprocessing, metrics, calibration and the card for people."""
    space = LabelSpace.from_json(facts["label_space"])
    calibration = Calibration.from_json(facts["calibration"], space)  # Also checks it.
    artifacts.write_text(directory / files.LABEL_SPACE, facts["label_space"] + "\n")
    artifacts.write_text(
        directory / files.TRAINING_IMAGES, json.dumps(facts["training_images"]) + "\n"
    )
    artifacts.write_json(directory / files.NETWORK, {**facts["network"], "data": facts["data"]})
    artifacts.write_json(directory / files.PREPROCESSING, facts["preprocessing"])
    artifacts.write_json(directory / files.METRICS, facts["metrics"])
    if facts["calibration"] is not None:
        artifacts.write_json(directory / files.CALIBRATION, facts["calibration"])
    artifacts.write_text(directory / files.CARD, _card(facts, space, calibration))


def _card(facts: dict, space: LabelSpace, calibration: Calibration) -> str:
    templates = jinja2.Environment(
        undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    templates.filters.update(percent=report_text.percent, count=lambda n: f"{n:,}")
    counts = np.add.reduceat(facts["training_images"], space.starts[:-1])
    return templates.from_string(_template_text()).render(
        **facts,
        space=space,
        vertical_images=dict(zip(space.verticals, counts.tolist(), strict=True)),
        starts=space.starts,
        fit=calibration,
        options=flax.traverse_util.flatten_dict(
            {key: value for key, value in facts["network"].items() if key != "auxiliary"}, sep="."
        ),
        versions=environment.versions(PACKAGES),
        platforms=PLATFORMS,
    )


def _template_text() -> str:
    return TEMPLATE.read_text(encoding="utf-8")
