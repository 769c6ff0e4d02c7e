"""From a network's logits to probabilities: a temperature and a bias of each vertical."""

import dataclasses
from collections.abc import Mapping

import numpy as np

from kc_jax.bundle.files import BundleError
from kc_jax.core.label_space import LabelSpace


@dataclasses.dataclass(frozen=True)
class Calibration:
    """Holds for each class what calibrates its logit, the same throughout a vertical.

    Attributes:
      temperature: f32[C], divides the logit.
      bias: f32[C], is added afterwards.
      threshold: f32[C], the probability from which on a name can be relied on; NaN, which nothing
        reaches, where there is none.
    """

    temperature: np.ndarray
    bias: np.ndarray
    threshold: np.ndarray

    @classmethod
    def from_json(cls, fields: Mapping | None, space: LabelSpace) -> "Calibration":
        """Reads a calibration.

        Args:
          fields: ``{"verticals": {name: {"temperature": …, "bias": …, "threshold": … or null}}}``,
            or None for logits that are taken as they are.
          space: whose verticals all have to be there.

        Raises:
          BundleError: a vertical is missing, or a value is impossible.
        """
        if fields is None:
            ones, zeros = np.ones(space.num_classes), np.zeros(space.num_classes)
            return cls(*(x.astype(np.float32) for x in (ones, zeros, np.nan * ones)))
        found = fields["verticals"]
        missing = [name for name in space.verticals if name not in found]
        if missing:
            raise BundleError(
                f"the calibration has no vertical {missing[0]!r}, only {', '.join(found)}; make "
                "it anew for this label space"
            )
        rows = [found[name] for name in space.verticals]
        for name, row in zip(space.verticals, rows, strict=True):
            if not row["temperature"] > 0:
                raise BundleError(
                    f"the calibration has the temperature {row['temperature']} for vertical "
                    f"{name!r}; expected more than 0"
                )
        keys = ("temperature", "bias", "threshold")
        columns = ([np.nan if row.get(key) is None else row[key] for row in rows] for key in keys)
        return cls(*(np.array(c, np.float32)[space.vertical_of_class] for c in columns))

    def log_odds(self, logits: np.ndarray) -> np.ndarray:
        """Calibrates logits f32[B, C]; their sigmoid is a probability."""
        return logits / self.temperature + self.bias
