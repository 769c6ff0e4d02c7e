"""Which classes an auxiliary head is for: Warde-Farley et al. (2015), section 2."""

import dataclasses
import functools

import numpy as np


@dataclasses.dataclass(frozen=True)
class AuxiliarySpec:
    """Describes auxiliary heads: a stack of layers for each cluster of classes.

    Attributes:
      cluster_of_class: C numbers of clusters, from 0, none left out.
      widths: units of each stack's hidden layers, in their order, at least one layer.
      attach: what the stacks see: ``backbone``, its features, or ``trunk``, its units.
    """

    cluster_of_class: tuple[int, ...]
    widths: tuple[int, ...]
    attach: str

    def __post_init__(self):
        if self.attach not in ("backbone", "trunk"):
            raise ValueError(f"attach is {self.attach!r}; expected 'backbone' or 'trunk'")
        if not self.widths or min(self.widths) < 1:
            raise ValueError(f"widths are {self.widths}; expected at least one, each at least 1")
        missing = np.flatnonzero(np.bincount(self.cluster_of_class) == 0)
        if len(missing):
            raise ValueError(f"cluster {missing[0]} has no classes; number clusters from 0")

    @functools.cached_property
    def sizes(self) -> tuple[int, ...]:
        """Gives the class count of each cluster."""
        return tuple(np.bincount(self.cluster_of_class).tolist())

    @functools.cached_property
    def place_of_class(self) -> np.ndarray:
        """Gives where each class stands where clusters follow one another: i32[C]."""
        return np.argsort(np.argsort(self.cluster_of_class, kind="stable")).astype(np.int32)
