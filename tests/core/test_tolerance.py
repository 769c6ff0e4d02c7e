import numpy as np
import pytest

from kc_jax.core import tolerance


def test_the_papers_values():
    assert tolerance.weight_of(0.6, 5) == pytest.approx(4 / 7)
    assert tolerance.weight_of(1.0, 5) == 0


@pytest.mark.parametrize("num_similar", [2, 3, 5, 40])
@pytest.mark.parametrize("share", [0.01, 0.5, 0.99])
def test_weight_and_confidence_are_inverse(share, num_similar):
    confidence = 1 / num_similar + share * (1 - 1 / num_similar)
    eta = tolerance.weight_of(confidence, num_similar)
    assert tolerance.confidence_of(eta, num_similar) == pytest.approx(confidence)


@pytest.mark.parametrize("num_similar", [2, 5])
@pytest.mark.parametrize("eta", [0.0, 0.2, 0.5, 4 / 7, 0.9])
def test_confidence_minimises_eq_3_on_a_grid(eta, num_similar):
    p = np.linspace(1e-4, 1, 100_001)
    values = -(1 - eta) * np.log(p) + eta * (p - (1 - p) / (num_similar - 1))
    assert tolerance.confidence_of(eta, num_similar) == pytest.approx(
        p[np.argmin(values)], abs=2e-5
    )


@pytest.mark.parametrize("confidence", [0.2, 0.6, 0.9])
def test_sigmoid_weight_minimises_its_terms_on_a_grid(confidence):
    eta = tolerance.sigmoid_weight_of(confidence)
    p = np.linspace(1e-4, 1, 100_001)
    assert p[np.argmin(-(1 - eta) * np.log(p) + eta * p)] == pytest.approx(confidence, abs=2e-5)


def test_sigmoid_weight_of_no_tolerance():
    assert tolerance.sigmoid_weight_of(1.0) == 0


@pytest.mark.parametrize("confidence", [0.2, 0.0, -1.0, 1.1])
def test_confidences_out_of_range_are_refused_with_the_range(confidence):
    with pytest.raises(ValueError, match=r"above 1/5 and up to 1"):
        tolerance.weight_of(confidence, 5)


@pytest.mark.parametrize("confidence", [0.0, -1.0, 1.1])
def test_sigmoid_confidences_out_of_range_are_refused(confidence):
    with pytest.raises(ValueError, match="above 0 and up to 1"):
        tolerance.sigmoid_weight_of(confidence)


def test_other_arguments_out_of_range_are_refused():
    with pytest.raises(ValueError, match="the primary one and 1 more"):
        tolerance.weight_of(0.6, 1)
    with pytest.raises(ValueError, match="expected 0 to 1"):
        tolerance.confidence_of(1.2, 5)
