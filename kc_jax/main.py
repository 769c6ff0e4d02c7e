"""python -m kc_jax.main --config=configs/eft.py: runs the stages that a configuration names."""

import difflib
import pathlib
import sys

from absl import app, flags, logging
from ml_collections import config_flags

_CONFIG = config_flags.DEFINE_config_file(
    "config", None, "Configuration file, with :PRESET where it has several.", lock_config=True
)
_WORKDIR = flags.DEFINE_string("workdir", None, "Where to write; by default runs/NAME.")
_STAGES = flags.DEFINE_list("stages", None, "Stages to run; by default those of the configuration.")
_REDO = flags.DEFINE_list("redo", [], "Stages whose output is removed and made anew.")


def main(argv):
    # Imported here so that --help and a mistyped flag answer at once.
    import jax

    from kc_jax import artifacts, config
    from kc_jax.data import sources
    from kc_jax.stages import runner

    logging.set_verbosity(logging.WARNING)
    if argv[1:]:
        raise app.UsageError(f"{argv[1]!r} is not understood; options are written --name=value")
    built = config.build(_CONFIG.value)
    stages = _STAGES.value or built.stages
    for name in [*stages, *_REDO.value]:
        if name not in runner.STAGES:
            close = difflib.get_close_matches(name, runner.STAGES, n=1)
            hint = f"did you mean {close[0]!r}? " if close else ""
            raise app.UsageError(
                f"stage {name!r} is unknown; {hint}Stages: {', '.join(runner.STAGES)}"
            )
    if jax.config.jax_compilation_cache_dir is None:
        jax.config.update("jax_compilation_cache_dir", str(sources.default_directory() / "xla"))
    workdir = artifacts.Workdir(pathlib.Path(_WORKDIR.value or f"runs/{built.name}"))
    runner.run_stages(built, workdir, stages, _REDO.value)


def run():
    """Runs the command; a user's mistake ends in one line, not in a traceback."""
    flags.mark_flag_as_required("config")
    try:
        app.run(main)
    except (ValueError, RuntimeError) as error:
        print(f"kc_jax: {error}", file=sys.stderr)
        sys.exit(1)


if __name__ == "__main__":
    run()
