import pytest

from kc_jax import disk_space


def test_a_disk_without_room_is_named(tmp_path):
    disk_space.check_space(tmp_path, 1, "the scores")
    with pytest.raises(disk_space.DiskSpaceError, match="the scores take 4294967296.0 GiB"):
        disk_space.check_space(tmp_path, 1 << 62, "the scores")
