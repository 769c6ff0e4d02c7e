import os
import time

import jax
import jax.numpy as jnp
import pytest

from kc_jax import caches


@pytest.fixture
def compiled(tmp_path):
    """Gives a folder with programs that JAX compiled and kept."""
    from jax._src import compilation_cache

    before = jax.config.jax_compilation_cache_dir
    seconds = jax.config.jax_persistent_cache_min_compile_time_secs
    compilation_cache.reset_cache()
    jax.config.update("jax_compilation_cache_dir", str(tmp_path))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
    for function in (jnp.sin, jnp.cos):
        jax.jit(lambda x, function=function: function(x) @ x.T)(jnp.ones((3, 3), jnp.float32))
    yield tmp_path
    jax.config.update("jax_compilation_cache_dir", before)
    jax.config.update("jax_persistent_cache_min_compile_time_secs", seconds)
    compilation_cache.reset_cache()


def test_programs_that_were_cut_off_are_removed_and_whole_ones_stay(compiled):
    *whole, torn = sorted(compiled.glob("*-cache"))
    os.truncate(torn, torn.stat().st_size // 2)
    caches.remove_torn(compiled)
    assert sorted(compiled.glob("*-cache")) == whole and whole


def test_programs_are_looked_at_once(compiled, monkeypatch):
    looked_at = []
    monkeypatch.setattr(caches, "_is_whole", lambda path: looked_at.append(path) or True)
    time.sleep(0.01)
    caches.remove_torn(compiled)
    found = len(looked_at)
    caches.remove_torn(compiled)
    assert found == len(looked_at) == len(list(compiled.glob("*-cache")))


def test_no_folder_is_no_harm(tmp_path):
    caches.remove_torn(tmp_path / "nowhere")
    assert not list(tmp_path.iterdir())
