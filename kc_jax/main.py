"""python -m kc_jax.main --config=configs/eft.py: runs the stages that a configuration names."""

import difflib
import pathlib

from absl import flags

from kc_jax import command, hosts
from kc_jax.errors import UserError
from kc_jax.workdir import Workdir

flags.adopt_module_key_flags(command)  # So that --help names them.
_STAGES = flags.DEFINE_list("stages", None, "Stages to run; by default those of the configuration.")
_REDO = flags.DEFINE_list(
    "redo", [], "Stages whose output is removed and made anew; all is every stage that is run."
)
_COORDINATOR = flags.DEFINE_string(
    "coordinator", None, "HOST:PORT of the first of several processes; 'auto', without numbers, "
    "where a cluster's scheduler says who takes part (SLURM, Cloud TPU, GKE, Open MPI)."
)
_NUM_PROCESSES = flags.DEFINE_integer("num_processes", -1, "How many processes take part.")
_PROCESS_ID = flags.DEFINE_integer("process_id", -1, "Which of them this is, from 0.")
_PATIENCE = flags.DEFINE_float(
    "patience", 300.0, "Seconds to wait for other processes to come, and for one that falls "
    "silent; 3 at least."
)


def main(options, workdir: str | None):
    """Runs the stages.

    Args:
      options: the configuration's ConfigDict.
      workdir: where to write; runs/NAME where None.
    """
    from kc_jax import config
    from kc_jax.stages import runner

    if not _COORDINATOR.value and (_NUM_PROCESSES.value, _PROCESS_ID.value) != (-1, -1):
        raise UserError(
            "--num_processes and --process_id are of processes that work together, which find each "
            "other by --coordinator=HOST:PORT of process 0; name it, or leave them out"
        )
    if _COORDINATOR.value:
        hosts.join(
            _COORDINATOR.value, _NUM_PROCESSES.value, _PROCESS_ID.value, _PATIENCE.value
        )
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
