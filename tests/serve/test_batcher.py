import asyncio
import threading

import numpy as np
import pytest

from kc_jax.serve.batcher import Batcher, batch_sizes, make_classify
from tests.bundle import small


def run(classify, asked, *, max_batch=4, max_wait=0.05):
    """Asks for all at once; gives the answers, or the errors in their place."""
    async def ask_all():
        async with Batcher(classify, max_batch, max_wait) as batcher:
            return await asyncio.gather(*map(batcher.ask, asked), return_exceptions=True)

    return asyncio.run(ask_all())


def test_images_that_come_together_share_batches_and_keep_their_answers():
    batches = []

    def classify(images):
        batches.append(list(images))
        return [10 * image for image in images]

    assert run(classify, range(10)) == [10 * i for i in range(10)]
    assert batches == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]


def test_a_lone_image_does_not_wait_for_ever():
    assert run(lambda images: images, [7], max_wait=0.01) == [7]


def test_what_arrives_while_the_network_is_busy_goes_together():
    busy, batches = threading.Event(), []

    def classify(images):
        batches.append(list(images))
        busy.wait()
        return images

    async def ask_all():
        async with Batcher(classify, 8, 0.0) as batcher:
            first = asyncio.create_task(batcher.ask(0))
            while not batches:
                await asyncio.sleep(0.001)
            others = [asyncio.create_task(batcher.ask(i)) for i in (1, 2, 3)]
            await asyncio.sleep(0)
            busy.set()
            return await asyncio.gather(first, *others)

    assert asyncio.run(ask_all()) == [0, 1, 2, 3]
    assert batches == [[0], [1, 2, 3]]


def test_an_error_reaches_those_who_asked_and_nobody_else():
    def classify(images):
        if 2 in images:
            raise RuntimeError("no")
        return images

    answers = run(classify, range(4), max_batch=2)
    assert answers[:2] == [0, 1] and all(isinstance(a, RuntimeError) for a in answers[2:])


def test_whoever_went_away_does_not_stop_the_others():
    async def ask_all():
        async with Batcher(lambda images: images, 4, 0.02) as batcher:
            gone, stays = (asyncio.create_task(batcher.ask(i)) for i in range(2))
            await asyncio.sleep(0)
            gone.cancel()
            return await stays

    assert asyncio.run(ask_all()) == 1


@pytest.mark.parametrize("largest, sizes", [
    (1, [1]), (2, [1, 2]), (4, [1, 4]), (16, [1, 4, 16]), (20, [1, 4, 16, 20]),
])
def test_sizes_that_are_compiled(largest, sizes):
    assert batch_sizes(largest) == sizes


def test_padding_changes_no_logits(bundle):
    images = list(small.noise(3))
    classify = make_classify(bundle, 5)
    np.testing.assert_allclose(
        classify(images), bundle.classify(np.stack(images)), rtol=1e-5, atol=1e-5
    )
