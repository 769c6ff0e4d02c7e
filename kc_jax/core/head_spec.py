"""The papers' notation for the two top layers, as a config value."""

import dataclasses
import re

LINEAR = "linear"
GRAMMAR = (
    "FC<width>-FC<width>, FC<width>-SC<width>, SC<width>-SC<width> or "
    "FC<width>-SC(<width>,<generic width>), as in FC4096-SC512 or FC4096-SC(512,128), or "
    f"{LINEAR} for no top layers"
)
_PATTERN = re.compile(
    r"(FC|SC)(\d{1,9})-(FC|SC)(?:(\d{1,9})|\((\d{1,9}),(\d{1,9})\))", re.ASCII
)


@dataclasses.dataclass(frozen=True)
class HeadSpec:
    """Describes the trunk (top-1 layer) and the bottleneck (top-2 layer) of a classifier.

    Gao et al. (2017), section 3.2 and Figure 3. FC layers are shared by all verticals; of an SC
    layer every vertical has its own. A linear head has neither trunk nor bottleneck, of width 0:
    the logits see the features, as in Yang et al. (2018).

    Attributes:
      trunk_width: units of the trunk, s1 (of each vertical's where it is structured).
      trunk_structured: whether the trunk is SC.
      bottleneck_width: units of the bottleneck that each vertical's logits see, s2.
      bottleneck_structured: whether the bottleneck is SC.
      generic_width: how many of the bottleneck's units all verticals share, s_g.
    """

    trunk_width: int
    trunk_structured: bool
    bottleneck_width: int
    bottleneck_structured: bool
    generic_width: int = 0

    @classmethod
    def parse(cls, text: str) -> "HeadSpec":
        """Reads the papers' notation.

        Args:
          text: such as ``FC4096-SC512``, or ``linear``; spaces are ignored.

        Raises:
          ValueError: shows the text and the grammar.
        """
        compact = text.replace(" ", "")
        if compact == LINEAR:
            return cls(0, False, 0, False)
        match = _PATTERN.fullmatch(compact)
        if match is None:
            raise ValueError(f"head {text!r} is not understood; expected {GRAMMAR}")
        trunk, trunk_width, bottleneck, plain_width, split_width, generic = match.groups()
        spec = cls(
            trunk_width=int(trunk_width),
            trunk_structured=trunk == "SC",
            bottleneck_width=int(plain_width or split_width),
            bottleneck_structured=bottleneck == "SC",
            generic_width=int(generic or 0),
        )
        _check(spec, text)
        return spec


def _check(spec: HeadSpec, text: str) -> None:
    if min(spec.trunk_width, spec.bottleneck_width) < 1:
        raise ValueError(f"head {text!r} has a layer of width 0; expected {GRAMMAR}")
    if spec.trunk_structured and not spec.bottleneck_structured:
        raise ValueError(
            f"head {text!r} has an FC bottleneck on an SC trunk, which would mix the verticals "
            f"again; expected {GRAMMAR}"
        )
    if spec.generic_width and (spec.trunk_structured or not spec.bottleneck_structured):
        raise ValueError(
            f"head {text!r} has a generic part, which needs an FC trunk and an SC bottleneck; "
            f"expected {GRAMMAR}"
        )
    if spec.generic_width > spec.bottleneck_width:
        raise ValueError(
            f"head {text!r} has a generic part wider than its bottleneck; expected {GRAMMAR}"
        )
