"""The head step of each method: kc_jax's own, the obvious JAX one, and PyTorch's.

Each gives a run, which takes one step and gives the loss before it, and facts about the step.
"""

from collections.abc import Callable

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax

from benchmarks import measure
from kc_jax import config, sharding
from kc_jax.core.head_spec import HeadSpec
from kc_jax.models.classifier import Classifier
from kc_jax.stages import networks
from kc_jax.train import layout, objective, optimizer
from kc_jax.train.state import make_state
from kc_jax.train.step import make_train_step

FEATURES, TOP_K, RATE, ACCUMULATOR = 9216, 100, 1e-3, 0.1


class Features(nn.Module):
    """Is a backbone whose images are features already."""

    @nn.compact
    def __call__(self, images, train):
        return images


def vertical_sizes(num_classes: int, num_verticals: int = 20) -> tuple[int, ...]:
    """Draws uneven verticals, the largest about fifteen times the smallest."""
    weights = np.geomspace(1, 15, num_verticals)
    sizes = np.maximum(1, np.floor(weights / weights.sum() * num_classes)).astype(int)
    sizes[-1] += num_classes - sizes.sum()
    return tuple(sizes.tolist())


def make_batch(batch_size: int, sizes: tuple[int, ...]) -> dict[str, np.ndarray]:
    """Draws features and the top K soft targets of one vertical an example."""
    rng = np.random.default_rng(0)
    verticals = rng.integers(len(sizes), size=batch_size)
    starts = np.concatenate([[0], np.cumsum(sizes)])
    ids = np.stack([starts[v] + rng.integers(sizes[v], size=TOP_K) for v in verticals])
    return {
        "image": rng.normal(size=(batch_size, FEATURES)).astype(np.float32),
        "record_id": np.zeros(batch_size, np.int32),
        "view": np.zeros(batch_size, np.int32),
        "target_ids": ids.astype(np.int32),
        "target_probs": rng.dirichlet(np.full(TOP_K, 0.1), batch_size).astype(np.float32),
        "mask": np.ones(batch_size, np.bool_),
    }


def _views(images, record_ids, views):
    return images


def ours(head: str, sizes, batch, *, paced: bool, kind: str, dtype) -> tuple[Callable, dict]:
    """Gives a run of the trainer's own step on features, and XLA's account of its memory."""
    mesh = sharding.make_mesh()
    pace = nn.FrozenDict(
        level="vertical", initial="sqrt_size", scale=1.0, deviation=1e-3, seed=0
    ) if paced else None
    logical = Classifier(
        Features(), HeadSpec.parse(head), sizes, prior=1 / sum(sizes), pace=pace, dtype=dtype
    )
    model = networks.lay_out(logical, config.Mesh(-1, 1, kind, 0), mesh)
    tx = optimizer.make_optimizer(config.Optimizer(
        kind="adagrad", learning_rate=RATE, initial_accumulator=ACCUMULATOR, momentum=0.0,
        clip_norm=0.0, weight_decay=0.0, schedule="constant", warmup=0.0, milestones=(),
        multipliers=config.Multipliers(1.0, 1.0, 1.0, 1.0, 1.0, 1.0),
    ))
    step = make_train_step(model, objective.sigmoid_of(model), tx, _views, mesh)

    def fresh(key):
        variables = logical.init(key, jnp.zeros((1, FEATURES), jnp.float32), train=False)
        return make_state(variables, tx)

    state = layout.place(model, mesh, jax.jit(fresh)(jax.random.key(0)))
    on_device = sharding.put_batch(mesh, batch)
    rate = np.float32(RATE)
    memory = step.lower(state, on_device, rate).compile().memory_analysis()
    held = [state]
    del state

    def run():
        held[0], metrics = step(held[0], on_device, rate)
        jax.block_until_ready((held[0], metrics))
        return metrics["loss"]

    return run, {
        "state_bytes": memory.argument_size_in_bytes,
        "temporary_bytes": memory.temp_size_in_bytes,
        "params": sum(x.size for x in jax.tree.leaves(held[0].params)),
    }


def naive(head: str, sizes, batch, **_) -> tuple[Callable, dict]:
    """Gives a run of what one writes first: dense targets, optax, no donation."""
    spec = HeadSpec.parse(head)
    logical = Classifier(Features(), spec, sizes, prior=1 / sum(sizes))
    tx = optax.adagrad(RATE, initial_accumulator_value=ACCUMULATOR)

    def loss_of(params, features, ids, probs):
        logits = logical.apply({"params": params}, features, train=True)
        rows = jnp.arange(len(ids))[:, None]
        targets = jnp.zeros_like(logits).at[rows, ids].add(probs)
        return optax.sigmoid_binary_cross_entropy(logits, targets).sum(-1).mean()

    @jax.jit
    def step(params, opt_state, features, ids, probs):
        loss, gradients = jax.value_and_grad(loss_of)(params, features, ids, probs)
        updates, opt_state = tx.update(gradients, opt_state, params)
        return optax.apply_updates(params, updates), opt_state, loss

    features = jnp.zeros((1, FEATURES), jnp.float32)
    init = jax.jit(lambda key: logical.init(key, features, train=False)["params"])
    params = init(jax.random.key(0))
    held = [params, jax.jit(tx.init)(params)]
    del params
    inputs = [jnp.asarray(batch[name]) for name in ("image", "target_ids", "target_probs")]

    def run():
        held[0], held[1], loss = step(*held, *inputs)
        jax.block_until_ready((held, loss))
        return loss

    return run, {}


def torch_naive(head: str, sizes, batch, **_) -> tuple[Callable, dict]:
    """Gives a run of PyTorch with dense targets and its default Adagrad."""
    return _torch(head, sizes, batch, sparse=False, fused=False)


def torch_fused(head: str, sizes, batch, **_) -> tuple[Callable, dict]:
    """Gives a run of PyTorch with the sparse form of the loss and the fused Adagrad."""
    return _torch(head, sizes, batch, sparse=True, fused=True)


def torch_layers(head: str, sizes):
    """Makes the trunk, the bottlenecks and the verticals' logits in PyTorch: a ModuleList."""
    torch = measure.optional_torch()
    spec = HeadSpec.parse(head)
    trunk = torch.nn.Linear(FEATURES, spec.trunk_width)
    count = len(sizes) if spec.bottleneck_structured else 1
    bottlenecks = torch.nn.ModuleList(
        torch.nn.Linear(spec.trunk_width, spec.bottleneck_width) for _ in range(count)
    )
    outputs = torch.nn.ModuleList(torch.nn.Linear(spec.bottleneck_width, n) for n in sizes)
    with torch.no_grad():
        for layer in outputs:
            layer.weight.zero_()
            layer.bias.fill_(-float(np.log(sum(sizes))))
    return torch.nn.ModuleList([trunk, bottlenecks, outputs])


def _torch(head: str, sizes, batch, *, sparse: bool, fused: bool) -> tuple[Callable, dict]:
    torch = measure.optional_torch()
    functional = torch.nn.functional
    trunk, bottlenecks, outputs = layers = torch_layers(head, sizes)
    tx = torch.optim.Adagrad(
        layers.parameters(), lr=RATE, initial_accumulator_value=ACCUMULATOR, fused=fused
    )
    features, ids, probs = (
        torch.from_numpy(batch[name]) for name in ("image", "target_ids", "target_probs")
    )
    ids = ids.long()

    def run():
        hidden = torch.relu(trunk(features))
        seen = [torch.relu(layer(hidden)) for layer in bottlenecks]
        seen = seen if len(seen) > 1 else seen * len(sizes)
        logits = torch.cat([o(x) for o, x in zip(outputs, seen, strict=True)], dim=1)
        if sparse:
            listed = (probs * logits.gather(1, ids)).sum()
            loss = (functional.softplus(logits).sum() - listed) / len(features)
        else:
            targets = torch.zeros_like(logits).scatter_add_(1, ids, probs)
            loss = functional.binary_cross_entropy_with_logits(
                logits, targets, reduction="sum"
            ) / len(features)
        tx.zero_grad(set_to_none=True)
        loss.backward()
        tx.step()
        return loss.detach()

    return run, {}
