"""Networks that another one cannot start from."""

import json
import random

import jax.numpy as jnp
import numpy as np
import safetensors.numpy

from benchmarks.damages import cut, flip
from kc_jax import artifacts
from kc_jax.core import label_space
from kc_jax.train.checkpoint import Checkpoints
from kc_jax.train.state import TrainState, digest
from tests.data.pictures import write
from tests.faults.bad_teachers import DATA
from tests.faults.case import Case

AREA = "start-from folders, checkpoints"
START = (
    f"kc_jax.main {DATA} --stages=train_generalist --config.generalist.init_from={{root}}/net "
    "--config.generalist.init_parts=\"('backbone',)\" "
    "--config.model.backbone_options.small_conv.features='(8,)'"
)
WEIGHTS = (
    f"kc_jax.main {DATA} --stages=train_generalist --config.model.backbone=resnet50 "
    "--config.model.backbone_init_from={root}/weights.safetensors "
    "--config.model.backbone_options.resnet50.stage_sizes='(1,)'"
)
COMPLETE = {"inputs": {"training": {}}, "complete": True, "num_steps": 1}
SPACE = label_space.from_sizes([3, 3]).to_json()
ELSEWHERE = "that trains it"


def case(name, command, *words, make=lambda root: None):
    return Case(AREA, name, command, words, make)


def network(name, *words, manifest=COMPLETE, space=SPACE, params=None, spoil=None, command=START):
    """Makes a case of a network's folder.

    Args:
      name: of the case.
      *words: of the message.
      manifest: of the network; the digest of ``params`` is added.
      space: text of the label space.
      params: of a checkpoint; None writes none.
      spoil: what is done to the folder at last.
      command: to run.
    """
    def make(root):
        folder = root / "net"
        folder.mkdir()
        facts = manifest if params is None else {**manifest, "digest": digest({"params": params})}
        texts = {artifacts.MANIFEST: json.dumps(facts), artifacts.LABEL_SPACE: space}
        for file, text in texts.items():
            (folder / file).write_text(text, encoding="utf-8")
        if params is not None:
            owner = artifacts.owner_of(folder)
            with Checkpoints(folder / artifacts.CHECKPOINTS, owner=owner) as checkpoints:
                checkpoints.save(1, TrainState(jnp.int32(1), params, {}, {}))
        if spoil:
            spoil(folder)

    return case(name, command, *words, make=make)


def of_shape(*shape):
    kernel = jnp.zeros(shape, jnp.float32)
    return {"backbone": {"convolution_0": {"kernel": kernel}}}


def torn(name, damage, pattern, *words):
    """Makes a case of a trained network of which every file that fits a pattern is damaged."""
    def spoil(folder):
        for path in sorted(folder.glob(pattern)):
            if path.is_file():
                damage(path, path, random.Random(0))

    return network(name, *words, params=of_shape(3, 3, 1, 8), spoil=spoil)


def empty(path, *_):
    path.write_bytes(b"")


def remove(path, *_):
    path.unlink()


STATE, REDO = "checkpoints/1/**/*", "run the stage that trains it"
CASES = [
    torn("bits turned over in the state", flip, STATE, "net/checkpoints/1", "damaged", REDO),
    torn("state that was cut off", cut, STATE, "net/checkpoints/1", "damaged", REDO),
    torn("state of empty files", empty, STATE, "net/checkpoints/1", "damaged", REDO),
    torn("state without its files", remove, "checkpoints/1/state/**/*", "net/checkpoints/1",
         "damaged", REDO),
    torn("bits turned over in an array", flip, "checkpoints/1/state/**/d/*",
         "net/checkpoints/1", "damaged", REDO),
    torn("manifest that was cut off", cut, artifacts.MANIFEST, "net/manifest.json", "damaged"),
    torn("empty manifest", empty, artifacts.MANIFEST, "net/manifest.json", "damaged"),
    torn("no manifest", remove, artifacts.MANIFEST, "net is missing or unfinished", ELSEWHERE),
    torn("label space that was cut off", cut, artifacts.LABEL_SPACE, "net/label_space.json",
         "put a good copy back"),
    torn("no label space", remove, artifacts.LABEL_SPACE, "net/label_space.json",
         "put a good copy back"),
    network("state of another training", "net/checkpoints/1 is not the state",
            ELSEWHERE, params=of_shape(3, 3, 1, 8),
            spoil=lambda folder: (folder / artifacts.MANIFEST).write_text(json.dumps(
                {**COMPLETE, "digest": "0" * 64}), encoding="utf-8")),
    case("no such folder", START, "net is missing or unfinished", ELSEWHERE),
    case("name without a slash", START.replace("{root}/net", "net"),
         "config.generalist.init_from is 'net'", "with a / in it"),
    case("empty folder", START, "net is missing or unfinished", ELSEWHERE,
         make=lambda root: (root / "net").mkdir()),
    case("file as the folder", START, "net is missing or unfinished", ELSEWHERE,
         make=lambda root: (root / "net").write_bytes(b"")),
    case("folder of images", START, "net is missing or unfinished", ELSEWHERE,
         make=lambda root: write(root, {"net/a.png": b""})),
    network("network that was not finished", "net is missing or unfinished", ELSEWHERE,
            manifest={**COMPLETE, "complete": False}),
    network("label space of another version", "schema version 9", "expected 1",
            space=SPACE.replace('"schema_version": 1', '"schema_version": 9')),
    network("no checkpoint", "net/checkpoints holds no checkpoint", "train the network first"),
    network("no step among the checkpoints", "net/checkpoints holds no checkpoint", "train",
            spoil=lambda folder: (folder / "checkpoints/notes").mkdir(parents=True)),
    network("network of another backbone", "backbone cannot start from the other network's",
            "leave it out of init_parts", params=of_shape(7, 7, 3, 9)),
    network("network of no such part", "backbone cannot start from the other network's",
            "leave it out of init_parts", params={"trunk": {"kernel": jnp.zeros(3, jnp.float32)}}),
    case("weights of nowhere", WEIGHTS, "weights.safetensors', which is neither a file nor",
         "expected a safetensors file"),
    case("weights that are none", WEIGHTS, "weights.safetensors', which cannot be read",
         "docs/backbones.md", make=lambda root: write(root, {"weights.safetensors": b"none"})),
    case("weights of another network", WEIGHTS, "weights.safetensors does not fit", "'resnet50'",
         "same architecture", make=lambda root: safetensors.numpy.save_file(
             {"a": np.zeros(3, np.float32)}, root / "weights.safetensors")),
    case("folder as weights", WEIGHTS.replace("/weights.safetensors", ""),
         "which is neither a file nor", "expected a safetensors file"),
    case("frozen without weights", f"kc_jax.main {DATA} --config.model.backbone_freeze=true",
         "config.model.backbone_freeze", "config.model.backbone_init_from is empty"),
    case("export of no student", f"kc_jax.main {DATA} --stages=export",
         "students/student is missing", "run the stage train_student first"),
    case("report on nothing", f"kc_jax.main {DATA} --stages=report", "missing", "run the stage"),
    case("verification of nothing", f"kc_jax.main {DATA} --stages=verify_soft_targets", "missing",
         "run the stage"),
]
