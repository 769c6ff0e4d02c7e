import errno

import pytest

from kc_jax import disk_space


def test_a_disk_without_room_is_named(tmp_path):
    disk_space.check_space(tmp_path, 1, "the scores")
    with pytest.raises(disk_space.DiskSpaceError, match="the scores take 4294967296.0 GiB"):
        disk_space.check_space(tmp_path, 1 << 62, "the scores")


@pytest.mark.parametrize("error", [
    OSError(errno.ENOSPC, "No space left on device"),
    OSError(errno.EDQUOT, "Disk quota exceeded"),
    ValueError("RESOURCE_EXHAUSTED: Failed to write 9 bytes: No space left on device [os_error_c…"),
    RuntimeError("write() failed: No space left on device; writing x.array_record"),
    OSError("Not enough disk space. Needed: Unknown size"),
])
def test_whatever_a_library_makes_of_a_full_disk_the_folder_is_named(error, tmp_path):
    with pytest.raises(disk_space.DiskSpaceError) as caught:
        with disk_space.watched(tmp_path, "output"):
            raise error
    message = str(caught.value)
    assert message.startswith(f"{tmp_path} cannot be written, for its disk is full (")
    assert "are free); make room" in message and message.endswith("with --output=…")
    assert "\n" not in message


def test_a_file_that_the_system_names_is_named(tmp_path):
    with pytest.raises(disk_space.DiskSpaceError, match="^/far/away cannot be written"):
        with disk_space.watched(tmp_path):
            raise OSError(errno.ENOSPC, "No space left on device", "/far/away")


@pytest.mark.parametrize("error", [
    OSError(errno.EACCES, "Permission denied"), ValueError("a bug"),
    disk_space.DiskSpaceError("the inner folder: No space left on device"),
])
def test_other_errors_pass(error):
    with pytest.raises(type(error)) as caught:
        with disk_space.watched():
            raise error
    assert caught.value is error
