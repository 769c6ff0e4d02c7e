"""python -m kc_jax.import_soft_targets --config=… --predictions=…: soft targets made elsewhere.

It is `kc_jax.main` with the stage import_soft_targets, whose options it abbreviates.
"""

from absl import flags

from kc_jax import command
from kc_jax import main as main_job
from kc_jax.config import SoftTargets
from kc_jax.options import words_of

flags.adopt_module_key_flags(command)
_FLAGS = {
    "predictions": flags.DEFINE_string("predictions", None, "Parquet or JSONL file, or folder."),
    "prediction_kind": flags.DEFINE_enum(
        "kind", None, words_of(SoftTargets, "prediction_kind"), "What the predictions hold."
    ),
    "missing": flags.DEFINE_enum(
        "missing", None, words_of(SoftTargets, "missing"),
        "What to do with images without predictions.",
    ),
}


def main(options, workdir: str | None):
    """Imports predictions.

    Args:
      options: the configuration's ConfigDict; flags that were given take the place of its own.
      workdir: where to write; runs/NAME where None.
    """
    given = {name: flag.value for name, flag in _FLAGS.items() if flag.value is not None}
    options.soft_targets.update(given)
    options.stages = ("import_soft_targets",)
    main_job.main(options, workdir)


if __name__ == "__main__":
    command.run(main)
