import numpy as np

from kc_jax.data import sources
from kc_jax.stages.gallery import Gallery
from tests.stages import shipped


def test_shows_the_first_views_first_names_of_records_of_all_verticals(data_directory):
    config = shipped.smoke(data_directory)
    source = sources.open_source(config.data, "test")
    space = sources.load_label_space(config.data)
    logits = np.random.default_rng(0).normal(size=(2 * len(source), space.num_classes))
    logits = logits.astype(np.float32)
    gallery = Gallery(5, source, space)
    for examples in np.array_split(np.arange(len(logits)), 7):
        gallery.add(examples, logits[examples])
    entries = gallery.entries(config)
    assert len({entry["record"] for entry in entries}) == 5
    first_classes = [source.labels[entry["record"]][0] for entry in entries]
    shown = space.vertical_of_class[first_classes[: space.num_verticals]]
    assert sorted(shown) == list(range(space.num_verticals))
    for entry in entries:
        labels = source.labels[entry["record"]]
        assert entry["labels"] == [space.names[c] for c in labels]
        best = np.argsort(-logits[entry["record"]])[:3]
        right = space.smear(labels)
        assert entry["names"] == [[space.names[c], c in right] for c in best]
        assert bytes.fromhex(entry["png"]).startswith(b"\x89PNG")
