import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from PIL import Image

from kc_jax.bundle import stream
from kc_jax.bundle.images import read_square
from tests.bundle import small


@pytest.fixture
def folder(tmp_path):
    """Gives 7 images, of which the third and the last are bad, and a file that is missing."""
    paths = []
    for index, pixels in enumerate(small.noise(7)):
        path = tmp_path / f"{index}.png"
        Image.fromarray(pixels).save(path)
        if index in (2, 6):
            path.write_bytes(b"nonsense")
        paths.append(str(path))
    return [*paths, str(tmp_path / "missing.png")]


@pytest.mark.parametrize("batch_size", [1, 2, 5, 64])
@pytest.mark.parametrize("threads", [1, 3])
def test_answers_come_in_order_whatever_the_batches(bundle, folder, batch_size, threads):
    answers = list(stream.answer_files(
        bundle, iter(folder), batch_size=batch_size, threads=threads, top=2
    ))
    assert [answer.file for answer in answers] == folder
    assert [answer.error is None for answer in answers] == [
        True, True, False, True, True, True, False, False
    ]
    for answer in answers:
        if answer.error is None:
            with open(answer.file, "rb") as file:
                image = read_square(bundle, file.read())
            [expected] = bundle.names(np.asarray(bundle.classify(image[None])), top=2)
            assert [name.class_id for name in answer.names] == [n.class_id for n in expected]
            np.testing.assert_allclose(
                [name.logit for name in answer.names], [n.logit for n in expected], rtol=1e-4
            )
    assert "missing.png" in answers[-1].file and "No such file" in str(answers[-1].error)


def test_one_program_serves_all_batches(bundle, folder, monkeypatch):
    sizes = []
    classify = type(bundle).classify
    monkeypatch.setattr(type(bundle), "classify", lambda self, images: (
        sizes.append(len(images)), classify(self, images)
    )[1])
    list(stream.answer_files(bundle, folder, batch_size=3))
    assert sizes == [3, 3]


def test_nothing_but_bad_files(bundle, folder):
    answers = list(stream.answer_files(bundle, [folder[2], folder[-1]], batch_size=2))
    assert all(answer.error is not None for answer in answers) and len(answers) == 2


def test_files_are_taken_as_they_are_needed(bundle, folder):
    taken = []

    def endless():
        while True:
            taken.append(folder[0])
            yield folder[0]

    answers = stream.answer_files(bundle, endless(), batch_size=2)
    next(answers)
    assert len(taken) < 20
    answers.close()


def test_mapping_ahead_keeps_order_and_its_bound():
    released, begun = threading.Event(), []

    def wait(item):
        begun.append(item)
        if item == 0:
            released.wait()
        return item

    drawn = []
    with ThreadPoolExecutor(4) as pool:
        results = stream.map_ahead(pool, wait, (drawn.append(i) or i for i in range(9)), ahead=3)
        released.set()
        assert next(results) == 0 and drawn == [0, 1, 2, 3]
        assert list(results) == list(range(1, 9))
