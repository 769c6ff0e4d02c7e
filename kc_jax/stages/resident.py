"""Training images that lie on the devices, so that a batch need only bring their numbers."""

import functools
from collections.abc import Callable

import jax
from jax.sharding import Mesh

from kc_jax import sharding
from kc_jax.config import Data
from kc_jax.data import batches, sources


@functools.lru_cache(maxsize=1)
def image_adder(data: Data, mesh: Mesh) -> Callable:
    """Reads all training images, and puts them on every device once for all networks.

    Args:
      data: the configuration's part.
      mesh: of the devices; each must have room for all images, u8[records, H, W, channels].

    Returns:
      Function from a batch on the devices, without images, to the same with ``image``
      u8[B, H, W, channels].
    """
    source = sources.open_source(data, "train")
    images = batches.read_images(source, range(len(source)))
    everywhere = jax.device_put(images, sharding.replicated(mesh))
    take = jax.jit(
        lambda images, record_ids: images[record_ids], out_shardings=sharding.batch_sharded(mesh)
    )
    return lambda batch: {**batch, "image": take(everywhere, batch["record_id"])}
