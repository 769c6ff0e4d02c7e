"""Tolerance in closed form: the weight of the score difference and the confidence it leads to.

Yang et al. (2018), section 3.3. A tolerant network is to give its primary class the score p and
its K − 1 next ones the rest in equal parts. Eq. 3 is then −(1 − η) ln p + η (p − (1 − p)/(K − 1)),
which is least at p = u(η) = (1 − η)(K − 1)/(η K).
"""


def confidence_of(eta: float, num_similar: int) -> float:
    """Computes u(η), the score of the primary class at the minimum of Eq. 3.

    Args:
      eta: weight of the score difference, in [0, 1].
      num_similar: K, the classes alike, with the primary one; at least 2.

    Returns:
      In [0, 1]; 1 where η is too small to keep the score from it.
    """
    _check_similar(num_similar)
    if not 0 <= eta <= 1:
        raise ValueError(f"η is {eta}; expected 0 to 1")
    rest = num_similar - 1
    return 1.0 if eta * num_similar <= (1 - eta) * rest else (1 - eta) * rest / (eta * num_similar)


def weight_of(confidence: float, num_similar: int) -> float:
    """Computes the η at whose minimum the primary class has a score: the inverse of u.

    Args:
      confidence: p; 1 asks for no tolerance. Below 1/K the primary class would not be the first.
      num_similar: K, the classes alike, with the primary one; at least 2.

    Returns:
      In [0, 1]; 0 for a confidence of 1.

    Raises:
      ValueError: out of range.
    """
    _check_similar(num_similar)
    if not 1 / num_similar < confidence <= 1:
        raise ValueError(
            f"the primary confidence is {confidence}; among {num_similar} similar classes it can "
            f"be above 1/{num_similar} and up to 1 (1 is no tolerance at all)"
        )
    if confidence == 1:
        return 0.0
    rest = num_similar - 1
    return rest / (num_similar * confidence + rest)


def sigmoid_weight_of(confidence: float) -> float:
    """Computes the η that holds a sigmoid score at a confidence.

    Sigmoid scores do not share one sum, so that of the primary class alone decides:
    −(1 − η) ln p + η p is least at p = (1 − η)/η. Scores of the next classes are pushed up by
    η/(K − 1) and end at 0 all the same unless η is above (K − 1)/K; they get there later.

    Args:
      confidence: p in (0, 1]; 1 asks for no tolerance.

    Returns:
      In [0, 1); 0 for a confidence of 1.

    Raises:
      ValueError: out of range.
    """
    if not 0 < confidence <= 1:
        raise ValueError(
            f"the primary confidence is {confidence}; expected above 0 and up to 1 (1 is no "
            "tolerance at all)"
        )
    return 0.0 if confidence == 1 else 1 / (1 + confidence)


def _check_similar(num_similar: int) -> None:
    if num_similar < 2:
        raise ValueError(f"{num_similar} similar classes; expected the primary one and 1 more")
