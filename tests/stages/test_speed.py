import pytest

from kc_jax.stages import speed


def manifest(images_seen, rate, wait, pipeline):
    return {"images_seen": images_seen, "images_per_second": rate, "input_wait": wait,
            "pipeline_images_per_second": pipeline}


def test_networks_count_with_their_time():
    slow, fast = manifest(1000, 10.0, 0.5, 100.0), manifest(1000, 40.0, 0.0, 400.0)
    assert speed.summarise([slow, fast]) == {
        "images_per_second": 16.0,  # 2,000 images in 100 + 25 seconds,
        "input_wait": 0.4,  # of which 50 were waited,
        "pipeline_images_per_second": 160.0,  # and 10 + 2.5 needed for input.
    }
    assert speed.summarise([slow]) == {
        key: pytest.approx(slow[key]) for key in slow if key != "images_seen"
    }


def test_networks_that_were_not_timed_are_left_out():
    timed, one_step = manifest(1000, 10.0, 0.5, 100.0), manifest(32, None, None, 100.0)
    older = {"images_seen": 1000}
    assert speed.summarise([timed, one_step, older]) == speed.summarise([timed])


def test_without_times_there_is_no_speed():
    assert speed.summarise([manifest(1000, 10.0, 0.25, None)]) == {
        "images_per_second": 10.0, "input_wait": 0.25, "pipeline_images_per_second": None,
    }
    assert set(speed.summarise([{"images_seen": 1000}]).values()) == {None}
