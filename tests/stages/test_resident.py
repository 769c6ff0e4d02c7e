"""Images that lie on the devices."""

import numpy as np
import pytest

from kc_jax import sharding
from kc_jax.data import sources
from kc_jax.stages import resident, runner
from kc_jax.workdir import Workdir
from tests import eight_devices
from tests.stages import shipped


def test_each_record_of_a_batch_gets_its_image(data_directory):
    data = shipped.smoke(data_directory).data
    mesh = sharding.make_mesh(1, 1)
    source = sources.open_source(data, "train")
    record_ids = np.array([3, 0, len(source) - 1, 3], np.int32)
    add = resident.image_adder(data, mesh)
    batch = add(sharding.put_batch(mesh, {"record_id": record_ids, "mask": np.ones(4, bool)}))
    expected = np.stack([source.read(record) for record in record_ids])
    np.testing.assert_array_equal(batch["image"], expected)
    assert batch["image"].dtype == np.uint8 and set(batch) == {"record_id", "mask", "image"}
    assert resident.image_adder(data, mesh) is add


def test_no_bit_depends_on_where_images_lie(data_directory, tmp_path):
    digests = []
    for on_device in (False, True):
        config = shipped.smoke(data_directory, data__on_device=on_device)
        workdir = Workdir(tmp_path / str(on_device))
        runner.run_stages(config, workdir, ["train_generalist"])
        digests.append(shipped.digest(workdir.generalist))
    assert digests[0] == digests[1]
    config = shipped.smoke(data_directory)
    assert runner.STAGES["train_generalist"].run(config, workdir) is False  # Nor is it made anew.


@pytest.mark.slow
def test_every_one_of_eight_devices_has_the_images(data_directory, tmp_path):
    digests = []
    for on_device in (False, True):
        root = tmp_path / str(on_device)
        eight_devices.run_module(
            "kc_jax.main", "--config=configs/eft.py:smoke", "--stages=train_generalist",
            f"--config.data.directory={data_directory}", f"--workdir={root}",
            f"--config.data.on_device={on_device}",
        )
        digests.append(shipped.digest(Workdir(root).generalist))
    assert digests[0] == digests[1]
