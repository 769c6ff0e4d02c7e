"""Takes steps with a tiled head on eight simulated devices and with a dense reference on one.

Prints for every case how far they are apart and what the compiled step exchanges.
"""

import json
import re
import sys

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from kc_jax import config, sharding
from kc_jax.core.head_spec import HeadSpec
from kc_jax.models.classifier import Classifier
from kc_jax.stages import networks
from kc_jax.train import layout, objective, optimizer
from kc_jax.train.state import make_state
from kc_jax.train.step import make_predict_step, make_train_step
from tests.models.random_variables import random_variables
from tests.reference import losses, step
from tests.train import tiny

BATCH, FEATURES, STEPS, RATE = 8, 12, 3, 0.05
TILE = 7
MIXED = (23, 5, 14, 9, 30, 7)
FEW = (60, 11)  # Fewer verticals than shards, one of them larger than any shard's share.
NO_PACE, BY_VERTICAL, BY_CLASS = "none", "vertical", "class"

# name: (data devices, model devices, head, sizes, pace, microbatches)
CASES = {
    "sc_2x4": (2, 4, "FC16-SC4", MIXED, NO_PACE, 1),
    "sc_1x8": (1, 8, "FC16-SC4", MIXED, NO_PACE, 1),
    "sc_2x4_paced": (2, 4, "FC16-SC4", MIXED, BY_VERTICAL, 1),
    "sc_1x8_paced_by_class": (1, 8, "FC16-SC4", MIXED, BY_CLASS, 1),
    "fc_2x4": (2, 4, "FC16-FC8", MIXED, NO_PACE, 1),
    "fc_1x8_paced": (1, 8, "FC16-FC8", MIXED, BY_VERTICAL, 1),
    "scsc_2x4_paced": (2, 4, "SC16-SC4", MIXED, BY_VERTICAL, 1),
    "generic_2x4_paced": (2, 4, "FC16-SC(6,2)", MIXED, BY_VERTICAL, 1),
    "linear_2x4_paced": (2, 4, "linear", MIXED, BY_VERTICAL, 1),
    "few_1x8_paced": (1, 8, "FC16-SC4", FEW, BY_VERTICAL, 1),
    "few_2x4_paced_by_class": (2, 4, "SC16-SC6", FEW, BY_CLASS, 1),
    "sc_2x4_microbatches": (2, 4, "FC16-SC4", MIXED, BY_VERTICAL, 2),
}
COLLECTIVE = re.compile(
    r"= (.*?) (all-gather|all-to-all|collective-permute|reduce-scatter|all-reduce)(?:-start)?\("
)


class Flat(nn.Module):
    """Is a backbone without parameters."""

    @nn.compact
    def __call__(self, images, train):
        return images.reshape(images.shape[0], -1)


def views(images, record_ids, view_numbers):
    return images.astype(jnp.float32) / 255.0


def make_batch(num_classes):
    rng = np.random.default_rng(3)
    return {
        "image": rng.integers(256, size=(BATCH, FEATURES, 1, 1)).astype(np.uint8),
        "record_id": np.zeros(BATCH, np.int32),
        "view": np.zeros(BATCH, np.int32),
        "target_ids": rng.integers(num_classes, size=(BATCH, 6)).astype(np.int32),
        "target_probs": rng.uniform(0, 0.5, (BATCH, 6)).astype(np.float32),
        "mask": np.arange(BATCH) < BATCH - 1,
    }


def make_models(mesh, head, sizes, level):
    pace = None
    if level != NO_PACE:
        pace = nn.FrozenDict(level=level, initial="sqrt_size", scale=1.0, deviation=0.1, seed=0)
    logical = Classifier(Flat(), HeadSpec.parse(head), sizes, prior=0.1, pace=pace)
    devices = config.Mesh(data=-1, model=mesh.shape["model"], layout="tiled", tile=TILE)
    return logical, networks.lay_out(logical, devices, mesh)


def spread_padding(model, state):
    """Writes rubbish into every padding column, which must change nothing."""
    def spoil(params):
        valid = jnp.asarray(model.layout.valid)
        tiles = params["logits"]
        return {**params, "logits": {
            "kernel": jnp.where(valid[..., None], tiles["kernel"], 3.0),
            "bias": jnp.where(valid, tiles["bias"], 50.0),
        }}

    return state.replace(params=spoil(state.params))


def run(data, model_devices, head, sizes, level, microbatches):
    """Gives the differences and exchanges of a case."""
    mesh = sharding.make_mesh(data, model_devices)
    logical, model = make_models(mesh, head, sizes, level)
    tx = optimizer.make_optimizer(tiny.optimizer_options())
    batch = make_batch(sum(sizes))
    images = batch["image"][:1].astype(np.float32)
    params = random_variables(logical, images, train=True)["params"]
    expected, accumulators = params, jax.tree.map(lambda x: np.full_like(x, 0.1), params)
    state = layout.place(model, mesh, make_state({"params": params}, tx))
    state = spread_padding(model, state)
    train_step = make_train_step(
        model, objective.sigmoid_of(model), tx, views, mesh, microbatches
    )
    on_devices = sharding.put_batch(mesh, batch)
    compiled = train_step.lower(state, on_devices, np.float32(RATE)).compile()
    targets = losses.dense_targets(batch["target_ids"], batch["target_probs"], sum(sizes))
    inputs = (
        batch["image"].reshape(BATCH, -1).astype(np.float32) / np.float32(255),
        targets.astype(np.float32), batch["mask"].astype(np.float32), sizes,
    )
    gaps = []
    for _ in range(STEPS):
        state, metrics = train_step(state, on_devices, np.float32(RATE))
        loss, expected, accumulators = step.adagrad_step(
            expected, accumulators, np.float32(RATE), *inputs
        )
        gaps.append(abs(float(metrics["loss"]) / float(loss) - 1))
    found = jax.device_get(layout.logical(model, state))
    variables = {"params": state.params}
    scores = np.asarray(make_predict_step(model, views)(variables, on_devices))
    by_class = model.layout.in_class_order(scores)
    own_logits = np.asarray(step.logits(expected, inputs[0], sizes))
    return {
        "loss": max(gaps),
        "params": largest_gap(found.params, expected),
        "accumulators": largest_gap(found.opt_state[0][0].sum_of_squares, accumulators),
        "logits": largest_gap(by_class, own_logits),
        "exchanged": COLLECTIVE.findall(compiled.as_text()),
        "num_tiles": model.layout.num_tiles,
        "split": len(model.layout.split),
        "shard_bytes": bytes_by_device(state),
    }


def largest_gap(given, expected):
    """Gives the largest difference, relative where values are larger than 1."""
    def gap(a, b):
        b = np.asarray(b)
        return float(np.max(np.abs(np.asarray(a) - b) / np.maximum(np.abs(b), 1)))

    return max(jax.tree.leaves(jax.tree.map(gap, given, expected)))


def bytes_by_device(state):
    """Adds up what lies on each device."""
    total = dict.fromkeys(range(jax.device_count()), 0)
    for leaf in jax.tree.leaves(state):
        for shard in leaf.addressable_shards:
            total[shard.device.id] += shard.data.nbytes
    return list(total.values())


if __name__ == "__main__":
    names = sys.argv[1:] or list(CASES)
    print(json.dumps({name: run(*CASES[name]) for name in names}))
