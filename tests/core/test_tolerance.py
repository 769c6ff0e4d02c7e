import numpy as np
import pytest

from kc_jax.core import tolerance


def test_the_papers_values():
    assert tolerance.weight_of(0.6, 5) == pytest.approx(4 / 7)


@pytest.mark.parametrize("num_similar", [2, 3, 5, 40])
@pytest.mark.parametrize("share", [0.01, 0.5, 0.99])
def test_weight_and_confidence_are_inverse(share, num_similar):
    confidence = 1 / num_similar + share * (1 - 1 / num_similar)
    eta = tolerance.weight_of(confidence, num_similar)
    assert tolerance.confidence_of(eta, num_similar) == pytest.approx(confidence)


@pytest.mark.parametrize(("eta", "num_similar"), [
    (0.0, 2), (0.2, 2), (0.5, 2), (0.0, 5), (0.2, 5), (0.5, 5), (4 / 7, 5), (0.8, 5), (0.9, 10),
])
def test_confidence_minimises_eq_3_on_a_grid(eta, num_similar):
    p = np.linspace(1e-4, 1, 100_001)
    values = -(1 - eta) * np.log(p) + eta * (p - (1 - p) / (num_similar - 1))
    assert tolerance.confidence_of(eta, num_similar) == pytest.approx(
        p[np.argmin(values)], abs=2e-5
    )


@pytest.mark.parametrize("weight_of", [tolerance.weight_of, tolerance.sigmoid_weight_of])
def test_no_tolerance_has_no_weight(weight_of):
    assert weight_of(1.0, 5) == 0


@pytest.mark.parametrize("weight_of", [tolerance.weight_of, tolerance.sigmoid_weight_of])
@pytest.mark.parametrize("confidence", [0.2, 0.0, -1.0, 1.1, np.nan])
def test_confidences_out_of_range_are_refused_with_the_range(weight_of, confidence):
    with pytest.raises(ValueError, match=f"is {confidence}; .*above 1/5 and up to 1"):
        weight_of(confidence, 5)


@pytest.mark.parametrize("eta", [0.81, 1.2, -0.1])
def test_weights_out_of_range_are_refused_with_the_range(eta):
    with pytest.raises(ValueError, match=f"η is {eta}; .*can be 0 to 4/5"):
        tolerance.confidence_of(eta, 5)


@pytest.mark.parametrize("function", [
    tolerance.weight_of, tolerance.sigmoid_weight_of, tolerance.confidence_of,
])
def test_a_class_alone_is_refused(function):
    with pytest.raises(ValueError, match="the primary one and 1 more"):
        function(0.6, 1)
