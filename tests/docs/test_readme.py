"""The README's example of a backbone."""

import re

import jax
import jax.numpy as jnp

from kc_jax.models import backbones
from tests.docs.commands import ROOT

README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_backbone_gives_features(monkeypatch):
    [example] = re.findall(r"^```python\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
    monkeypatch.setitem(backbones.BACKBONES, "patches", None)  # Taken out again after the test.
    exec(example, {"__name__": "example"})
    network = backbones.make_backbone("patches", dtype=jnp.bfloat16)
    images = jnp.zeros((2, 32, 32, 3))
    features, variables = network.init_with_output(jax.random.key(0), images, train=True)
    assert (features.shape, features.dtype) == ((2, 64), jnp.float32)
    assert variables["params"]["Conv_0"]["kernel"].dtype == jnp.float32
