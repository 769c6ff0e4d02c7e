"""Log-odds as they are defined, a number at a time and to 60 digits."""

import decimal

decimal.getcontext().prec = 60


def of_probability(p: float) -> float:
    if p in (0.0, 1.0):
        return 80.0 if p else -80.0
    exact = decimal.Decimal(p)
    return float(max(-80, min(80, (exact / (1 - exact)).ln())))


def of_softmax(logits: list[float]) -> list[float]:
    powers = [decimal.Decimal(x).exp() for x in logits]
    odds = [power / (sum(powers) - power) for power in powers]
    return [float(max(-80, min(80, value.ln()))) for value in odds]
