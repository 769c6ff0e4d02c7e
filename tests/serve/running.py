"""A server in a process of its own."""

import contextlib
import re
import subprocess
import sys


@contextlib.contextmanager
def server(directory, *options):
    """Starts a server on a free port; gives its process and port, and ends it."""
    process = subprocess.Popen(
        [sys.executable, "-m", "kc_jax.serve", f"--bundle={directory}", "--port=0", *options],
        stderr=subprocess.PIPE, text=True,
    )
    try:
        lines = []
        for line in process.stderr:
            lines.append(line)
            if found := re.search(r"running on http://[\d.]+:(\d+)", line):
                yield process, int(found[1])
                break
        else:
            raise AssertionError("".join(lines))
    finally:
        process.kill()
        process.wait()
        process.stderr.close()
