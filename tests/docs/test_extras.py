"""What the pages install besides, and how they look for devices."""

import importlib.metadata
import re
import subprocess
import sys

import pytest

from tests.docs import commands

ALL = [command for page in commands.PAGES for command in commands.commands_of(page)]
EXTRAS = sorted({
    (package.replace(".", "kc_jax"), extra)
    for command in ALL if command.words[:2] == ("pip", "install")
    for package, extras in re.findall(r"(?<!\S)(\.|kc_jax|jax)\[(\S+)\]", " ".join(command.words))
    for extra in extras.split(",")
})


@pytest.mark.parametrize("package, extra", EXTRAS)
def test_packages_have_the_extras_that_pages_install(package, extra):
    assert extra in importlib.metadata.metadata(package).get_all("Provides-Extra")


def test_extras_are_found():
    assert {("kc_jax", "dev"), ("kc_jax", "cuda"), ("jax", "cuda12")} <= {*EXTRAS}


def test_the_command_of_the_page_prints_devices():
    [words] = {command.words for command in ALL if "jax.devices()" in " ".join(command.words)}
    done = subprocess.run([sys.executable, *words[1:]], capture_output=True, text=True)
    assert done.returncode == 0 and done.stdout.startswith("["), done.stderr
