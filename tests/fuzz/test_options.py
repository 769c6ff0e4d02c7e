"""Whatever a configuration says, it is built or refused in a line that names the option."""

import functools

import hypothesis.strategies as st
import pytest
from hypothesis import given

from kc_jax import config
from kc_jax.core.head_spec import HeadSpec
from kc_jax.errors import UserError
from tests.fuzz import drawn
from tests.test_config import sample


def paths_of(options, path=()):
    for name, value in options.items():
        yield (*path, name)
        if isinstance(value, dict):
            yield from paths_of(value, (*path, name))


PATHS = list(paths_of(sample()))
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
    | st.sampled_from(["adagrad", "scratch", "a/b", "FC8-SC4", "linear", "student", "none"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=5,
)


@drawn(300)
@given(st.sampled_from(PATHS), VALUES)
def test_any_value_of_any_option(path, value):
    options = sample()
    *groups, name = path
    functools.reduce(lambda mapping, key: mapping[key], groups, options)[name] = value
    try:
        config.build(options)
    except UserError as error:
        assert "config." in str(error) and "\n" not in str(error)


@drawn(200)
@given(st.text(max_size=20) | st.text("FSC(),-0123456789 ", max_size=16) | st.from_regex(
    r"(FC|SC)\d{1,12}-(FC|SC)(\d{1,12}|\(\d{1,9},\d{1,9}\))"))
def test_any_head(text):
    try:
        spec = HeadSpec.parse(text)
    except ValueError as error:
        assert repr(text) in str(error)
    else:
        assert spec.bottleneck_width >= spec.generic_width >= 0


def test_every_option_is_among_those_that_are_drawn():
    assert ("student", "optimizer", "multipliers", "pace") in PATHS and len(PATHS) > 150
    with pytest.raises(UserError):
        config.build({})
