"""What is kept in the user's home between runs."""

import contextlib
import pathlib

CHECKED = "checked"  # Younger than every compiled program that is known to be whole.


def default_directory() -> pathlib.Path:
    """Gives the folder for prepared data and compiled programs."""
    return pathlib.Path.home() / ".cache" / "kc_jax"


def keep_compiled() -> None:
    """Keeps what XLA compiles, unless JAX was told of another folder for it."""
    import jax  # Imported here so that who asks for the folder alone need not start it.

    if jax.config.jax_compilation_cache_dir is None:
        jax.config.update("jax_compilation_cache_dir", str(default_directory() / "xla"))
    with contextlib.suppress(OSError):  # A folder that others own is as they left it.
        remove_torn(pathlib.Path(jax.config.jax_compilation_cache_dir))


def remove_torn(folder: pathlib.Path) -> None:
    """Removes compiled programs that a kill or a full disk cut off.

    JAX writes them in place and never again, so every later run would stumble over them, warn and
    compile anew. Those that were whole at an earlier call are not read.

    Args:
      folder: of compiled programs; there may be none.
    """
    if not folder.is_dir():
        return
    stamp = folder / CHECKED
    since = stamp.stat().st_mtime_ns if stamp.exists() else 0
    young = [p for p in folder.glob("*-cache") if p.stat().st_mtime_ns >= since]
    stamp.touch()
    for path in young:
        if not _is_whole(path):
            path.unlink(missing_ok=True)


def _is_whole(path: pathlib.Path) -> bool:
    from jax._src import compilation_cache

    try:
        compilation_cache.decompress_executable(path.read_bytes())
        return True
    except Exception:  # Of whichever library compresses them.
        return False
