"""The papers' formulas once more, slow and plain, in float64 NumPy."""
