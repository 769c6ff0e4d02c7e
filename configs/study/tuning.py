"""The same small budget of settings for each method, judged on held-out training masks.

python -m kc_jax.study --config=configs/study/tuning.py:labels        # FC and SC on labels
python -m kc_jax.study --config=configs/study/tuning.py:soft_targets  # FC+D, SC+D and SC+D+S

Six settings a method, one seed, about 100 s of one core each; the test masks are never looked at.
Both share a working directory, and a rate or a batch size of the specialists is chosen with
--config.base.teachers.… and a --workdir of its own.
"""

import ml_collections

from configs.study import parts

RATES = (0.04, 0.08, 0.16)
ACCUMULATORS = (0.03, 0.1)
SCALES = (7.0, 12.0)


def get_config(methods: str = "labels"):
    """Gives a study of settings.

    Args:
      methods: ``labels`` or ``soft_targets``.
    """
    students = parts.get_config().students
    fc, sc = students.fc_d.head, students.sc.head
    grids = {
        "labels": _adagrad("fc", head=fc) | _adagrad("sc", head=sc),
        "soft_targets": (
            _adagrad("fc_d", head=fc, distill_weight=1.0)
            | _adagrad("sc_d", head=sc, distill_weight=1.0)
            | _paced("sc_d_s", head=sc, distill_weight=1.0)
        ),
    }
    if methods not in grids:
        raise ValueError(f"methods {methods!r} are unknown; expected one of {', '.join(grids)}")
    config = ml_collections.ConfigDict()
    config.title = f"Settings of {methods}, on the validation part"
    config.base = parts.get_config().base
    config.base.data.judged_on = "validation"
    config.seeds = (0,)
    config.students = grids[methods]
    return config


def _adagrad(name: str, **options) -> dict:
    return {
        f"{name}_rate{_digits(rate)}_from{_digits(accumulator)}": {
            **options,
            "optimizer": {"learning_rate": rate, "initial_accumulator": accumulator},
        }
        for rate in RATES for accumulator in ACCUMULATORS
    }


def _paced(name: str, **options) -> dict:
    return {
        f"{name}_rate{_digits(rate)}_scale{scale:.0f}": {
            **options,
            "optimizer": {"learning_rate": rate, "multipliers": {"pace": 10.0}},
            "self_paced": {"level": "vertical", "scale": scale},
        }
        for rate in RATES for scale in SCALES
    }


def _digits(value: float) -> str:
    """Writes a number of two decimals as part of a name: 0.08 as 008."""
    return f"{value:.2f}".replace(".", "")
