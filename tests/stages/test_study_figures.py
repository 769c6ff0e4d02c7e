import numpy as np

from kc_jax.stages import study_figures


def seed(gain: float) -> dict:
    methods = {"generalist": (0.5, 0.4), "soft": (0.6 + gain, 0.5), "specialists": (0.8, None)}
    return {"methods": {
        name: {"mean_vertical_ap": ap, "top1": top1} for name, (ap, top1) in methods.items()
    }}


def test_every_method_has_a_row_with_a_dot_a_seed_and_a_line_at_the_mean():
    figure = study_figures.methods_figure(["soft"], [seed(0.0), seed(0.1)])
    ap, top1 = figure.axes
    assert [label.get_text() for label in ap.get_yticklabels()] == [
        "generalist", "soft", "specialists"
    ]
    dots, mean = ap.lines[2:4]
    np.testing.assert_allclose(dots.get_xdata(), [60, 70])
    np.testing.assert_allclose(mean.get_xdata(), [65, 65])
    assert list(dots.get_ydata()) == [1, 1]
    assert len(ap.lines) == 6 and len(top1.lines) == 4  # Specialists have no top-1.


def test_methods_of_settings_keep_their_colour():
    results = [{"methods": {
        f"{setting}/{name}": {**values, "top1": 0.1 * number}
        for number, setting in enumerate(("right", "wrong"))
        for name, values in seed(0.0)["methods"].items() if name != "specialists"
    }}]
    (ap, _) = study_figures.methods_figure(["soft"], results).axes
    colours = [line.get_color() for line in ap.lines[::2]]
    assert colours[:2] == colours[2:] and colours[0] != colours[1]
