"""A folder of photographs: root/<vertical>/…/<class>/*.jpg. No code; one command does everything.

python -m kc_jax.main --config=configs/folder.py --config.data.directory=…        # 224 pixels
python -m kc_jax.main --config=configs/folder.py:small --config.data.directory=…  # 64 pixels
python -m kc_jax.prepare --config=configs/folder.py --config.data.directory=…     # packs only

The images are packed at first use; docs/your_own_data.md has other sources (manifests, TFDS,
Hugging Face), which take the same presets.

Cost, three trainings of 20 epochs: at 224 pixels Inception-V2 takes 1.94 G multiply-adds an image
forward (`--stages=describe`), so it wants an accelerator. `small` is for a look on a CPU:
2 busy cores trained 190 images of 64 pixels a second, which is about 3 hours for 30,000 images.
Rates and student of `small` are those that did best on 3,450 photographs of 46 classes at 32 pixels
(docs/results/photographs.md, starts.md); rates of `photographs` were not searched for. The student
starts from the generalist and learns from labels: soft targets cost a point of AP from there,
nothing where specialists train four times as long (docs/results/longer_specialists.md), and gain
two where most images have no label (docs/results/few_labels.md). Where you ask them, 20 views of
an image are stored, one for each epoch of the student; keep the two numbers equal:

  --stages=train_generalist,train_teachers,write_soft_targets,train_student,evaluate,report,export \
  --config.teachers.num_epochs=80.0 \
  --config.student.name=distilled --config.student.distill_weight=0.5
"""

from configs import common


def get_config(preset: str = "photographs"):
    """Gives a preset.

    Args:
      preset: ``photographs`` or ``small``.
    """
    presets = {"photographs": photographs, "small": small}
    if preset not in presets:
        raise ValueError(f"preset {preset!r} is unknown; expected one of {', '.join(presets)}")
    config = common.get_config("folder" if preset == "photographs" else f"folder_{preset}")
    common.own_photographs(config, "folder")
    config.data.update({"image_key": "path", "label_key": "label"})
    return presets[preset](config)


def photographs(config):
    """Inception-V2 at 224 pixels, 20 epochs in batches of 64."""
    return common.at_224_pixels(config, bottleneck=64)


def small(config):
    """A small network at 64 pixels, 20 epochs in batches of 32."""
    config.data.image_size = 64
    config.generalist.head = "FC256-FC32"
    config.generalist.optimizer.learning_rate = 0.04
    config.teachers.head = "FC256-FC128"
    config.student.head = "FC256-SC32"
    config.student.optimizer.learning_rate = 0.04
    return config
