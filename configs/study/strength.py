"""Do specialists that trained longer teach better? Three seeds.

python -m kc_jax.study --config=configs/study/strength.py --output=docs/results/strength.md
python -m kc_jax.study --config=configs/study/strength.py:photographs \
  --config.base.data.directory=… --output=docs/results/strength_photographs.md

Specialists train a quarter as long as the generalist, as long, and four times as long; students
see as many images in every setting. ``fc_d`` begins anew and hears all of them, as the paper's;
``sc_half_d_on`` starts from the generalist and learns from labels as much. ``sc_on`` starts there
and learns from labels alone, so that it is the same in every setting and trained once, as is
``sc_on_longer``, which sees as many images as the specialists that train longest.
"""

from configs.study import paper

LENGTHS = {"quarter": 0.25, "usual": 1.0, "fourfold": 4.0}  # Of the specialists' training.


def get_config(data: str = "glyphs"):
    """Gives the study; `paper.DATA` lists the data."""
    config = paper.study(
        "Specialists that trained longer", data, ("fc_d",), _further,
        claims=tuple(
            (f"{words}, specialists: {setting}", f"{setting}/{better}", f"{setting}/{other}")
            for words, better, other in (
                ("specialists beat the student of labels", "specialists", "sc_on"),
                ("soft targets pay anew", "fc_d", "generalist"),
                ("half of them pays from the generalist", "sc_half_d_on", "sc_on"),
            )
            for setting in LENGTHS
        ) + (
            ("longer training makes better specialists", "fourfold/specialists",
             "usual/specialists"),
            ("such specialists teach better, anew", "fourfold/fc_d", "usual/fc_d"),
            ("and from the generalist", "fourfold/sc_half_d_on", "usual/sc_half_d_on"),
            ("a student of labels that trained as long is better", "fourfold/sc_on_longer",
             "fourfold/sc_half_d_on"),
            ("so it is than the specialists", "fourfold/sc_on_longer", "fourfold/specialists"),
        ),
    )
    config.settings = {
        name: {"teachers": paper.times_as_long(data, times)} for name, times in LENGTHS.items()
    }
    return config


def _further(data: str, trunk: int, bottleneck: int):
    """Gives students with own bottlenecks that start from the generalist."""
    head, on = f"FC{trunk}-SC{bottleneck}", paper.FROM_GENERALIST
    longer = paper.times_as_long(data, max(LENGTHS.values()))
    return {
        "sc_on": paper.student(data, head, 0.0, "labels", on),
        "sc_on_longer": paper.student(data, head, 0.0, "labels", {**on, **longer}),
        "sc_half_d_on": paper.student(data, head, 0.5, "half_d", on),
    }
