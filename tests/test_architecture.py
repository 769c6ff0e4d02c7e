"""Which part of the package may know which.

core ← {models, data} ← train ← stages ← the commands (main, prepare, study …), which
share `command`.
What uses a bundle (predict, serve) knows core alone, and how an image file is read.
Benchmarks may know all of it, launchers next to nothing, and nothing else knows either.
"""

import ast
import pathlib

import pytest

ROOT = pathlib.Path(__file__).parents[1]
LEAVES = {
    "artifacts", "caches", "checksums", "config", "disk_space", "environment", "errors", "options",
    "host_watch", "hosts", "preemption", "progress", "run_lock", "sharding", "tables", "workdir",
}
LOWER = LEAVES | {"core"}
BUNDLE = {"bundle", "checksums", "core", "data.images", "errors"}  # Not the code of the networks.
PARTS = LOWER | {"bundle", "models", "data", "train", "stages"}
MAY_IMPORT = {
    "kc_jax": set(),
    "errors": {"errors"},
    "checksums": {"checksums", "errors"},
    "preemption": {"preemption"},
    "hosts": {"errors", "hosts", "preemption"},
    "host_watch": {"artifacts", "errors", "host_watch", "hosts", "preemption"},
    "progress": {"hosts", "progress"},
    "run_lock": {"run_lock", "errors"},
    "tables": {"tables"},
    "core": {"core", "errors", "tables"},
    "sharding": {"sharding", "errors", "hosts"},
    "caches": {"caches"},
    "disk_space": {"disk_space", "errors"},
    "options": {"options", "errors"},
    "config": {"config", "options", "core.head_spec", "core.tolerance"},
    "environment": {"environment"},
    "artifacts": {"artifacts", "checksums", "environment", "errors", "hosts"},
    "links": {"artifacts", "links"},
    "workdir": {"artifacts", "workdir"},
    "models": LOWER | {"models"},
    "data": LOWER | {"data"},
    "train": LOWER | {"models", "data", "train"},
    "bundle": BUNDLE,
    "stages": PARTS,
    "command": PARTS | {"command"},
    "predict": BUNDLE | {"command", "predict"},
    "serve": BUNDLE | {"command", "serve"},
    "main": PARTS | {"command", "main"},
    "study": PARTS | {"command", "links", "study"},
    "import_soft_targets": PARTS | {"command", "import_soft_targets", "main"},
    "prepare": PARTS | {"command", "prepare"},
    "configs": {"configs"},
    "benchmarks": PARTS | {"command", "main", "study"},
    "docs": {"config", "options"},
    "launch": {"command", "core.packing", "preemption"},
}
USERS = {"benchmarks": {"benchmarks"}, "launch": {"benchmarks", "launch"}}
BANNED = {"tensorflow", "pickle"}
STAGE_NAMES = {"stage", "stage_name", "stages"}


def imported(source):
    """Gives the dotted names that a module imports anywhere, `from a import b` as ``a.b``."""
    names = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            prefix = "." * node.level + (node.module or "")
            names |= {f"{prefix}.{alias.name}" for alias in node.names}
    return names


def starts_with(name, prefix):
    return name == prefix or name.startswith(f"{prefix}.")


def violations(module, source):
    """Lists what a module, such as ``kc_jax.core.losses``, must not do."""
    part = module.removeprefix("kc_jax.").split(".")[0]
    if part not in MAY_IMPORT:
        return [f"{part} has no place among {', '.join(MAY_IMPORT)}"]
    banned = [name for name in sorted(imported(source)) if not allowed(module, part, name)]
    return [
        *(f"imports {name}" for name in banned),
        *forbidden_calls(module, ast.parse(source)),
        *(forbidden_comparisons(ast.parse(source)) if part == "train" else ()),
    ]


def allowed(module, part, name):
    if name.startswith(".") or any(starts_with(name, banned) for banned in BANNED):
        return False
    if any(starts_with(name, tool) and part not in users for tool, users in USERS.items()):
        return False
    if starts_with(name, "flax") and part == "core":
        return False
    if starts_with(name, "orbax") and module != "kc_jax.train.checkpoint":
        return False
    if starts_with(name, "jax.make_mesh") and module != "kc_jax.sharding":
        return False
    if starts_with(name, "kc_jax"):
        inner = name.removeprefix("kc_jax").removeprefix(".")
        return any(starts_with(inner, prefix) for prefix in MAY_IMPORT[part])
    return True


def forbidden_calls(module, tree):
    """Finds meshes made elsewhere than in kc_jax/sharding.py, whatever JAX calls them."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and module != "kc_jax.sharding":
            name = ast.unparse(node.func)
            if name in ("jax.make_mesh", "jax.sharding.Mesh", "Mesh"):
                yield f"calls {name}"


def forbidden_comparisons(tree):
    """Finds branches by a stage's name."""
    for node in ast.walk(tree):
        subjects = [node.subject] if isinstance(node, ast.Match) else []
        if isinstance(node, ast.Compare):
            subjects = [node.left, *node.comparators]
        for subject in subjects:
            if ast.unparse(subject).split(".")[-1] in STAGE_NAMES:
                yield f"branches by {ast.unparse(subject)}"


def modules(folder):
    """Gives (dotted name, file) of every module in a folder."""
    files = sorted((ROOT / folder).rglob("*.py"))
    found = [(".".join(f.relative_to(ROOT).with_suffix("").parts), f) for f in files]
    return [(name.removesuffix(".__init__"), file) for name, file in found]


@pytest.mark.parametrize(
    "name, file",
    modules("kc_jax") + modules("configs") + modules("benchmarks") + modules("docs")
    + modules("launch"),
)
def test_modules_keep_to_their_layer(name, file):
    assert violations(name, file.read_text(encoding="utf-8")) == []


def test_every_layer_is_looked_at():
    parts = {name.split(".")[1] for name, _ in modules("kc_jax") if "." in name}
    assert parts >= {"core", "models", "data", "train", "stages", *LEAVES}


@pytest.mark.parametrize(
    "module, source",
    [
        ("kc_jax.core.losses", "import flax.linen as nn"),
        ("kc_jax.core.losses", "from flax import linen"),
        ("kc_jax.core.losses", "from kc_jax import config"),
        ("kc_jax.models.heads", "from kc_jax.data import targets"),
        ("kc_jax.data.targets", "import kc_jax.models.heads"),
        ("kc_jax.data.targets", "def f():\n    from kc_jax.train import loop"),
        ("kc_jax.data.targets", "from ..models import heads"),
        ("kc_jax.data.targets", "from kc_jax import *"),
        ("kc_jax.train.loop", "from kc_jax.stages import runner"),
        ("kc_jax.train.loop", "if stage == 'teachers':\n    pass"),
        ("kc_jax.train.loop", "x = 1 if self.stage in names else 2"),
        ("kc_jax.train.loop", "match stage:\n    case 'teachers':\n        pass"),
        ("kc_jax.train.loop", "import orbax.checkpoint as ocp"),
        ("kc_jax.stages.runner", "from kc_jax import main"),
        ("kc_jax.stages.runner", "from kc_jax import command"),
        ("kc_jax.study", "from kc_jax import main"),
        ("kc_jax.bundle.loaded", "from kc_jax.models import heads"),
        ("kc_jax.bundle.loaded", "from kc_jax.data import sources"),
        ("kc_jax.predict", "from kc_jax.stages import networks"),
        ("kc_jax.serve.app", "from kc_jax.train import step"),
        ("kc_jax.stages.runner", "import jax\nmesh = jax.make_mesh((1,), ('data',))"),
        ("kc_jax.stages.runner", "from jax import make_mesh"),
        ("kc_jax.stages.runner", "import tensorflow as tf"),
        ("kc_jax.stages.runner", "import pickle"),
        ("kc_jax.errors", "from kc_jax.core import losses"),
        ("kc_jax.config", "from kc_jax.core import losses"),
        ("kc_jax.config", "from kc_jax import artifacts"),
        ("kc_jax.environment", "from kc_jax import artifacts"),
        ("kc_jax.artifacts", "from kc_jax.core import head_spec"),
        ("kc_jax.artifacts", "from kc_jax.config import Config"),
        ("kc_jax.options", "from kc_jax.config import Config"),
        ("kc_jax.sharding", "from kc_jax import config"),
        ("kc_jax.elsewhere", "import jax"),
        ("kc_jax", "from kc_jax import config"),
        ("configs.eft", "from kc_jax import config"),
        ("kc_jax.train.loop", "from benchmarks import measure"),
        ("configs.eft", "from benchmarks import measure"),
        ("launch.costs", "from kc_jax.stages import describe"),
        ("kc_jax.stages.runner", "from launch import costs"),
    ],
)
def test_violations_are_seen(module, source):
    assert violations(module, source)


@pytest.mark.parametrize(
    "module, source",
    [
        ("kc_jax.core.losses", "import jax\nfrom kc_jax.core import label_space"),
        ("kc_jax.core.losses", "from kc_jax.errors import UserError"),
        ("kc_jax.config", "from kc_jax.core.head_spec import HeadSpec"),
        ("kc_jax.config", "from kc_jax.options import OneOf"),
        ("kc_jax.data.glyphs", "import tensorflow_datasets as tfds\nfrom kc_jax import artifacts"),
        ("kc_jax.train.checkpoint", "from orbax.checkpoint import v1 as ocp"),
        ("kc_jax.train.step", "from jax.sharding import Mesh\nfrom kc_jax import sharding"),
        ("kc_jax.sharding", "import jax\nmesh = jax.make_mesh((1,), ('data',))"),
        ("kc_jax.stages.runner", "from kc_jax import sharding\nmesh = sharding.make_mesh()"),
        ("benchmarks.input", "from benchmarks import measure\nfrom kc_jax.data import sources"),
    ],
)
def test_what_is_allowed(module, source):
    assert violations(module, source) == []
