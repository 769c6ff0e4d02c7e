"""Tolerance in closed form: the weight of the score difference and the confidence it leads to.

Yang et al. (2018), section 3.3. A tolerant network is to give its primary class the score p and
its K − 1 next ones the rest in equal parts. Eq. 3 is then −(1 − η) ln p + η (p − (1 − p)/(K − 1)),
which is least at p = u(η) = (1 − η)(K − 1)/(η K).
"""


def confidence_of(eta: float, num_similar: int) -> float:
    """Computes u(η), the score of the primary class at the minimum of Eq. 3.

    Args:
      eta: weight of the score difference, from 0 to (K − 1)/K, which makes all K classes alike.
      num_similar: K, the classes alike, with the primary one; at least 2.

    Returns:
      From 1/K to 1; 1 where η is too small to keep the score from it.

    Raises:
      ValueError: out of range.
    """
    _check_similar(num_similar)
    rest = num_similar - 1
    if not 0 <= eta <= rest / num_similar:
        raise ValueError(
            f"η is {eta}; among {num_similar} similar classes it can be 0 to {rest}/{num_similar}: "
            f"beyond it the primary score would be below 1/{num_similar} and not the first"
        )
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
    _check_confidence(confidence, num_similar)
    if confidence == 1:
        return 0.0
    rest = num_similar - 1
    return rest / (num_similar * confidence + rest)


def sigmoid_weight_of(confidence: float, num_similar: int) -> float:
    """Computes the η that holds a sigmoid score at a confidence, in an image of one label.

    Sigmoid scores do not share one sum, so that of the primary class alone decides:
    −(1 − η) ln p + η p is least at p = (1 − η)/η. Each of the next classes has the terms
    −(1 − η) ln(1 − q) − η q/(K − 1), least at q = max(0, 1 − (K − 1) p): nothing is left to them in
    the end unless p is below 1/(K − 1), as it always is where K is 2. At p = 1/K they reach p.

    Args:
      confidence: p; 1 asks for no tolerance. At 1/K and below no class would be the first.
      num_similar: K, the classes alike, with the primary one; at least 2.

    Returns:
      In [0, 1); 0 for a confidence of 1.

    Raises:
      ValueError: out of range.
    """
    _check_confidence(confidence, num_similar)
    return 0.0 if confidence == 1 else 1 / (1 + confidence)


def _check_confidence(confidence: float, num_similar: int) -> None:
    _check_similar(num_similar)
    if not 1 / num_similar < confidence <= 1:
        raise ValueError(
            f"the primary confidence is {confidence}; among {num_similar} similar classes it can "
            f"be above 1/{num_similar} and up to 1 (1 is no tolerance at all)"
        )


def _check_similar(num_similar: int) -> None:
    if num_similar < 2:
        raise ValueError(f"{num_similar} similar classes; expected the primary one and 1 more")
