"""Runs the main job, and asks it to end after the step that STOP_AT names, as SIGTERM does."""

import os

from kc_jax import command, main, preemption
from kc_jax.train import hooks


def stopping(show, log):
    """Takes the place of the hook that shows progress."""
    stop_at = int(os.environ["STOP_AT"])
    return lambda step, state, metrics: preemption.note() if step == stop_at else None


if __name__ == "__main__":
    hooks.progress_hook = stopping
    command.run(main.main)
