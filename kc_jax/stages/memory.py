"""What training a network holds on each device of a mesh, from shapes alone."""

import functools
from collections import Counter
from collections.abc import Callable

import jax
import jax.numpy as jnp

from kc_jax import sharding
from kc_jax.config import Config, Training
from kc_jax.core import losses
from kc_jax.core.label_space import LabelSpace
from kc_jax.models import classifier
from kc_jax.models.classifier import Classifier
from kc_jax.stages import networks
from kc_jax.train import optimizer
from kc_jax.train.state import make_state, split


def bytes_per_device(config: Config, training: Training, space: LabelSpace) -> dict[str, int]:
    """Counts the bytes that training a network holds on the device that holds most.

    Args:
      config: of the run; ``mesh.data`` of −1 counts as 1 device.
      training: for the head, the batch and the optimiser.
      space: label space of the network.

    Returns:
      ``parameters``, ``optimizer_state``, ``gradients`` and ``activations``: what the backward
      pass of one microbatch keeps, before XLA fuses any of it away.
    """
    mesh = sharding.make_abstract_mesh(max(config.mesh.data, 1), config.mesh.model)
    logical = networks.build_model(config.model, training, space, config.seed)
    model = networks.lay_out(logical, config.mesh, mesh)
    variables = network_shapes(config, logical)
    tx = optimizer.make_optimizer(training.optimizer)
    state = jax.eval_shape(
        lambda variables: classifier.from_logical(
            model, make_state(variables, tx, model.frozen)
        ),
        variables,
    )
    shardings = sharding.head_shardings(mesh, state)
    learning, _ = split(state.params, model.frozen)
    return {
        "parameters": _bytes(state.params, shardings.params),
        "optimizer_state": _bytes(state.opt_state, shardings.opt_state),
        "gradients": _bytes(learning, split(shardings.params, model.frozen)[0]),
        "activations": _activations(config, training, model, mesh),
    }


def network_shapes(config: Config, model: Classifier):
    """Gives the shapes of a network's variables: a tree of `jax.ShapeDtypeStruct`."""
    return _traced_shapes(model, images_shape(config, 1))


@functools.lru_cache(maxsize=16)
def _traced_shapes(model: Classifier, images: jax.ShapeDtypeStruct):
    return jax.eval_shape(functools.partial(model.init, train=False), jax.random.key(0), images)


def images_shape(config: Config, batch_size: int) -> jax.ShapeDtypeStruct:
    """Gives the shape of a batch of images, as networks see them."""
    size = config.data.image_size
    return jax.ShapeDtypeStruct((batch_size, size, size, config.data.channels), jnp.float32)


def kept_bytes(function: Callable, params, *args) -> int:
    """Counts the bytes that a function's backward pass keeps of its forward pass.

    Args:
      function: of (params, *args), differentiated by its first argument.
      params: tree of shapes; what is kept of it counts nothing, for it is there anyway.
      *args: trees of shapes.
    """
    kept = jax.eval_shape(lambda p, *a: jax.vjp(lambda q: function(q, *a), p)[1], params, *args)
    there = Counter((x.shape, x.dtype) for x in jax.tree.leaves(params))
    found = Counter((x.shape, x.dtype) for x in jax.tree.leaves(kept))
    sizes = {leaf: jax.ShapeDtypeStruct(*leaf) for leaf in found}
    return sum((found[leaf] - min(found[leaf], there[leaf])) * _size(sizes[leaf]) for leaf in found)


def _activations(config: Config, training: Training, model: Classifier, mesh) -> int:
    """Looks at the fullest shard as at a network of the classes that lie there."""
    sizes = tuple(model.sizes)
    if model.layout is not None:
        tiles = max(model.layout.tiles, key=len)
        counts = Counter(vertical for vertical, _ in tiles)
        sizes = tuple(count * model.layout.tile for count in counts.values())
    shard = model.clone(sizes=sizes, layout=None, mesh=None)
    variables = dict(network_shapes(config, shard))
    learning, still = split(variables.pop("params"), model.frozen)
    examples = max(1, training.batch_size // training.microbatches // mesh.shape["data"])
    targets = jax.ShapeDtypeStruct((examples, 1), jnp.int32)

    def loss(learning, still, images, ids):
        logits, _ = shard.apply(
            {"params": {**learning, **still}, **_zeros(variables)}, images, train=True,
            mutable=list(variables),
        )
        return jnp.sum(losses.sigmoid_cross_entropy(logits, ids, ids.astype(jnp.float32)))

    return kept_bytes(loss, learning, still, images_shape(config, examples), targets)


def _zeros(tree):
    return jax.tree.map(lambda x: jnp.zeros(x.shape, x.dtype), tree)


def _bytes(tree, shardings) -> int:
    shards = jax.tree.map(
        lambda x, s: jax.ShapeDtypeStruct(s.shard_shape(x.shape), x.dtype), tree, shardings
    )
    return sum(_size(leaf) for leaf in jax.tree.leaves(shards))


def _size(leaf: jax.ShapeDtypeStruct) -> int:
    return leaf.size * leaf.dtype.itemsize
