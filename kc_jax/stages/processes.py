"""Several processes on one machine, each with its share of the cores."""

import concurrent.futures
import io
import multiprocessing
import multiprocessing.connection
import os
import signal
import sys
import threading
from collections.abc import Callable, Sequence

import jax

from kc_jax import preemption


def run_each(function: Callable, arguments: Sequence[tuple], num_processes: int) -> None:
    """Calls a function for each of several arguments, in several processes at once.

    Each process computes on its share of the cores: small networks gain more from that than from
    all cores one after the other. A process ends with the one that began it, and is given notice
    when that is asked to end.

    Args:
      function: of a module, not a closure; what it returns is dropped.
      arguments: of each call, in the order in which they are begun.
      num_processes: at once; 1 calls here.

    Raises:
      Whatever the function raises; calls not begun by then are not made.
    """
    if num_processes == 1:
        for each in arguments:
            function(*each)
        return
    context = multiprocessing.get_context("spawn")
    shares, notice = context.SimpleQueue(), context.Event()
    for share in split_cores(num_processes):
        shares.put(share)
    with concurrent.futures.ProcessPoolExecutor(
        num_processes, context, _begin, (shares, notice, jax.config.jax_compilation_cache_dir)
    ) as pool:
        try:
            calls = [pool.submit(function, *each) for each in arguments]
            for call in concurrent.futures.as_completed(calls):
                call.result()
        except BaseException:
            if preemption.came():
                notice.set()
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def num_cores() -> int:
    """Counts the cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()


def split_cores(num_processes: int) -> list[list[int]]:
    """Deals this process's cores out to others, one at least to each."""
    if not hasattr(os, "sched_getaffinity"):
        return [[] for _ in range(num_processes)]
    cores = sorted(os.sched_getaffinity(0))
    return [cores[i::num_processes] or [cores[i % len(cores)]] for i in range(num_processes)]


def _begin(shares, notice, compilation_cache: str | None) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # Who began it passes it on.
    share = shares.get()
    if share:  # Before JAX begins: it makes a thread for each core that it may use.
        os.sched_setaffinity(0, share)
    jax.config.update("jax_compilation_cache_dir", compilation_cache)
    sys.stderr = _PlainStream(sys.stderr.buffer, line_buffering=True)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    threading.Thread(target=_heed, args=(notice,), daemon=True).start()


def _end_with_parent() -> None:
    multiprocessing.connection.wait([multiprocessing.parent_process().sentinel])
    os._exit(1)


def _heed(notice) -> None:
    notice.wait()
    preemption.note()


class _PlainStream(io.TextIOWrapper):
    """Says that it is no terminal, for the bars of several processes would overwrite each other."""

    def isatty(self) -> bool:
        return False
