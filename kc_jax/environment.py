"""What a run was made with: versions, devices, command and commit. No result depends on it."""

import contextlib
import functools
import importlib.metadata
import pathlib
import platform
import shlex
import subprocess
import sys
from collections.abc import Sequence

PACKAGES = (
    "kc_jax", "jax", "jaxlib", "flax", "optax", "orbax-checkpoint", "grain", "numpy",
    "scipy", "scikit-learn",
)
_GIT_SECONDS = 10.0


@functools.cache
def describe() -> dict:
    """Describes this process.

    Returns:
      ``versions`` by package, ``device`` such as ``8 × NVIDIA H100``, ``command``, and
      ``git_commit``, None where the code does not lie in a git checkout.
    """
    import jax  # Imported here so that who asks for versions alone need not start it.

    return {
        "versions": versions(PACKAGES),
        "device": f"{jax.device_count()} × {jax.devices()[0].device_kind}",
        "command": shlex.join(sys.argv),
        "git_commit": git_commit(pathlib.Path(__file__).parents[1]),
    }


def versions(packages: Sequence[str]) -> dict[str, str]:
    """Gives the versions of Python and of those packages that are installed."""
    found = {"python": platform.python_version()}
    for name in packages:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            found[name] = importlib.metadata.version(name)
    return found


def git_commit(checkout: pathlib.Path) -> str | None:
    """Gives the commit of a checkout, and says so where files differ from it.

    Args:
      checkout: the folder that holds ``.git``; None is given where it does not.
    """
    if not (checkout / ".git").exists():
        return None

    def git(*arguments: str) -> str:
        return subprocess.run(
            ["git", "-C", str(checkout), *arguments],
            check=True, capture_output=True, text=True, timeout=_GIT_SECONDS,
        ).stdout.strip()

    try:
        changes = git("status", "--porcelain", "--untracked-files=no")
        return git("rev-parse", "HEAD") + (" and changes" if changes else "")
    except (OSError, subprocess.SubprocessError):
        return None  # Git is not there, or does not trust the folder's owner.
