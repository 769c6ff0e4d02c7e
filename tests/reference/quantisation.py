"""The levels of log-odds, by a search over a plain list of all of them."""

SEGMENTS = [  # From, to, and the steps between them: the table of docs/soft_target_store.md.
    (-16.0, -12.0, 174), (-12.0, -9.7, 300), (-9.7, -1.0, 4375), (-1.0, 1.0, 736),
    (1.0, 5.0, 2010), (5.0, 8.0, 450), (8.0, 16.0, 146),
]


def all_log_odds():
    """Lists what every level stands for."""
    values = [SEGMENTS[0][0]]
    for start, end, steps in SEGMENTS:
        values += [start + (end - start) * (i + 1) / steps for i in range(steps)]
    return values


def nearest_level(log_odds, values):
    return min(range(len(values)), key=lambda level: abs(values[level] - log_odds))
