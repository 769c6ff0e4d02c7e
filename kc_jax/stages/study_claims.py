"""What a study's claims came to: gains of one method over another, seed by seed."""

from collections.abc import Mapping, Sequence

from kc_jax.config import ConfigError
from kc_jax.core import paired
from kc_jax.stages import study_tables

METRIC = "mean_vertical_ap"
SMALLEST = 0.005  # A gain of half a point is worth having.


def check(claims: Sequence[Sequence[str]], methods: Sequence[str]) -> None:
    """Refuses claims about methods that a study does not have.

    Args:
      claims: as `claims_table` takes them.
      methods: that results have, or are going to have.

    Raises:
      ConfigError: names the claim and the method.
    """
    for claim in claims:
        if len(claim) not in (3, 4):
            raise ConfigError(
                f"the claim {tuple(claim)} has {len(claim)} parts; expected what it says, the "
                "better method, the other, and maybe a metric"
            )
        for method in claim[1:3]:
            if method not in methods:
                raise ConfigError(
                    f"the claim {claim[0]!r} names the method {method!r}; there are "
                    f"{', '.join(methods)}"
                )


def claims_table(claims: Sequence[Sequence[str]], results: Sequence[Mapping]) -> str:
    """Writes for each claim the gain, its interval and the verdict.

    Args:
      claims: each what it says, the method that should be better, the other, and maybe a metric of
        evaluate, `METRIC` otherwise.
      results: of every seed, with ``methods``.

    Raises:
      ConfigError: a claim names a method or a metric that there is not.
    """
    lines = [
        f"Differences in points: mean over {study_tables.num_seeds(results)} and the 95 % interval "
        "of a paired t test; a claim holds where that lies above 0, and does not where it lies "
        f"below {100 * SMALLEST:.1f}, a gain that is not worth having.",
        "",
        "| claim | in | better | than | difference | interval | verdict |",
        "|---|---|---|---|---:|---:|---|",
    ]
    check(claims, sorted(set.intersection(*(set(result["methods"]) for result in results))))
    for text, better, other, *metric in claims:
        metric = metric[0] if metric else METRIC
        bounds = paired.interval([
            _metric(result, better, metric) - _metric(result, other, metric) for result in results
        ])
        mean, low, high = (100 * value for value in bounds)
        interval = f"{low:+.1f} to {high:+.1f}" if len(results) > 1 else study_tables.NOTHING
        lines.append(
            f"| {text} | {study_tables.name_of(metric)} | {better} | {other} | {mean:+.1f} | "
            f"{interval} | {paired.verdict(bounds, SMALLEST)} |"
        )
    return "\n".join(lines) + "\n"


def _metric(result: Mapping, method: str, metric: str) -> float:
    found = result["methods"][method]
    if found.get(metric) is None:
        numbers = sorted(key for key, value in found.items() if isinstance(value, int | float))
        raise ConfigError(
            f"a claim is about {metric!r} of {method!r}, which has no such number; it has "
            f"{', '.join(numbers)}"
        )
    return found[metric]
