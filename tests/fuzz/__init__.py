"""Inputs that are drawn, not written: nothing but success or a UserError may come of them.

The same examples are drawn every time, few of them; for others, and more:

KC_JAX_FUZZ_EXAMPLES=2000 python -m pytest -n 0 tests/fuzz -m "slow or not slow"
"""

import os

from hypothesis import HealthCheck, settings

EXAMPLES = int(os.environ.get("KC_JAX_FUZZ_EXAMPLES", "0"))


def drawn(examples: int) -> settings:
    """Gives the settings of a test that draws so many examples where nothing else is asked for."""
    return settings(
        max_examples=EXAMPLES or examples, derandomize=not EXAMPLES, deadline=None, database=None,
        suppress_health_check=list(HealthCheck),
    )
