import dataclasses

import pytest

from configs import common
from docs import configuration
from kc_jax import config


def test_the_page_is_up_to_date():
    assert configuration.PAGE.read_text(encoding="utf-8") == configuration.page(), (
        f"{configuration.PAGE} is out of date; run `python -m docs.configuration`"
    )


def leaves(options, path=()):
    for name, value in options.items():
        if isinstance(value, dict) and name != "backbone_options":
            yield from leaves(value, (*path, name))
        else:
            yield path, name


def test_every_option_has_a_row_under_its_part():
    sections = configuration.page().split("\n## ")[1:]
    whole = dataclasses.asdict(config.build(common.get_config("NAME")))
    for path, name in leaves(whole):
        title = f"`{'.'.join(path)}`" if path else "The run"
        holding = [s for s in sections if title in s.splitlines()[0]]
        assert any(f"\n| `{name}` |" in section for section in holding), (path, name)


def test_networks_that_differ_are_told_apart():
    defaults = config.build(common.get_config("NAME"))
    paths = ["generalist", "teachers", "student"]
    told = configuration.default("init_from", paths, defaults)
    assert told == "`'scratch'` (generalist), `'generalist'` (teachers, student)"
    assert configuration.default("batch_size", paths, defaults) == "`32`"


@dataclasses.dataclass(frozen=True)
class Part:
    """Says something.

    Attributes:
      one: of ``x`` or
        more lines.
    """

    one: int
    two: int


def test_an_option_without_a_word_is_refused():
    with pytest.raises(ValueError, match="Part says nothing of two"):
        configuration.attributes(Part)


def test_lines_are_joined():
    one = dataclasses.make_dataclass("One", [("one", int)])
    one.__doc__ = Part.__doc__
    assert configuration.attributes(one) == {"one": "of `x` or more lines."}


@pytest.mark.parametrize("cls, name, words", [
    (config.Config, "seed", "int, at least 0, less than 4294967296"),
    (config.Config, "stages", "list of str"),
    (config.Optimizer, "warmup", "float, 0 to 1"),
    (config.Optimizer, "schedule", "one of `constant`, `linear`, `cosine`, `steps`"),
    (config.Optimizer, "milestones",
     "list of float, more than 0, less than 1, increasing"),
    (config.Multipliers, "trunk", "float, at least 0"),
    (config.Model, "backbone_options", "options"),
    (config.Mesh, "data", "int, at least -1, other than 0"),
    (config.Running, "sinks", "some of `tensorboard`, `wandb`"),
    (config.Training, "head", "str, in the papers' notation"),
    (config.Student, "name", "str, a word of letters, digits and underscores other than "
                             "`generalist`, `specialists`, `teachers`"),
])
def test_what_is_expected(cls, name, words):
    assert configuration.expected(configuration.own_fields(cls)[name]) == words
