"""What the commands share: flags, and errors that a person can act on."""

import argparse
import os
import pathlib
import re
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence

from absl import app, flags, logging
from ml_collections import config_flags

from kc_jax import caches, disk_space, preemption
from kc_jax.errors import UserError

_CONFIG = config_flags.DEFINE_config_file(
    "config", None, "Configuration file, with :PRESET where it has several.", lock_config=True
)
_WORKDIR = flags.DEFINE_string("workdir", None, "Where to write; by default under runs/.")


def run(main: Callable) -> None:
    """Runs a command; a user's mistake ends in one line, not in a traceback.

    Args:
      main: function (ConfigDict, workdir or None) that does the work.
    """
    flags.mark_flag_as_required("config")
    preemption.listen()
    try:
        app.run(lambda argv: _start(main, argv), flags_parser=_parse)
    except BaseException as error:
        status = preemption.status_of(error)
        if isinstance(error, KeyboardInterrupt):
            print(preemption.STOPPED, file=sys.stderr)
        if status != preemption.FAILED:  # Which `preemption.end` has told, if it is of a notice.
            sys.exit(status)
        if isinstance(error, UserError):
            sys.exit(f"kc_jax: {error}")
        raise


def run_plainly(main: Callable[[], int]) -> None:
    """Runs a command that takes no configuration; a user's mistake ends in one line.

    Args:
      main: does the work and gives the exit status.
    """
    try:
        caches.keep_compiled()
        with disk_space.watched():
            status: int | str = main()
    except UserError as error:
        status = f"kc_jax: {error}"
    except KeyboardInterrupt:
        status = preemption.INTERRUPTED
    except BrokenPipeError:  # Whoever reads has seen enough, as `head` has.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        status = 0
    sys.exit(status)


def positive_number(text: str) -> int:
    """Reads a whole number above 0, as the type of an `argparse` option."""
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{value} is not above 0")
    return value


def number_within(low: float, high: float, kind: type = int) -> Callable[[str], float]:
    """Gives the type of an `argparse` option that takes the numbers between two, and these."""
    def number(text: str) -> float:
        value = kind(text)
        if not low <= value <= high:
            raise argparse.ArgumentTypeError(f"{text} is not within {low} to {high}")
        return value

    return number


def _start(main: Callable, argv) -> None:
    logging.set_verbosity(logging.WARNING)
    if argv[1:]:
        raise UserError(f"{argv[1]!r} is not understood; options are written --name=value")
    caches.keep_compiled()
    with disk_space.watched():
        main(_CONFIG.value, _WORKDIR.value)


def _parse(argv):
    files = []
    try:
        argv = _normalised(argv)
        files += [
            word.removeprefix("--config=").split(":")[0]
            for word in argv if word.startswith("--config=")
        ]
        sys.path += [str(_package_root(file)) for file in files]
        rest = flags.FLAGS(argv)
        _CONFIG.value.keys()  # A file that could not be loaded says so at first use.
        return rest
    except Exception as error:  # A configuration file is a program, and may raise anything.
        sys.exit(f"kc_jax: {explain(error, next(iter(files), ''))}")


def _normalised(argv: Sequence[str]) -> list[str]:
    """Writes --config=FILE for `-config FILE`, a line of a --flagfile, or what else absl takes."""
    words = iter(flags.FLAGS.read_flags_from_files(argv[1:], force_gnu=False))
    normalised = [argv[0]]
    for word in words:
        name, sign, value = word.partition("=")
        if name in ("-config", "--config"):
            value = value if sign else next(words, None)
            word = name if value is None else f"--config={value}"
        normalised.append(word)
    return normalised


def _package_root(file: str) -> pathlib.Path:
    """Gives the folder that a configuration file's own imports begin from, as of configs/."""
    folder = pathlib.Path(file).resolve().parent
    while (folder / "__init__.py").exists():
        folder = folder.parent
    return folder


def explain(error: Exception, file: str = "") -> str:
    """Gives the one line of a library's message that a person can act on.

    Args:
      error: raised where flags are parsed and the configuration file is run.
      file: path of the configuration file, if one was given.
    """
    text = str(error).replace("\\n", "\n").replace("\\'", "'").strip()
    suggestion = re.search(r'Did you mean "(.+)" instead of "(.+)"', text)
    if suggestion:
        right, wrong = suggestion.groups()
        return f"config option {wrong!r} is unknown; did you mean {right!r}?"
    if file and ("no attribute 'get_config'" in text or "other than None" in text):
        return f"{file} has no function get_config that returns a ConfigDict; give it one"
    cause = next((cause for cause in _chain(error) if _line_in(cause, file)), None)
    if cause and not _is_refusal(cause):
        line, reason = _line_in(cause, file), str(cause).strip().splitlines() or ["no reason given"]
        return f"{file} fails in line {line}: {type(cause).__name__}: {reason[0]}; mend it there"
    if isinstance(error, AttributeError | KeyError):
        return f"config option {text.strip(chr(34))} is unknown"
    if isinstance(error, OSError):
        reason = text.splitlines()[-1].strip()
        return f"the configuration file cannot be read: {reason}; give --config=FILE.py"
    causes = re.findall(r"^\s*\w*Error: (.+)$", text, re.MULTILINE)
    return causes[-1] if causes else (text.splitlines() or [type(error).__name__])[0]


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """Yields an error and those that it was made of: absl and ml_collections wrap some."""
    while error:
        yield error
        error = error.__cause__ or error.__context__


def _is_refusal(error: BaseException) -> bool:
    """Tells whether a file raises the ValueError itself, as for a preset that it does not have."""
    frames = traceback.extract_tb(error.__traceback__)
    return isinstance(error, ValueError) and (frames[-1].line or "").startswith("raise ")


def _line_in(error: BaseException, file: str) -> int | None:
    """Gives the line of a file that an error arose in, or in what it called; else None."""
    if isinstance(error, SyntaxError) and error.filename == file:
        return error.lineno
    frames = traceback.extract_tb(error.__traceback__)
    return next((frame.lineno for frame in reversed(frames) if frame.filename == file), None)
