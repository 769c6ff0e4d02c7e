"""What the studies of Gao et al.'s (2017) tables share: data, networks and methods.

table1.py … table6.py and figure5.py take the data as their preset. Those of the same data share a
working directory, and so the networks that they have in common:

python -m kc_jax.study --config=configs/study/table4.py               # embedded glyphs
python -m kc_jax.study --config=configs/study/table4.py:glyphs_full
python -m kc_jax.study --config=configs/study/table4.py:photographs --config.base.data.directory=…

+D is distillation from the specialists, half of it where a student learns from labels as much, +S
self-paced learning. Every student begins anew and sees as many images as the generalist. Settings
are the best of those that configs/study/tuning.py tries on held-out training images; those of all
glyphs are those of the embedded ones.
"""

from collections.abc import Callable, Sequence

import ml_collections

from configs import common, eft, folder


def photographs() -> ml_collections.ConfigDict:
    """Gives a folder of photographs at 32 pixels, whose student is yet to get its parts."""
    config = folder.get_config("small")
    config.data.image_size = 32
    config.student = common.training("FC256-SC32", num_epochs=20.0, learning_rate=0.04)
    config.student.name = "student"
    return config


DATA = {
    "glyphs": lambda: eft.get_config("embedded"),
    "glyphs_full": lambda: eft.get_config("embedded_full"),
    "photographs": photographs,
}
_GLYPHS = {"labels": 0.08, "fc_d": 0.08, "d": 0.08, "half_d": 0.08, "s": 0.08}
TUNED = {  # Rates of students by what they learn from, all D, half of it, with S.
    "glyphs": _GLYPHS,
    "glyphs_full": _GLYPHS,
    "photographs": {"labels": 0.04, "fc_d": 0.04, "d": 0.04, "half_d": 0.04, "s": 0.08},
}
# Units of one bottleneck that cost what SC32 does.
EQUAL = {"glyphs": 154, "glyphs_full": 97, "photographs": 141}
FROM_GENERALIST = {"init_from": "generalist", "init_parts": ("backbone", "trunk")}
ACCUMULATOR = 0.03  # Where Adagrad's sums start.


def study(
    title: str, data: str, names: Sequence[str],
    further: Callable = lambda data, trunk, bottleneck: {}, **parts,
) -> ml_collections.ConfigDict:
    """Gives a study.

    Args:
      title: of the table.
      data: a key of `DATA`.
      names: of methods; see `students_of`.
      further: function (data, widths of trunk and bottleneck) → other students by name.
      **parts: of the study: ``claims``, and what else it has.
    """
    if data not in DATA:
        raise ValueError(f"data {data!r} are unknown; expected one of {', '.join(DATA)}")
    config = ml_collections.ConfigDict()
    config.name = f"paper_{data}"
    config.title = f"{title}, {data}"
    config.base = DATA[data]()
    config.seeds = (0, 1, 2)
    config.students = {
        **students_of(names, config.base, data), **further(data, *widths(config.base)),
    }
    config.update(parts)
    return config


def measured_by(claims: Sequence[Sequence[str]], *metrics: str) -> tuple[tuple[str, ...], ...]:
    """Puts claims (words, better, other) to the test in each of the metrics."""
    return tuple((*claim, metric) for metric in metrics for claim in claims)


def heads(base) -> tuple[str, str]:
    """Gives heads of the generalist's widths: with a shared bottleneck, and with one a vertical."""
    trunk, bottleneck = widths(base)
    return f"FC{trunk}-FC{bottleneck}", f"FC{trunk}-SC{bottleneck}"


def wide_head(data: str, trunk: int) -> str:
    """Gives a head with one shared bottleneck of as many parameters as the verticals' own."""
    return f"FC{trunk}-FC{EQUAL[data]}"


def widths(base) -> tuple[int, int]:
    """Gives the widths of the generalist's trunk and bottleneck, as FC256-FC8 has them."""
    trunk, bottleneck = base.generalist.head.split("-")
    return int(trunk[2:]), int(bottleneck[2:])


def at_rate(rate: float, options: dict) -> dict:
    """Gives a student's options with a learning rate; paces γ learn ten times as fast."""
    optimizer = {"learning_rate": rate, "initial_accumulator": ACCUMULATOR}
    if "self_paced" in options:
        optimizer["multipliers"] = {"pace": 10.0}
    return {**options, "optimizer": optimizer}


def paced(level: str) -> dict:
    """Gives the options of factors γ a ``level``, vertical or class, from the initial logits."""
    return {"self_paced": {"level": level, "initial": "prior"}}


def students_of(names: Sequence[str], base, data: str = "glyphs") -> dict[str, dict]:
    """Gives methods by name, with heads as wide as the generalist's.

    SC-SC gives each vertical a trunk of its own, an eighth as wide as the shared one, as the paper.
    """
    trunk, bottleneck = widths(base)
    fc, sc = heads(base)
    sc_sc = f"SC{trunk // 8}-SC{bottleneck}"
    methods = {
        "fc": (fc, 0.0, "labels", {}),
        "fc_d": (fc, 1.0, "fc_d", {}),
        "sc": (sc, 0.0, "labels", {}),
        "sc_d": (sc, 1.0, "d", {}),
        "sc_half_d": (sc, 0.5, "half_d", {}),
        "sc_sc": (sc_sc, 0.0, "labels", {}),
        "sc_sc_d": (sc_sc, 1.0, "d", {}),
        "sc_d_s": (sc, 1.0, "s", paced("vertical")),
        "sc_d_s_class": (sc, 1.0, "s", paced("class")),
        "sc_half_d_s": (sc, 0.5, "s", paced("vertical")),
    }
    return {name: student(data, *methods[name]) for name in names}


def longer(data: str, trunk: int, bottleneck: int) -> dict[str, dict]:
    """Gives the generalist that sees twice as many images, as the specialists have."""
    head = f"FC{trunk}-FC{bottleneck}"
    return {"longer": student(data, head, 0.0, "labels", times_as_long(data, 2))}


def times_as_long(data: str, times: float) -> dict:
    """Gives the option of a training that lasts so many times as long as the generalist's."""
    return {"num_epochs": times * DATA[data]().generalist.num_epochs}


def student(data: str, head: str, weight: float, tuned: str, options: dict) -> dict:
    """Gives a student's options.

    Args:
      data: a key of `DATA`.
      head: as the glossary writes it.
      weight: of the soft targets, 0 to 1.
      tuned: key of `TUNED`'s rates.
      options: more.
    """
    return at_rate(TUNED[data][tuned], {
        "head": head, "distill_weight": weight, "init_from": "scratch", **options,
    })
