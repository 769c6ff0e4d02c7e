"""Auxiliary heads: stacks beside the top layers, each for one cluster of classes."""

import jax
import jax.numpy as jnp
from flax import linen as nn

from kc_jax.core.auxiliary import AuxiliarySpec
from kc_jax.core.products import kernel_last
from kc_jax.models.heads import StructuredDense, kernel_init_of, transposed


class AuxiliaryStack(nn.Module):
    """Is the hidden layers, ReLU, of all clusters (Warde-Farley et al. 2015, section 2)."""

    spec: AuxiliarySpec
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, inputs: jax.Array) -> jax.Array:
        """Maps f32[B, D] to f32[B, clusters, widths[-1]]."""
        for number, width in enumerate(self.spec.widths):
            layer = StructuredDense(
                len(self.spec.sizes), width, self.dtype, name=f"layer_{number}"
            )
            inputs = nn.relu(layer(inputs))
        return inputs


class AuxiliaryLogits(nn.Module):
    """Adds to the logits of each cluster's classes what its stack says of them.

    Attributes:
      spec: of the clusters.
      kernel_stddev: see `heads.Logits`.
      dtype: type of the matrix product; logits are f32.
    """

    spec: AuxiliarySpec
    kernel_stddev: float
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, hidden: jax.Array) -> jax.Array:
        """Maps f32[B, clusters, W] to f32[B, C], in the order of class ids."""
        init = transposed(kernel_init_of(self.kernel_stddev))
        outputs = []
        for cluster, size in enumerate(self.spec.sizes):
            shape = (size, hidden.shape[-1])
            kernel = self.param(f"cluster_{cluster}", init, shape, jnp.float32)
            inputs, kernel = kernel_last(
                hidden[:, cluster].astype(self.dtype), kernel.astype(self.dtype)
            )
            outputs.append(
                jnp.einsum("bd,cd->bc", inputs, kernel, preferred_element_type=jnp.float32)
            )
        return jnp.take(jnp.concatenate(outputs, axis=-1), self.spec.place_of_class, axis=-1)
