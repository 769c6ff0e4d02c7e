"""A small bundle of random weights, with two levels of ancestors, for whoever uses bundles."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from kc_jax.core import label_space
from kc_jax.core.head_spec import HeadSpec
from kc_jax.models.classifier import Classifier
from kc_jax.stages import export

PATHS = {
    "bird": ["bird", "bird/gull", "bird/gull/ring-billed gull", "bird/owl"],
    "car": ["car/coupé", "car/van"],
}
SPACE = label_space.from_rows([
    {"class_id": c, "name": path.split("/")[-1], "vertical": vertical, "path": path}
    for c, (vertical, path) in enumerate((v, p) for v, paths in PATHS.items() for p in paths)
])
CALIBRATION = {"verticals": {
    "bird": {"temperature": 2.0, "bias": -0.5, "threshold": 0.5},
    "car": {"temperature": 0.5, "bias": 0.25, "threshold": None},
}}
SIDE, SIZE = 9, 8
PREPROCESSING = {
    "side": SIDE, "channels": 3, "fit": "middle square", "dtype": "uint8", "value_range": [0, 255],
    "view": "photo_centre", "image_size": SIZE,
}


class Flatten(nn.Module):
    """Takes pixels as features."""

    @nn.compact
    def __call__(self, images, train):
        del train
        return images.reshape(images.shape[0], -1)


def facts(calibration=None, training_images=(0, 3, 5, 2, 4, 1)):
    """Gives what a bundle says besides the network."""
    return {
        "name": "small", "fingerprint": "0123", "label_space": SPACE.to_json(),
        "network": {
            "model": {"backbone": "pixels"}, "training": {"head": "FC6-SC4"}, "seed": 0,
            "params": 1234, "images_seen": 64, "auxiliary": [],
        },
        "data": {
            "source": "tfds_folder", "variant": "", "records": "4567", "num_records": 15,
            "num_unlabelled": 0,
            "judged_on": "test", "synthetic": False,
        },
        "preprocessing": PREPROCESSING, "training_images": list(training_images),
        "metrics": {
            "vertical_ap": {"bird": 0.5, "car": 0.25}, "mean_vertical_ap": 0.375, "top1": 0.125,
            "top5": 0.75,
        },
        "calibration": calibration,
    }


def network():
    """Gives the model and its variables."""
    model = Classifier(Flatten(), HeadSpec.parse("FC6-SC4"), SPACE.sizes, prior=0.2,
                       kernel_stddev=0.5)
    images = jnp.zeros((1, SIZE, SIZE, 3), jnp.float32)
    variables = model.init(jax.random.key(0), images, train=False)
    return model, jax.tree.map(np.asarray, variables)


def write(directory, **options):
    """Writes the bundle; gives its folder."""
    export.write_bundle(directory, facts(**options), *network())
    return directory


def noise(count, seed=0):
    """Gives images for it: u8[count, SIDE, SIDE, 3]."""
    shape = (count, SIDE, SIDE, 3)
    return np.random.default_rng(seed).integers(256, size=shape, dtype=np.uint8)
