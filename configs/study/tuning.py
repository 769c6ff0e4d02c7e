"""The same small budget of settings for each method, judged on held-out training images.

python -m kc_jax.study --config=configs/study/tuning.py:labels        # FC and SC on labels
python -m kc_jax.study --config=configs/study/tuning.py:soft_targets  # FC+D, SC+D and SC+D+S
python -m kc_jax.study --config=configs/study/tuning.py:photographs \
  --config.base.data.directory=… --workdir=runs/tuning_photographs    # all of them

Six settings a method on glyphs and two on photographs, one seed, 100 to 200 s of one core each; the
test images are never looked at.
The first two share a working directory, and a rate or a batch size of the specialists is chosen
with --config.base.teachers.… and a --workdir of its own.
"""

import ml_collections

from configs.study import paper

RATES = {"glyphs": (0.04, 0.08, 0.16), "photographs": (0.04, 0.08)}
ACCUMULATORS = {"glyphs": (0.03, 0.1), "photographs": (0.03,)}
ALL, HALF = {"distill_weight": 1.0}, {"distill_weight": 0.5}
SCALES = {"glyphs": (7.0, 12.0), "photographs": (4.0,)}  # About log C and more: the prior's logits.


def get_config(methods: str = "labels"):
    """Gives a study of settings.

    Args:
      methods: ``labels`` or ``soft_targets``, both on glyphs, or ``photographs``.
    """
    data = "photographs" if methods == "photographs" else "glyphs"
    base = paper.DATA[data]()
    fc, sc = paper.heads(base)
    labels = _adagrad("fc", data, head=fc) | _adagrad("sc", data, head=sc)
    soft_targets = _adagrad("fc_d", data, head=fc, **ALL) | _adagrad("sc_d", data, head=sc, **ALL)
    grids = {
        "labels": labels,
        "soft_targets": soft_targets | _paced("sc_d_s", data, head=sc, **ALL),
        "photographs": (
            labels | soft_targets | _adagrad("fc_half_d", data, head=fc, **HALF)
            | _adagrad("sc_half_d", data, head=sc, **HALF)
            | _paced("sc_half_d_s", data, head=sc, **HALF)
        ),
    }
    if methods not in grids:
        raise ValueError(f"methods {methods!r} are unknown; expected one of {', '.join(grids)}")
    config = ml_collections.ConfigDict()
    config.title = f"Settings of {methods}, on the validation part"
    config.base = base
    config.base.data.judged_on = "validation"
    config.seeds = (0,)
    config.students = grids[methods]
    return config


def _adagrad(name: str, data: str, **options) -> dict:
    return {
        f"{name}_rate{_digits(rate)}_from{_digits(accumulator)}": {
            **options,
            "optimizer": {"learning_rate": rate, "initial_accumulator": accumulator},
        }
        for rate in RATES[data] for accumulator in ACCUMULATORS[data]
    }


def _paced(name: str, data: str, **options) -> dict:
    return {
        f"{name}_rate{_digits(rate)}_scale{scale:.0f}": {
            **options,
            "optimizer": {"learning_rate": rate, "multipliers": {"pace": 10.0}},
            "self_paced": {"level": "vertical", "scale": scale},
        }
        for rate in RATES[data] for scale in SCALES[data]
    }


def _digits(value: float) -> str:
    """Writes a number of two decimals as part of a name: 0.08 as 008."""
    return f"{value:.2f}".replace(".", "")
