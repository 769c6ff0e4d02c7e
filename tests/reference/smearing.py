"""Label smearing of Gao et al. (2017), section 3.1."""


def smear(labels, parents):
    """Adds all ancestors to an example's labels, one generation at a time."""
    smeared = set(labels)
    while True:
        larger = smeared | {parents[c] for c in smeared if parents[c] is not None}
        if larger == smeared:
            return sorted(smeared)
        smeared = larger
