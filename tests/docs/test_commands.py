"""Every command in README.md and docs/ is run: here, or by what `commands.ELSEWHERE` names."""

import importlib.util
import os
import pathlib
import re
import shutil
import subprocess
import sys

import pytest
from absl import flags
from ml_collections import config_flags

from kc_jax import config, study
from kc_jax.stages import runner
from tests.docs import commands
from tests.docs.commands import Command
from tests.stages.conftest import data_directory, finished  # noqa: F401

# ml_collections loads configuration files in a way that Python 3.12 no longer likes.
pytestmark = pytest.mark.filterwarnings("ignore:the load_module:DeprecationWarning")

ALL = [command for page in commands.PAGES for command in commands.commands_of(page)]
OF_MODULES = [command for command in ALL if command.module]
RUN_HERE = [
    command for command in ALL
    if not command.run_by and not command.page.is_relative_to(commands.RESULTS)
]


def identify(value):
    if isinstance(value, Command):
        return f"{value.page.name}: {value}"
    return str(value.relative_to(commands.ROOT))


def parsed(options):
    """Parses the options of `kc_jax.main` and `kc_jax.study` as these do."""
    values = flags.FlagValues()
    config_flags.DEFINE_config_file(
        "config", None, "", lock_config=True, flag_values=values, sys_argv=["command", *options]
    )
    for name in ("workdir", "output", "coordinator", "num_processes", "process_id"):
        flags.DEFINE_string(name, None, "", flag_values=values)
    for name in ("stages", "redo"):
        flags.DEFINE_list(name, [], "", flag_values=values)
    left = values(["command", *options])
    assert left == ["command"], f"{left[1:]} are not understood; options are written --name=value"
    return values


@pytest.mark.parametrize("command", ALL, ids=identify)
def test_something_runs_every_command(command):
    if command.run_by is None:
        assert command.module == "kc_jax.main", (
            f"nothing runs this; name in {commands.__name__}.ELSEWHERE the test that does"
        )
    elif not command.run_by.startswith("not run: "):
        assert (commands.ROOT / command.run_by).is_file()


def test_every_entry_of_the_table_is_needed():
    text = "\n".join(" ".join(command.words) for command in ALL)
    unused = [p for p in commands.ELSEWHERE if not re.search(p, text, re.MULTILINE)]
    assert not unused, f"{commands.__name__}.ELSEWHERE has entries that no page needs"


@pytest.mark.parametrize("command", OF_MODULES, ids=identify)
def test_modules_exist(command):
    assert importlib.util.find_spec(command.module), f"there is no module {command.module}"


@pytest.mark.parametrize(
    "command", [c for c in OF_MODULES if c.module == "kc_jax.main"
                and c.page.name not in commands.OWN_TESTS], ids=identify
)
def test_configurations_build_and_stages_exist(command):
    values = parsed(command.options)
    config.build(values.config)
    assert set(values.stages) | set(values.redo) <= set(runner.STAGES)


@pytest.mark.parametrize(
    "command", [c for c in OF_MODULES if c.module == "kc_jax.study"], ids=identify
)
def test_studies_build(command):
    plan = parsed(command.options).config
    kind, variants = study.kind_of(plan)
    for setting in study.settings_of(plan):
        for name in variants:
            assert getattr(study.cell_config(plan, 0, name, setting), kind.part).name == name


@pytest.mark.slow
@pytest.mark.parametrize("page", sorted({command.page for command in RUN_HERE}), ids=identify)
def test_a_pages_commands_run_in_their_order(page, finished, tmp_path):  # noqa: F811
    """Runs them where the first run is done already, which .ci/run does from nothing."""
    workdir = tmp_path / "runs" / "first"
    shutil.copytree(finished[1].root, workdir)
    environment = {**os.environ, "PYTHONPATH": str(commands.ROOT)}
    for command in RUN_HERE:
        if command.page == page:
            done = subprocess.run(
                [sys.executable, "-m", "kc_jax.main", *command.shrunk(workdir)],
                cwd=commands.ROOT, env=environment, capture_output=True, text=True,
            )
            assert done.returncode == 0, f"{command}\n{done.stderr}"


PAGE = pathlib.Path("page.md")
TEXT = """
Type `python -m kc_jax.main
--config=…` or `pip`, then `tensorboard --logdir=runs`:

```
pip install -e .[dev] && python -m kc_jax.main --config=configs/eft.py \\
  --config.student.head='FC256-SC(8,4)' …   # a comment

a table    with python in it
XLA_FLAGS=--x=8 python -m kc_jax.study --config=a.py
```

  ```sh
  ls runs
  ```

```python
python = 3
```
"""


def test_commands_are_found():
    assert [command.words for command in commands.commands_of(PAGE, TEXT)] == [
        ("pip", "install", "-e", ".[dev]"),
        ("python", "-m", "kc_jax.main", "--config=configs/eft.py",
         "--config.student.head=FC256-SC(8,4)"),
        ("python", "-m", "kc_jax.study", "--config=a.py"),
        ("ls", "runs"),
        ("python", "-m", "kc_jax.main", "--config=…"),
        ("tensorboard", "--logdir=runs"),
    ]


@pytest.mark.parametrize("text, shrunk", [
    ("--config=configs/eft.py", ["--config=configs/eft.py:smoke", "--workdir=w/first"]),
    ("--config=…", ["--config=configs/eft.py:smoke", "--workdir=w/first"]),
    ("--config=configs/eft.py:paper --stages=describe --workdir=runs/other",
     ["--config=configs/eft.py:paper", "--stages=describe", "--workdir=w/other"]),
    ("--config=configs/folder.py --config.data.synthetic=true --workdir=runs/timing",
     ["--config=configs/folder.py:small", "--config.data.synthetic=true", "--workdir=w/timing",
      "--config.data.num_records=64"]),
])
def test_commands_shrink(text, shrunk):
    command = Command(PAGE, ("python", "-m", "kc_jax.main", *text.split()))
    assert command.shrunk(pathlib.Path("w/first")) == shrunk


@pytest.mark.parametrize("options", [
    ["--config=configs/eft.py", "--confg.seed=1"],
    ["--config=configs/eft.py", "--config.sead=1"],
    ["--config=configs/eft.py", "config.seed=1"],
    ["--config=configs/etf.py"],
])
def test_mistakes_are_seen(options):
    with pytest.raises((flags.Error, AttributeError, AssertionError, OSError)):
        values = parsed(options)
        config.build(values.config)
