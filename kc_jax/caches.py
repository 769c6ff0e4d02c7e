"""What is kept in the user's home between runs."""

import pathlib


def default_directory() -> pathlib.Path:
    """Gives the folder for prepared data and compiled programs."""
    return pathlib.Path.home() / ".cache" / "kc_jax"


def keep_compiled() -> None:
    """Keeps what XLA compiles, unless JAX was told of another folder for it."""
    import jax  # Imported here so that who asks for the folder alone need not start it.

    if jax.config.jax_compilation_cache_dir is None:
        jax.config.update("jax_compilation_cache_dir", str(default_directory() / "xla"))
