"""A trained network as a folder of files, used without the code that made it."""

from kc_jax.bundle.loaded import Bundle

__all__ = ["Bundle"]
