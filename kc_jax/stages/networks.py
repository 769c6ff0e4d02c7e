"""Building, loading and asking a network: what the stages share."""

import dataclasses
import functools
import pathlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import flax
import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh

from kc_jax import artifacts, sharding
from kc_jax import config as config_lib
from kc_jax.config import Config, ConfigError, Model, Training
from kc_jax.core.auxiliary import AuxiliarySpec
from kc_jax.core.head_spec import HeadSpec
from kc_jax.core.label_space import LabelSpace
from kc_jax.core.tiled_layout import TiledLayout, choose_tile
from kc_jax.data import augment
from kc_jax.data.batches import Batch
from kc_jax.errors import UserError
from kc_jax.models.backbones import BACKBONES, make_backbone
from kc_jax.models.classifier import Classifier
from kc_jax.options import build_part
from kc_jax.train import checkpoint, layout, step
from kc_jax.train.state import digest

MADE_BY = "made_by"  # In the inputs of a network that stands in for one of another stage.
DTYPES = {"float32": jnp.float32, "bfloat16": jnp.bfloat16}


class NonFiniteLogitsError(UserError, RuntimeError):
    """Says which network's training went wrong, and what to try."""


def build_model(
    model: Model, training: Training, space: LabelSpace, seed: int,
    auxiliary: tuple[AuxiliarySpec, ...] = (), frozen: tuple[str, ...] = (),
) -> Classifier:
    """Builds the network that names the classes of a label space, in its logical form.

    Args:
      model: what all networks share.
      training: for the head and its pace.
      space: of the student, or of one vertical.
      seed: of the pace's deviation.
      auxiliary: heads beside the top layers.
      frozen: parts that do not learn, besides those that the configuration freezes.

    Raises:
      ConfigError: there is no such backbone, or it has no such option.
    """
    for name in model.backbone_options:
        if name not in BACKBONES:
            raise ConfigError(
                f"config.model.backbone_options.{name}: there is no backbone {name!r}; options "
                f"stand under the name of theirs: {', '.join(BACKBONES)}"
            )
    pace = dataclasses.asdict(training.self_paced)
    dtype = DTYPES[model.compute_dtype]
    options = model.backbone_options.get(model.backbone, {})
    if "dtype" in options:
        raise ConfigError(
            f"config.model.backbone_options.{model.backbone}.dtype is given; leave it out and set "
            "config.model.compute_dtype"
        )
    try:
        backbone = make_backbone(model.backbone, dtype=dtype, **options)
    except ValueError as error:
        raise ConfigError(f"config.model.backbone and .backbone_options: {error}") from None
    return Classifier(
        backbone=backbone,
        head=HeadSpec.parse(training.head),
        sizes=space.sizes,
        prior=1.0 / max(space.num_classes, 2),
        kernel_stddev=model.kernel_stddev,
        pace=None if pace["level"] == "none" else flax.core.freeze({**pace, "seed": seed}),
        dtype=dtype,
        frozen=tuple(dict.fromkeys([*frozen, *["backbone"] * model.backbone_freeze])),
        auxiliary=auxiliary,
    )


def lay_out(model: Classifier, options: config_lib.Mesh, mesh: Mesh) -> Classifier:
    """Lays a network's logits out on the devices: a kernel for each vertical, or tiles.

    Args:
      model: in its logical form.
      options: for the layout and its tile.
      mesh: of the devices.

    Raises:
      ConfigError: several ``model`` devices, but a layout that cannot be split over them, or
        auxiliary heads.
    """
    num_shards = mesh.shape[sharding.MODEL_AXIS]
    kind = options.layout
    if kind == "auto":
        kind = "per_vertical" if num_shards == 1 else "tiled"
    if kind == "per_vertical":
        if num_shards > 1:
            raise ConfigError(
                f"config.mesh.layout is 'per_vertical' but config.mesh.model is {num_shards}; a "
                "head is split over devices in tiles: set config.mesh.layout to 'tiled' or 'auto'"
            )
        return model
    if model.auxiliary:
        raise ConfigError(
            "auxiliary heads are not laid out in tiles yet; set config.mesh.layout to "
            "'per_vertical' and config.mesh.model to 1"
        )
    spec = model.head
    own_width = spec.bottleneck_width - spec.generic_width
    slot_classes = 0
    if spec.bottleneck_structured:
        slot_classes = own_width * spec.trunk_width // spec.bottleneck_width
    tiles = TiledLayout(
        sizes=tuple(model.sizes),
        num_shards=num_shards,
        tile=options.tile or choose_tile(model.sizes),
        slot_classes=slot_classes,
    )
    return model.clone(layout=tiles, mesh=mesh)


def init_variables(config: Config, model: Classifier, seed: int):
    """Draws a network's initial variables."""
    shape = (1, config.data.image_size, config.data.image_size, config.data.channels)
    return _initialiser(model, shape)(jax.random.key(seed))


@functools.lru_cache(maxsize=16)
def _initialiser(model: Classifier, shape: tuple[int, ...]) -> Callable:
    return jax.jit(lambda key: model.init(key, jnp.zeros(shape, jnp.float32), train=False))


def split_views(config: Config, split: str, size: int | None = None) -> Callable:
    """Makes the function that draws the views of a split.

    Args:
      config: of the run.
      split: ``train`` or ``test``.
      size: height and width of a view, pixels; that of the configuration where None.
    """
    data = config.data
    name = _augmentation(config, split)
    return augment.make_views(name, seed=data.seed, split=split, size=size or data.image_size)


def view_inputs(config: Config, split: str) -> dict:
    """Lists what the views of a split depend on besides the records, for manifests."""
    data = config.data
    return {
        "augmentation": _augmentation(config, split),
        "version": augment.VERSION,
        "seed": data.seed,
        "image_size": data.image_size,
        "channels": data.channels,
    }


def _augmentation(config: Config, split: str) -> str:
    return config.data.augmentation if split == "train" else config.data.test_augmentation


def load_variables(directory: pathlib.Path, made_by: str) -> dict[str, Any]:
    """Loads the variables of a complete network.

    Args:
      directory: of the network.
      made_by: the stage that makes it, for the error.

    Raises:
      MissingArtifactError: it is missing or was not finished.
      CheckpointError: its last state is missing or damaged, or is another network's.
    """
    manifest, where = artifacts.manifest_of(directory, made_by), directory / artifacts.CHECKPOINTS
    variables = checkpoint.load_variables(where, artifacts.owner_of(directory))
    if digest(variables) != manifest["digest"]:
        newest, last = checkpoint.newest_step(where), manifest["num_steps"]
        remedy = f"remove {directory} and run the stage {made_by} again"
        if newest < last:
            remedy = f"run the stage {made_by} again, which goes on from there"
        raise checkpoint.CheckpointError(
            f"{where / str(newest)} is not the state that the training of {directory} ended with, "
            f"at step {last}; put a good copy back, or {remedy}"
        )
    return variables


class Recorded(NamedTuple):
    """Is how a network was built and trained."""

    model: Model
    training: Training
    seed: int


def recorded_options(directory: pathlib.Path, made_by: str) -> Recorded:
    """Reads from a network's manifest how it was built and trained.

    Args:
      directory: of the network.
      made_by: the stage that makes it, for the error.
    """
    inputs = artifacts.manifest_of(directory, made_by)["inputs"]
    training = {key: value for key, value in inputs["training"].items() if key != "name"}
    return Recorded(
        build_part(Model, inputs["model"]), build_part(Training, training), inputs["seed"]
    )


def maker_of(directory: pathlib.Path) -> str:
    """Names the stage that makes what lies among the students: `train_student`, but for some."""
    manifest = artifacts.read_json(directory / artifacts.MANIFEST, {"inputs": {}})
    return manifest["inputs"].get(MADE_BY, "train_student")


def recorded_auxiliary(directory: pathlib.Path) -> tuple[AuxiliarySpec, ...]:
    """Reads a network's auxiliary heads, if it has any."""
    return specs_of(artifacts.read_json(directory / artifacts.AUXILIARY, []))


def specs_of(specs: Sequence[Mapping[str, Any]]) -> tuple[AuxiliarySpec, ...]:
    """Reads auxiliary heads back from the JSON of their specs."""
    return tuple(
        AuxiliarySpec(tuple(s["cluster_of_class"]), tuple(s["widths"]), s["attach"]) for s in specs
    )


def recorded_model(directory: pathlib.Path, made_by: str, space: LabelSpace) -> Classifier:
    """Builds a complete network as it was trained, in its logical form.

    Args:
      directory: of the network.
      made_by: the stage that makes it, for the error.
      space: its label space.
    """
    options = recorded_options(directory, made_by)
    return build_model(
        options.model, options.training, space, options.seed, recorded_auxiliary(directory)
    )


def load_predictor(
    config: Config, directory: pathlib.Path, made_by: str, space: LabelSpace, split: str,
    batch_size: int,
) -> Callable:
    """Loads a trained network as a function (host batch) → logits f32[B, C].

    Args:
      config: for the mesh and the views.
      directory: of the network; its manifest says how it is built.
      made_by: the stage that makes it, for the error.
      space: its label space.
      split: whose views it sees.
      batch_size: examples a batch.

    Raises:
      NonFiniteLogitsError: when asked, if the network answers with something else than numbers.
    """
    mesh = sharding.make_mesh(config.mesh.data, config.mesh.model)
    sharding.check_batch_size(mesh, batch_size, "batch_size of inference")
    model, variables = _load_laid_out(config, directory, made_by, space, mesh)
    predict = step.make_predict_step(model, split_views(config, split))
    put = functools.partial(sharding.put_batch, mesh)
    if config.data.synthetic:
        put = _keep_first(put)

    def ask(batch: Batch) -> np.ndarray:
        logits = np.asarray(predict(variables, put(batch)))
        if model.layout is not None:
            logits = model.layout.in_class_order(logits)
        is_finite = np.isfinite(logits).all(axis=-1)
        if not is_finite.all():
            raise NonFiniteLogitsError(
                f"{directory} gives logits that are not finite for record "
                f"{batch['record_id'][~is_finite][0]} of {split!r}, so it cannot be judged or "
                "learnt from; lower its optimizer.learning_rate and train it anew with "
                f"--redo={made_by}, and look at the image"
            )
        return logits

    return ask


def load_on_devices(
    config: Config, directory: pathlib.Path, made_by: str, space: LabelSpace, split: str
) -> Callable:
    """Loads a trained network as a function (batch on the devices) → logits there, f32[B, C].

    Args:
      config: for the mesh and the views; its layout of logits is ``per_vertical``.
      directory: of the network; its manifest says how it is built.
      made_by: the stage that makes it, for the error.
      space: its label space.
      split: whose views it sees.
    """
    mesh = sharding.make_mesh(config.mesh.data, config.mesh.model)
    model, variables = _load_laid_out(config, directory, made_by, space, mesh)
    return functools.partial(
        step.make_predict_step(model, split_views(config, split)), variables
    )


def _load_laid_out(
    config: Config, directory: pathlib.Path, made_by: str, space: LabelSpace, mesh: Mesh
) -> tuple[Classifier, dict[str, Any]]:
    model = lay_out(recorded_model(directory, made_by, space), config.mesh, mesh)
    return model, layout.place(model, mesh, load_variables(directory, made_by))


def _keep_first(put: Callable) -> Callable:
    """Gives the first batch again for every other, so that none but it is brought to the device."""
    kept = []

    def put_once(batch):
        if not kept:
            kept.append(put(batch))
        return kept[0]

    return put_once
