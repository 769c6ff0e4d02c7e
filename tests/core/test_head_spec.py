import re

import pytest

from kc_jax.core.head_spec import GRAMMAR, HeadSpec


@pytest.mark.parametrize(
    "text, spec",
    [
        ("FC4096-FC512", HeadSpec(4096, False, 512, False)),
        ("FC4096-SC512", HeadSpec(4096, False, 512, True)),
        ("SC512-SC512", HeadSpec(512, True, 512, True)),
        ("FC4096-SC(512,128)", HeadSpec(4096, False, 512, True, 128)),
        (" FC4096 - SC(512, 128) ", HeadSpec(4096, False, 512, True, 128)),
        ("FC8-SC(4,0)", HeadSpec(8, False, 4, True)),
        ("FC8-SC(4,4)", HeadSpec(8, False, 4, True, 4)),
        ("linear", HeadSpec(0, False, 0, False)),
    ],
)
def test_parse(text, spec):
    assert HeadSpec.parse(text) == spec


@pytest.mark.parametrize(
    "text, message",
    [
        ("", "is not understood"),
        ("FC4096", "is not understood"),
        ("fc4096-sc512", "is not understood"),
        ("Linear", "is not understood"),
        ("linear-SC512", "is not understood"),
        ("FC4096-SC512-SC512", "is not understood"),
        ("FC4096-SC(512)", "is not understood"),
        ("FC-4-SC2", "is not understood"),
        ("FC4.5-SC2", "is not understood"),
        ("FC0-SC512", "a layer of width 0"),
        ("FC4096-SC0", "a layer of width 0"),
        ("SC512-FC512", "an FC bottleneck on an SC trunk"),
        ("SC512-SC(512,128)", "needs an FC trunk and an SC bottleneck"),
        ("FC512-FC(512,128)", "needs an FC trunk and an SC bottleneck"),
        ("FC512-SC(128,129)", "wider than its bottleneck"),
    ],
)
def test_errors_show_the_text_and_the_grammar(text, message):
    pattern = f"head {re.escape(repr(text))}.*{message}.*{re.escape(GRAMMAR)}"
    with pytest.raises(ValueError, match=pattern):
        HeadSpec.parse(text)
