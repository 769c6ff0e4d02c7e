"""What the presets share: every option there is, with values for the embedded glyphs."""

import ml_collections


def optimizer(learning_rate: float) -> ml_collections.ConfigDict:
    """Gives Adagrad with a warm-up and a cosine decay."""
    return ml_collections.ConfigDict({
        "kind": "adagrad",
        "learning_rate": learning_rate,
        "initial_accumulator": 0.03,
        "momentum": 0.9,
        "clip_norm": 0.0,
        "weight_decay": 0.0,
        "schedule": "cosine",
        "warmup": 0.02,
        "milestones": (0.5, 0.75),
        "multipliers": {
            "backbone": 1.0, "trunk": 1.0, "bottleneck": 1.0, "logits": 1.0, "pace": 1.0,
            "auxiliary": 1.0,
        },
    })


def training(head: str, num_epochs: float, learning_rate: float) -> ml_collections.ConfigDict:
    """Gives a training from scratch on hard labels."""
    return ml_collections.ConfigDict({
        "head": head,
        "init_from": "scratch",
        "init_parts": ("backbone", "trunk"),
        "num_epochs": num_epochs,
        "batch_size": 32,
        "microbatches": 1,
        "balance": "none",
        "balance_strength": 0.5,
        "label_smearing": False,
        "loss": "sigmoid",
        "tolerance": {"confidence": 1.0, "num_similar": 5},
        "distill_weight": 0.0,
        "temperature": 1.0,
        "optimizer": optimizer(learning_rate),
        "self_paced": {
            "level": "none", "initial": "sqrt_size", "scale": 1.0, "deviation": 1e-3,
        },
    })


def get_config(name: str) -> ml_collections.ConfigDict:
    """Gives the options that presets start from.

    Args:
      name: of the run, which is also its default working directory under ``runs/``.
    """
    config = ml_collections.ConfigDict()
    config.name = name
    config.seed = 0
    config.stages = (
        "describe", "train_generalist", "train_teachers", "write_soft_targets", "train_student",
        "evaluate", "report",
    )
    config.data = {
        "source": "glyph_tree",
        "variant": "embedded",
        "directory": "",
        "manifest": "",
        "dataset": "",
        "image_key": "image",
        "label_key": "class_id",
        "vertical_key": "",
        "id_key": "",
        "confidence_key": "",
        "min_confidence": 0.0,
        "label_space": "",
        "train_split": "train",
        "test_split": "",
        "test_share": 0.2,
        "max_pixels": 64_000_000,
        "prepared": "",
        "num_classes": 1000,
        "num_verticals": 20,
        "verticals": "given",
        "image_size": 32,
        "channels": 1,
        "augmentation": "glyph",
        "test_augmentation": "glyph",
        "seed": 0,
        "test_views": 5,
        "judged_on": "test",
        "hold_out": False,
        "validation_share": 0.2,
        "label_noise": 0.0,
        "labelled_share": 1.0,
        "synthetic": False,
        "num_records": 6_400,
        "read_threads": 1,
        "on_device": False,
    }
    config.model = {
        "backbone": "small_conv",
        "backbone_options": {
            "cifar_resnet": {"depth": 20},
            "convnext_tiny": {"stage_sizes": (3, 3, 9, 3), "widths": (96, 192, 384, 768)},
            "densenet": {"depth": 100, "growth": 12},
            "inception_v2": {"base": "mixed_5c"},
            "resnet18": {"stage_sizes": (2, 2, 2, 2), "width": 64, "block": "basic"},
            "resnet50": {"stage_sizes": (3, 4, 6, 3), "width": 64, "block": "bottleneck"},
            "small_conv": {"features": (64, 96, 96)},
        },
        "backbone_init_from": "",
        "backbone_freeze": False,
        "kernel_stddev": 0.0,
        "compute_dtype": "float32",
    }
    config.generalist = training("FC256-FC8", num_epochs=20.0, learning_rate=0.08)
    config.teachers = training("FC256-FC128", num_epochs=20.0, learning_rate=0.03)
    config.teachers.update({"init_from": "generalist", "label_smearing": True})
    # What the generalist knows is to be kept: its parts move slowly, from full accumulators.
    config.teachers.optimizer.initial_accumulator = 0.1
    config.teachers.optimizer.multipliers.update({"backbone": 0.3, "trunk": 0.3})
    config.soft_targets = {
        "top_k": 100, "num_views": 8, "batch_size": 256, "verify_records": 32,
        "onnx_teachers": "", "predictions": "", "prediction_kind": "probabilities",
        "missing": "refuse",
    }
    config.generations = training("FC256-FC8", num_epochs=20.0, learning_rate=0.08)
    config.generations.update({
        "name": "tolerant", "num_generations": 5, "teacher_signal": "computed",
        "loss": "softmax", "tolerance": {"confidence": 0.6}, "distill_weight": 0.6,
    })
    config.student = training("FC256-SC8", num_epochs=20.0, learning_rate=0.08)
    config.student.update({"name": "student", "init_from": "generalist"})
    config.structure = {
        "name": "confusions", "base": "generalist", "answers": "network",
        "similarity": "confusions", "top_k": 100,
        "num_clusters": 6, "largest": 0.0, "permuted": False, "widths": (512, 512),
        "attach": "backbone", "learn": "heads", "num_epochs": 20.0, "batch_size": 32,
        "microbatches": 1, "optimizer": optimizer(0.08),
    }
    config.evaluation = {
        "batch_size": 256, "at_k": 50, "gallery_size": 60, "confusions": 12,
        "wanted_precision": 0.9,
    }
    config.mesh = {"data": -1, "model": 1, "layout": "auto", "tile": 0}
    config.running = {
        "checkpoint_every_steps": 500, "log_every_steps": 20, "may_leave_out": 0,
        "print_every_seconds": 5.0,
        "teacher_processes": 0,
        "sinks": ("tensorboard",),
        "vertical": "",
    }
    return config


def photographs(config: ml_collections.ConfigDict, num_classes: int, num_verticals: int) -> None:
    """Sets photographs of 224 pixels that are yet to be provided, of so many classes."""
    config.data.update({
        "source": "declared", "variant": "", "num_classes": num_classes,
        "num_verticals": num_verticals, "image_size": 224, "channels": 3, "augmentation": "photo",
        "test_augmentation": "photo_centre", "test_views": 1, "read_threads": 4,
    })
    config.running.teacher_processes = 1  # Large networks fill all cores.


def own_photographs(config: ml_collections.ConfigDict, source: str) -> None:
    """Sets photographs that a user brings, and a student that learns from their labels.

    Nobody reads soft targets then, so none are written; specialists are there for comparison.
    Where soft targets are asked for, they have a view for each of 20 epochs.

    Args:
      config: what `get_config` gave.
      source: of the records, as `config.data.source` has it.
    """
    photographs(config, num_classes=1000, num_verticals=20)
    config.data.source = source
    config.soft_targets.num_views = 20
    config.stages = (
        "train_generalist", "train_teachers", "train_student", "evaluate", "report", "export",
    )


def at_224_pixels(
    config: ml_collections.ConfigDict, bottleneck: int
) -> ml_collections.ConfigDict:
    """Sets Inception-V2 and batches of 64, with bottlenecks of so many units, for photographs."""
    inception(config, base="mixed_5c")
    config.generalist.head = f"FC1024-FC{bottleneck}"
    config.teachers.head = "FC1024-FC256"
    config.student.head = f"FC1024-SC{bottleneck}"
    for network in (config.generalist, config.teachers, config.student):
        network.batch_size = 64
    config.running.update({"checkpoint_every_steps": 2_000, "log_every_steps": 100})
    return config


def inception(config: ml_collections.ConfigDict, base: str) -> None:
    """Sets Inception-V2 as the backbone, cut at ``mixed_5c`` or ``mixed_3c``."""
    config.model.backbone = "inception_v2"
    config.model.backbone_options.inception_v2.base = base


def as_in_the_paper(config: ml_collections.ConfigDict) -> None:
    """Sets how the paper trains: Adagrad at 0.001, batches of 64, 5 epochs, K = 100."""
    config.teachers.init_from = config.student.init_from = "scratch"
    config.student.distill_weight = 1.0
    config.student.self_paced.level = "vertical"
    for network in (config.generalist, config.teachers, config.student):
        network.num_epochs = 5.0
        network.batch_size = 64
        network.optimizer.update({
            "learning_rate": 0.001, "initial_accumulator": 0.1, "schedule": "constant",
            "warmup": 0.0,
        })
        network.optimizer.multipliers.update(dict.fromkeys(network.optimizer.multipliers, 1.0))
    config.soft_targets.update({"top_k": 100, "num_views": 5})
    config.running.update({"checkpoint_every_steps": 10_000, "log_every_steps": 100})


def sgd(
    config: ml_collections.ConfigDict, learning_rate: float, milestones: tuple[float, ...]
) -> ml_collections.ConfigDict:
    """Sets SGD with Nesterov's momentum for baseline and generations, as Yang et al. (2018)."""
    for network in (config.generalist, config.generations):
        network.optimizer.update({
            "kind": "sgd", "learning_rate": learning_rate, "momentum": 0.9, "weight_decay": 1e-4,
            "schedule": "steps", "warmup": 0.0, "milestones": milestones,
        })
    return config
