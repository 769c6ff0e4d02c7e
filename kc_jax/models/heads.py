"""The top layers: trunk, bottleneck, logits and pace, connected fully or by vertical."""

from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn

from kc_jax.core import self_paced
from kc_jax.core.head_spec import HeadSpec
from kc_jax.core.products import dot_general, kernel_last

_HE_NORMAL = nn.initializers.variance_scaling(2.0, "fan_in", "normal")


def transposed(init: Callable) -> Callable:
    """Makes an initialiser of kernels [..., out, in] of one of kernels [..., in, out]."""
    def transposed_init(key, shape, dtype):
        return jnp.swapaxes(init(key, (*shape[:-2], shape[-1], shape[-2]), dtype), -1, -2)

    return transposed_init


_HE_NORMAL_STRUCTURED = transposed(nn.initializers.variance_scaling(
    2.0, "fan_in", "normal", in_axis=-2, out_axis=-1, batch_axis=(0,)
))


class StructuredDense(nn.Module):
    """Applies to every vertical a dense layer of its own.

    Attributes:
      num_verticals: V.
      features: output units of each vertical.
      dtype: type of the computation; parameters are f32.
    """

    num_verticals: int
    features: int
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, inputs: jax.Array) -> jax.Array:
        """Maps f32[B, D], shared, or f32[B, V, D], a vertical's own, to f32[B, V, features]."""
        shape = (self.num_verticals, self.features, inputs.shape[-1])
        kernel = self.param("kernel", _HE_NORMAL_STRUCTURED, shape, jnp.float32)
        bias = self.param("bias", nn.initializers.zeros, shape[:2], jnp.float32)
        inputs, kernel = kernel_last(inputs.astype(self.dtype), kernel.astype(self.dtype))
        if inputs.ndim == 2:
            # Kernels [out, in] are together one matrix, of which no product transposes a part.
            whole = jnp.einsum("bd,ud->bu", inputs, kernel.reshape(-1, shape[-1]))
            outputs = whole.reshape(-1, *shape[:2])
        else:
            outputs = jnp.einsum("bvd,vfd->bvf", inputs, kernel)
        return outputs + bias.astype(self.dtype)[None]


def shared_dense(features: int, dtype: jnp.dtype) -> nn.Dense:
    """Makes the dense layer, named ``shared``, that the verticals have in common."""
    return nn.Dense(
        features, dtype=dtype, kernel_init=_HE_NORMAL, dot_general=dot_general,
        name="shared",
    )


class Trunk(nn.Module):
    """Is the first top layer, ReLU: shared by the verticals or each vertical's own, if any."""

    spec: HeadSpec
    num_verticals: int
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, features: jax.Array) -> jax.Array:
        """Maps f32[B, D] to f32[B, s1], or to f32[B, V, s1] where the trunk is structured."""
        width = self.spec.trunk_width
        if not width:
            return features
        if self.spec.trunk_structured:
            layer = StructuredDense(self.num_verticals, width, self.dtype, name="individual")
        else:
            layer = shared_dense(width, self.dtype)
        return nn.relu(layer(features))


class Bottleneck(nn.Module):
    """Is the second top layer, ReLU: shared, each vertical's own, or a generic part of both.

    A linear head has none.
    """

    spec: HeadSpec
    num_verticals: int
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, trunk: jax.Array) -> jax.Array:
        """Maps the trunk's output to f32[B, s2], or to f32[B, V, s2] where it is structured."""
        spec = self.spec
        if not spec.bottleneck_width:
            return trunk
        shared_width = spec.generic_width if spec.bottleneck_structured else spec.bottleneck_width
        individual_width = spec.bottleneck_width - shared_width
        parts = []
        if shared_width:
            shared = nn.relu(shared_dense(shared_width, self.dtype)(trunk))
            if not spec.bottleneck_structured:
                return shared
            spread = (shared.shape[0], self.num_verticals, shared_width)
            parts.append(jnp.broadcast_to(shared[:, None], spread))
        if individual_width:
            layer = StructuredDense(
                self.num_verticals, individual_width, self.dtype, name="individual"
            )
            parts.append(nn.relu(layer(trunk)))
        return jnp.concatenate(parts, axis=-1)


class LogitDense(nn.Module):
    """Is a dense layer whose kernel is [out, in] and whose products, of any type, add up in f32."""

    features: int
    kernel_init: Callable
    bias_init: Callable
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, inputs: jax.Array) -> jax.Array:
        """Maps f32[B, D] to f32[B, features]."""
        shape = (self.features, inputs.shape[-1])
        kernel = self.param("kernel", transposed(self.kernel_init), shape, jnp.float32)
        bias = self.param("bias", self.bias_init, shape[:1], jnp.float32)
        inputs, kernel = kernel_last(inputs.astype(self.dtype), kernel.astype(self.dtype))
        product = jnp.einsum("bd,cd->bc", inputs, kernel, preferred_element_type=jnp.float32)
        return product + bias[None]


def kernel_init_of(stddev: float) -> Callable:
    """Makes the initialiser of logit kernels [in, out]; see `Logits`."""
    if not stddev:
        return nn.initializers.zeros
    return nn.initializers.variance_scaling(stddev**2, "fan_in", "normal")


class Logits(nn.Module):
    """Gives every vertical its logits, with a kernel of its own.

    Attributes:
      sizes: class count of each vertical.
      kernel_stddev: standard deviation of the kernels' start times 1/√s2; 0 starts at the bias.
      prior: probability of a class at the start, which sets the bias to its log-odds.
      dtype: type of the matrix product; logits are f32.
    """

    sizes: Sequence[int]
    kernel_stddev: float
    prior: float
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, bottleneck: jax.Array) -> list[jax.Array]:
        """Maps f32[B, s2] or f32[B, V, s2] to the list of f32[B, C_v]."""
        prior_log_odds = float(np.log(self.prior / (1.0 - self.prior)))
        kernel_init = kernel_init_of(self.kernel_stddev)
        bias_init = nn.initializers.constant(prior_log_odds)
        outputs = []
        for vertical, size in enumerate(self.sizes):
            inputs = bottleneck if bottleneck.ndim == 2 else bottleneck[:, vertical]
            name = f"vertical_{vertical}"
            outputs.append(LogitDense(size, kernel_init, bias_init, self.dtype, name=name)(inputs))
        return outputs


class Pace(nn.Module):
    """Holds the scaling factors of self-paced learning and applies them.

    Attributes:
      sizes: class count of each vertical.
      level: ``vertical`` or ``class``.
      initial: ``sqrt_size``, ``prior`` or ``constant``; see `self_paced.initial_pace`.
      scale: multiplies the initial mean.
      deviation: standard deviation of the initial values.
      seed: of that deviation.
    """

    sizes: Sequence[int]
    level: str
    initial: str
    scale: float
    deviation: float
    seed: int = 0

    @nn.compact
    def __call__(self, logits: Sequence[jax.Array]) -> list[jax.Array]:
        """Paces the list of f32[B, C_v]."""
        initial = self_paced.initial_pace(
            self.sizes,
            level=self.level,
            initial=self.initial,
            scale=self.scale,
            deviation=self.deviation,
            rng=np.random.default_rng(self.seed),
        )
        pace = self.param("gamma", lambda _: jnp.asarray(initial))
        if self.level == "vertical":
            factors = [pace[v] for v in range(len(self.sizes))]
        else:
            factors = jnp.split(pace, np.cumsum(self.sizes)[:-1])
        return [self_paced.pace_logits(x, g) for x, g in zip(logits, factors, strict=True)]
