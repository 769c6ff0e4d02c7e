"""Where does distillation pay? Wrong labels, few labels, or specialists that know ancestors.

python -m kc_jax.study --config=configs/study/conditions.py:wrong --workdir=runs/paper_glyphs
python -m kc_jax.study --config=configs/study/conditions.py:few,photographs \
  --config.base.data.directory=… --workdir=runs/paper_photographs

``wrong``: of three in ten training images the label is swapped within its vertical. ``few``: one in
five has a label, of the others the vertical is known, so that soft targets teach them alone; who
learns from labels sees the labelled ones five times as often, so that all see as many images. Its
control ``few_by_generalist`` has the generalist itself, asked about a vertical at a time, in the
specialists' place. ``half``: one in two has a label. ``ancestors``: specialists are taught
ancestors too (label smearing, as the paper has it). Students begin anew, as the paper's, or from
the generalist (…_on), as the presets'. Without any of it they are those of recipe.py and starts.py.
About three minutes of one core a network.
"""

import ml_collections

from configs.study import paper

CONDITIONS = {
    "wrong": {"data": {"label_noise": 0.3}},
    "half": {"data": {"labelled_share": 0.5}},
    "few": {"data": {"labelled_share": 0.2}},
    "ancestors": {"teachers": {"label_smearing": True}},
}
METHODS = ("sc", "sc_half_d", "sc_d")  # Of paper.students_of.
STARTS = {"begun anew": "", "from the generalist": "_on"}


def get_config(preset: str = "wrong"):
    """Gives the study of a condition.

    Args:
      preset: a key of `CONDITIONS`, and after a comma one of `paper.DATA`; glyphs without one.
    """
    condition, _, data = preset.partition(",")
    if condition not in CONDITIONS:
        raise ValueError(
            f"condition {condition!r} is unknown; expected one of {', '.join(CONDITIONS)}"
        )
    changes = CONDITIONS[condition]
    longer = 1 / changes.get("data", {}).get("labelled_share", 1.0)

    config = paper.study(
        f"Where distillation pays: {condition}", data or "glyphs", (),
        lambda data, trunk, bottleneck: _students(data, longer), claims=_pays(condition),
    )
    config.settings = {condition: changes}
    for network in (config.base.generalist, config.base.teachers):
        network.num_epochs *= longer
    if condition == "few":
        control = f"{condition}_by_generalist"
        config.settings[control] = {**changes, "teachers": _generalist_alone(config.base)}
        config.claims += tuple(
            (f"specialists teach better than the generalist, {words}, {start}",
             f"{condition}/{name}{ending}", f"{control}/{name}{ending}")
            for start, ending in STARTS.items()
            for words, name in (("half D", "sc_half_d"), ("all D", "sc_d"))
        )
    return config


def _students(data: str, longer: float) -> dict[str, dict]:
    """Gives students by name; those of labels alone see their images ``longer`` times as often."""
    base = paper.DATA[data]()
    epochs, starts = base.generalist.num_epochs, {"": {}, "_on": paper.FROM_GENERALIST}
    return {
        f"{name}{ending}": {
            **student, **starts[ending],
            "num_epochs": epochs if student["distill_weight"] else epochs * longer,
        }
        for ending in STARTS.values()
        for name, student in paper.students_of(METHODS, base, data).items()
    }


def _pays(setting: str) -> tuple[tuple[str, str, str], ...]:
    return tuple(
        (f"{words}, {start}", f"{setting}/{better}{ending}", f"{setting}/sc{ending}")
        for start, ending in STARTS.items()
        for words, better in (("half D pays", "sc_half_d"), ("all D pays", "sc_d"))
    )


def _generalist_alone(base: ml_collections.ConfigDict) -> dict:
    """Gives options of specialists that are the generalist, but for a step of no length."""
    return {
        "head": base.generalist.head, "num_epochs": 1e-6,
        "init_parts": ("backbone", "trunk", "bottleneck", "logits"),
        "optimizer": {"learning_rate": 1e-12},
    }
