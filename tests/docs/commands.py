"""Finds the commands that README.md, launch/ and docs/ tell a reader to type, and what runs each.

A command of `python -m kc_jax.main` is run by test_commands.py as it stands, but small, unless
`ELSEWHERE` names what else runs it. Every other command needs an entry there.
"""

import dataclasses
import pathlib
import re
import shlex

ROOT = pathlib.Path(__file__).parents[2]
PAGES = [
    ROOT / "README.md", ROOT / "launch" / "README.md", *sorted((ROOT / "docs").rglob("*.md")),
]
RESULTS = ROOT / "docs" / "results"  # Records of long runs; their commands are checked, not run.

PROGRAMS = {
    "python", "python3", "pip", "pytest", "ruff", "tensorboard", "wandb", "curl", "git", ".ci/run",
    "apt-get", "docker", "launch/slurm/submit.sh", "launch/cloud_tpu/run.sh",
}
SHELL = {"sh", "bash", "shell", "console"}

# What a command begins with or has in it (a regular expression): the file of this repository that
# runs it, or, after "not run: ", why nothing does.
ELSEWHERE = {
    r"^pip install -e \.\[dev\]": ".ci/run",
    r"--coordinator=": "tests/stages/test_many_processes.py",
    r"^pip install -e \.\[wandb\]": "not run: [dev] has it, which .ci/run installs",
    r"^pip install -e \.(\[cuda\]| jax\[cuda12\]|\[tpu\])":
        "not run: gigabytes for devices that no test has; test_extras.py looks for their names",
    r"^python -c import jax; print\(jax\.devices\(\)\)": "tests/docs/test_extras.py",
    r"^pip install tensorboard": "not run: another package; test_sinks.py reads its files back",
    r"^pip install -e \.\[benchmarks\]": "not run: PyTorch, a gigabyte that only benchmarks need",
    r"^(python -m )?pytest\b": ".ci/run",
    r"^python -m tests\.faults\.bad_inputs": "tests/faults/test_bad_inputs.py",
    r"^\.ci/run": "not run: it is what CI runs",
    r"^apt-get update": "not run: changes the whole machine",
    r"^apt-get install": "tests/docs/test_glyph100k.py",
    r"glyphs\.prepare\('prepared'": "not run: minutes; test_glyphs.py prepares a small variant",
    r"^python -m benchmarks\.(faults|lost_hosts)": "tests/faults/test_kills.py",
    r"^python -m benchmarks\.": "tests/benchmarks/test_benchmarks.py",
    r"^python -m launch\.local_multiprocess": "tests/launch/test_local_multiprocess.py",
    r"^python -m launch\.cost_sheet": "tests/launch/test_cost_sheet.py",
    r"^launch/slurm/submit\.sh": "tests/launch/test_slurm.py",
    r"^launch/cloud_tpu/run\.sh": "tests/launch/test_cloud_tpu.py",
    r"^docker build": "not run: no Docker, and no cluster to run the image on",
    r"^python -m docs\.configuration": "tests/docs/test_configuration.py",
    r"^python -m kc_jax\.data\.glyph_list": "tests/data/test_glyph_list.py",
    r"^python -m kc_jax\.study": "tests/test_study.py",
    r"^python -m kc_jax\.prepare": "tests/docs/test_your_own_data.py",
    r"^python -m kc_jax\.import_soft_targets": "tests/docs/test_your_own_teachers.py",
    r"^python -m kc_jax\.(predict|serve)": "tests/docs/test_using.py",
    r"--config=configs/folder\.py(?!.*source=declared)": "tests/docs/test_your_own_data.py",
    r"^pip install kc_jax\[": "not run: [dev] has it, which .ci/run installs",
    r"^python3 -m venv onnx": "not run: an environment of its own, of a gigabyte",
    r"configs/self_informed\.py:photographs": "not run: photographs; the same on glyphs is run",
    r"configs/generations\.py:photographs": "not run: photographs; the same on glyphs is run",
    r"configs/tfds\.py": "not run: needs the download; test_shipped_configs.py builds them",
    r"^tensorboard ": "not run: the server of another package",
    r"^wandb sync ": "not run: needs an account and a network",
}

# Pages whose commands, but those above, are run together by a test of their own.
OWN_TESTS = {
    "backbones.md": "tests/stages/test_backbones_page.py",
    "using.md": "tests/docs/test_using.py",
    "your_own_data.md": "tests/docs/test_your_own_data.py",
    "your_own_teachers.md": "tests/docs/test_your_own_teachers.py",
}

# What "…" stands for where only some values will do.
PLACEHOLDERS = {
    "--config": "configs/eft.py:smoke",
    "--config.student.head": "FC4096-SC512",
    "--config.student.name": "another",
}
# A preset that takes minutes or more: the one that takes its place. `describe` needs none.
SMALL = {
    "configs/eft.py": "configs/eft.py:smoke",
    "configs/eft.py:embedded": "configs/eft.py:smoke",
    "configs/eft.py:embedded_full": "configs/eft.py:smoke",
    "configs/eft.py:glyph100k": "configs/eft.py:smoke",
    "configs/generations.py": "configs/generations.py:smoke",
    "configs/self_informed.py": "configs/self_informed.py:smoke",
}
# The same for a network that is timed on noise, whose records are few then.
SMALL_ON_NOISE = {"configs/folder.py": "configs/folder.py:small"}
FEW_RECORDS = "64"


@dataclasses.dataclass(frozen=True)
class Command:
    """Is one command of a page.

    Attributes:
      page: its file.
      words: as the shell gives them to the program; "…" for further options is left out.
    """

    page: pathlib.Path
    words: tuple[str, ...]

    def __str__(self) -> str:
        return shlex.join(self.words).replace("'…'", "…")

    @property
    def module(self) -> str | None:
        """Gives the module of ``python -m MODULE``."""
        is_module = self.words[0].startswith("python") and self.words[1:2] == ("-m",)
        return self.words[2] if is_module else None

    @property
    def options(self) -> list[str]:
        """Gives what follows the module, with values for placeholders."""
        return [_filled(word) for word in self.words[3:]]

    @property
    def run_by(self) -> str | None:
        """Gives what runs it: `ELSEWHERE` or `OWN_TESTS`; None leaves it to test_commands.py."""
        text = " ".join(self.words)
        found = (by for pattern, by in ELSEWHERE.items() if re.search(pattern, text))
        return next(found, OWN_TESTS.get(self.page.name))

    def shrunk(self, workdir: pathlib.Path) -> list[str]:
        """Gives the options of `kc_jax.main` for a run of seconds.

        Args:
          workdir: in place of runs/NAME for configs/eft.py; that of another file, or
            ``--workdir=runs/x``, becomes a folder of its name beside it.
        """
        options = dict(option.split("=", 1) for option in self.options)
        small = {} if options.get("--stages") == "describe" else SMALL
        if options.get("--config.data.synthetic") == "true":
            small = SMALL_ON_NOISE
            options["--config.data.num_records"] = FEW_RECORDS
        options["--config"] = small.get(options["--config"], options["--config"])
        name = pathlib.Path(options["--config"].split(":")[0]).stem
        named = options.get("--workdir") or (name if name != "eft" else workdir)
        options["--workdir"] = str(workdir.parent / pathlib.Path(named).name)
        return [f"{name}={value}" for name, value in options.items()]


def _filled(word: str) -> str:
    name, _, value = word.partition("=")
    return f"{name}={PLACEHOLDERS[name]}" if value == "…" and name in PLACEHOLDERS else word


def commands_of(page: pathlib.Path, text: str | None = None) -> list[Command]:
    """Finds a page's commands: those in blocks first, then those in the text.

    In a block marked as shell every line is one; elsewhere what begins with one of `PROGRAMS`.

    Args:
      page: its file.
      text: its content; read where None.
    """
    text = page.read_text(encoding="utf-8") if text is None else text
    block = r"^ *```(\w*)\n(.*?)^ *```"
    lines = []
    for language, content in re.findall(block, text, re.MULTILINE | re.DOTALL):
        if not language or language in SHELL:
            joined = re.sub(r"\\\n\s*", "", content)
            lines += [(line, language in SHELL) for line in joined.splitlines()]
    prose = re.sub(block, "", text, flags=re.MULTILINE | re.DOTALL)
    lines += [(" ".join(code.split()), False) for code in re.findall(r"`([^`]+)`", prose)]
    found = [Command(page, words) for line in lines for words in _split(*line)]
    return list(dict.fromkeys(found))


def _split(line: str, is_shell: bool) -> list[tuple[str, ...]]:
    first = re.sub(r"^(?:\s*\w+=\S+)*\s*", "", line).split(" ", 1)[0]  # After NAME=value.
    if not first or (first not in PROGRAMS and not is_shell):
        return []
    parts = [shlex.split(part, comments=True) for part in re.split(r"\s(?:&&|\|\|?|;)\s", line)]
    words = [tuple(word for word in part if word != "…") for part in parts]
    words = [part[_assignments(part):] for part in words]
    return [part for part in words if len(part) > 1 or part[:1] == (".ci/run",)]


def _assignments(words: tuple[str, ...]) -> int:
    return next((i for i, word in enumerate(words) if not re.match(r"\w+=", word)), len(words))
