"""What images there are, what is kept of the teachers of them, and how answers are judged."""

import dataclasses
from typing import Annotated

from kc_jax.options import NotNegative, OneOf, Positive, Seed, Share

View = Annotated[str, OneOf(
    "glyph", "glyph_centre", "photo", "photo_centre", "small_photo", "small_photo_centre",
    "jittered_photo", "jittered_photo_centre",
)]


@dataclasses.dataclass(frozen=True)
class Data:
    """Says what images there are and how they are seen.

    Attributes:
      source: where records come from: images of yours in a ``folder``, a ``manifest``, or a dataset
        of ``tfds`` or ``huggingface``, which are packed at first use; ``packed`` for a folder so
        made; ``glyph_tree``; or ``declared`` for a label space without images, which serves
        `describe` and timing alone.
      variant: the source's own variant, such as ``embedded``.
      directory: where the source's data lies; empty for its default, such as a cache in the home.
      manifest: CSV, JSON lines or Parquet with a row an image.
      dataset: name of the dataset of ``tfds`` or ``huggingface``.
      image_key: feature or column of the image.
      label_key: feature or column of a class, its name or id, or of a list of them.
      vertical_key: that of the classes' vertical, or path above it; empty where labels are paths or
        a label space says it.
      id_key: that of a record's name; empty takes its path or place.
      confidence_key: that of the labels' confidences; empty where all labels count.
      min_confidence: that a label needs to count.
      label_space: CSV of your label space; empty makes it of the labels.
      train_split: the source's split to learn from; several are written a+b.
      test_split: its split to test on; empty takes test, validation or val, and where there is none
        ``held_out``, a part of the images chosen by a hash of their names.
      test_share: of the images, where held out.
      max_pixels: of an image; larger ones are left out.
      prepared: folder for packed images; empty for one in the user's home.
      num_classes: classes of a ``declared`` label space without a CSV.
      num_verticals: its verticals, of sizes that differ by at most one.
      verticals: ``given``, those of the source; ``discovered``, clusters of what a network
        confuses, which is trained first; ``permuted``, clusters of the same sizes with classes
        dealt to them at random, for comparison; or a CSV of clusters, as learn_structure writes it.
      image_size: height and width the network sees, pixels.
      channels: colour channels of an image.
      augmentation: the view drawn of the square in the middle of each training image: ``glyph`` of
        a white on black mask, ``photo``, a crop of random area, ``small_photo``, padded by 4 pixels
        and shifted, or ``jittered_photo``, turned, stretched, cropped and coloured at random; the
        last three are mirrored half the time, and the ``_centre`` of each leaves nothing to chance.
      test_augmentation: the view drawn of each test image.
      seed: of views.
      test_views: fixed views of each judged image.
      judged_on: ``test``, or ``validation`` to choose settings: a part of the training records that
        no network learns from then stands in for the test records.
      hold_out: whether that part is taken out of the training records where judged on ``test`` too,
        for clusters of classes to be found on.
      validation_share: of the training records, the part that is held out, by hash.
      label_noise: of the training records, the part whose labels are swapped for others of their
        verticals, to see what methods make of wrong labels; judged images keep theirs.
      labelled_share: of the training records, the part whose labels are known, by hash; of the
        others the verticals alone are, so that soft targets teach them and nothing else does.
      synthetic: nothing is read: noise takes the place of images, and every network is trained on
        one batch that lies on the device. For timing; works without images, as with ``declared``.
      num_records: of a split, where ``synthetic``; otherwise the source says.
      read_threads: that read, decode and assemble batches; no result depends on it.
      on_device: whether all training images are read first and lie on every device, which must have
        room for them: 4 KiB for a glyph of 64 × 64 pixels. No result depends on it.
    """

    source: str
    variant: str
    directory: str
    manifest: str
    dataset: str
    image_key: str
    label_key: str
    vertical_key: str
    id_key: str
    confidence_key: str
    min_confidence: float
    label_space: str
    train_split: str
    test_split: str
    test_share: Share
    max_pixels: Positive
    prepared: str
    num_classes: Positive
    num_verticals: Positive
    verticals: str
    image_size: Positive
    channels: Positive
    augmentation: View
    test_augmentation: View
    seed: Seed
    test_views: Positive
    judged_on: Annotated[str, OneOf("test", "validation")]
    hold_out: bool
    validation_share: Share
    label_noise: Share
    labelled_share: Share
    synthetic: bool
    num_records: Positive
    read_threads: Positive
    on_device: bool


@dataclasses.dataclass(frozen=True)
class SoftTargets:
    """Says what is kept of the teachers.

    Attributes:
      top_k: probabilities kept of each vertical that an image belongs to.
      num_views: stored augmented views of each image; a distilled student sees these in turn.
      batch_size: images a step of inference.
      verify_records: records of each vertical that `verify_soft_targets` computes anew.
      onnx_teachers: folder with an ONNX file for each vertical, which `write_soft_targets` asks in
        place of teachers of ours; empty for these. docs/your_own_teachers.md describes it.
      predictions: Parquet or JSONL file, or a folder of them, for `import_soft_targets`.
      prediction_kind: what they hold: ``probabilities``, or ``logits``, whose sigmoid is meant.
      missing: what `import_soft_targets` does with images without predictions: ``refuse``, or
        ``labels``, which lets them be learnt from their labels.
    """

    top_k: Positive
    num_views: Positive
    batch_size: Positive
    verify_records: Positive
    onnx_teachers: str
    predictions: str
    prediction_kind: Annotated[str, OneOf("probabilities", "logits")]
    missing: Annotated[str, OneOf("refuse", "labels")]


@dataclasses.dataclass(frozen=True)
class Evaluation:
    """Says how test images are judged.

    Attributes:
      batch_size: images a step, of all devices together.
      at_k: how many names the mean average precision at K looks at.
      gallery_size: test images on the report's page of examples.
      confusions: pairs of classes taken for one another that are shown of each vertical and of all.
      wanted_precision: share of right names among those that reach a vertical's threshold.
    """

    batch_size: Positive
    at_k: Positive
    gallery_size: NotNegative
    confusions: NotNegative
    wanted_precision: Share
