"""python -m kc_jax.main --config=configs/eft.py: runs the stages that a configuration names."""

import difflib
import pathlib

from absl import flags

from kc_jax import command
from kc_jax.errors import UserError
from kc_jax.workdir import Workdir

flags.adopt_module_key_flags(command)  # So that --help names them.
_STAGES = flags.DEFINE_list("stages", None, "Stages to run; by default those of the configuration.")
_REDO = flags.DEFINE_list(
    "redo", [], "Stages whose output is removed and made anew; all is every stage that is run."
)


def main(options, workdir: str | None):
    """Runs the stages.

    Args:
      options: the configuration's ConfigDict.
      workdir: where to write; runs/NAME where None.
    """
    from kc_jax import config
    from kc_jax.stages import runner

    built = config.build(options)
    stages = runner.planned(built, _STAGES.value or built.stages)
    redo = stages if _REDO.value == ["all"] else _REDO.value
    for name in [*stages, *redo]:
        if name not in runner.STAGES:
            close = difflib.get_close_matches(name, runner.STAGES, n=1)
            hint = f"did you mean {close[0]!r}? " if close else ""
            raise UserError(
                f"stage {name!r} is unknown; {hint}Stages: {', '.join(runner.STAGES)}"
            )
    for name in redo:
        if name not in stages:
            raise UserError(
                f"stage {name!r} is in --redo but not in --stages, so nothing would make it anew; "
                "add it there"
            )
    root = pathlib.Path(workdir or f"runs/{built.name}")
    runner.run_stages(built, Workdir(root), stages, redo)


if __name__ == "__main__":
    command.run(main)
