"""python -m kc_jax.predict --bundle=runs/embedded/bundles/student photo.jpg folder: names images.

Exit status: 0; 1 for a mistake in the command; 2 for an option that does not exist; 3 when all was
done but some files could not be read as images, each named on stderr.
"""

import argparse
import io
import os
import pathlib
import sys
from collections.abc import Iterator, Sequence

from kc_jax import command
from kc_jax.data.images import SUFFIXES, name_of
from kc_jax.errors import UserError, one_line

SOME_WERE_BAD = 3


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Reads the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m kc_jax.predict", description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False,
    )
    number = command.positive_number
    parser.add_argument("images", nargs="+", help="files, folders, or - for file names on stdin")
    parser.add_argument("--bundle", required=True, help="folder that the stage export wrote")
    parser.add_argument("--top", type=number, default=5, help="names of each image (5)")
    parser.add_argument("--verticals", default="", help="take names from these, such as bird,car")
    parser.add_argument("--format", choices=("text", "jsonl", "parquet"), default="text")
    parser.add_argument("--output", help="file to write; otherwise the standard output")
    parser.add_argument("--batch_size", type=number, default=64, help="images at once (64)")
    parser.add_argument("--threads", type=number, default=0, help="that read files (a core each)")
    return parser.parse_args(arguments)


def list_images(names: Sequence[str]) -> Iterator[str]:
    """Lists image files.

    Args:
      names: files, taken whatever they are called; folders, of which all files with the suffix of
        an image are taken, in order; and ``-`` for names on stdin, a line each.

    Raises:
      UserError: a folder holds no images.
    """
    for name in names:
        if name == "-":
            if isinstance(sys.stdin, io.TextIOWrapper):
                sys.stdin.reconfigure(errors="surrogateescape")  # As names of arguments are read.
            yield from (line.rstrip("\n") for line in sys.stdin if line.strip())
        elif os.path.isdir(name):
            yield from _images_in(name)
        else:
            yield name


def _images_in(folder: str) -> Iterator[str]:
    found = sorted(
        path for path in pathlib.Path(folder).rglob("*") if path.suffix.lower() in SUFFIXES
    )
    if not found:
        raise UserError(
            f"there are no images in {folder}; expected files that end in "
            f"{', '.join(sorted(SUFFIXES))}"
        )
    yield from map(str, found)


def main(arguments: Sequence[str] | None = None) -> int:
    """Names images; gives the exit status."""
    options = parse(arguments)
    from kc_jax.bundle import Bundle  # After --help and mistyped options were answered.
    from kc_jax.bundle.stream import answer_files
    from kc_jax.bundle.writers import open_writer

    bundle = Bundle.load(options.bundle)
    answers = answer_files(
        bundle, list_images(options.images), batch_size=options.batch_size, top=options.top,
        verticals=bundle.listed(options.verticals), threads=options.threads,
    )
    num_bad = 0
    try:
        with open_writer(options.format, options.output) as write:
            for answer in answers:
                file = name_of(answer.file)
                if answer.error is None:
                    write(file, answer.names)
                else:
                    num_bad += 1
                    line = one_line(f"kc_jax: {file} is {answer.error}")
                    print(line, file=sys.stderr, flush=True)
    except MemoryError:
        raise UserError(
            f"--batch_size={options.batch_size} images do not fit into memory; lower it"
        ) from None
    if num_bad:
        print(f"kc_jax: {num_bad} files were skipped", file=sys.stderr)
    return SOME_WERE_BAD if num_bad else 0


if __name__ == "__main__":
    command.run_plainly(main)
