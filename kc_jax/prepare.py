"""python -m kc_jax.prepare --config=configs/folder.py --config.data.directory=…: packs images."""

import pathlib

from absl import flags

from kc_jax import command
from kc_jax.errors import UserError

flags.adopt_module_key_flags(command)
_REDO = flags.DEFINE_bool("redo", False, "Pack anew what was packed before.")
_VERIFY = flags.DEFINE_bool("verify", False, "Read all packed images and check their checksums.")


def main(options, workdir: str | None):
    """Packs the images that a configuration names, or tells what was packed.

    Args:
      options: the configuration's ConfigDict.
      workdir: must be None, for packed images belong to no run.
    """
    from kc_jax import caches, config
    from kc_jax.data import packed, preparation
    from kc_jax.data.preparation_report import report

    if workdir:
        raise UserError(
            "--workdir is for runs, and packed images belong to none; name their folder with "
            "--config.data.prepared=…"
        )
    data = config.build(options).data
    if data.source == "packed":
        found = packed.open_packed(data.directory)
    elif data.source in preparation.READERS:
        directory = preparation.prepared_directory(data, caches.default_directory())
        found = preparation.prepare(data, pathlib.Path(directory), redo=_REDO.value)
    else:
        raise UserError(
            f"config.data.source is {data.source!r}, which needs no packing; expected one of "
            f"{', '.join(preparation.READERS)}, or packed to look at what was packed"
        )
    print(report(found))
    if _VERIFY.value:
        damaged = found.damaged()
        if damaged:
            raise packed.PackedDataError(
                f"{found.directory / damaged[0]} is damaged (as are {len(damaged) - 1} others): "
                f"its checksum is not that of {packed.DATASET}; {packed.REMEDY}"
            )
        print("All checksums are as they were written")


if __name__ == "__main__":
    command.run(main)
