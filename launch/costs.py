"""Reckons steps, bytes and hours of a run from what `describe` counted, line by line."""

import argparse
import dataclasses

from kc_jax.core.packing import RecordLayout

BLOCK_RECORDS, CHECKSUM_BYTES, INDEX_BYTES = 256, 4, 1  # docs/soft_target_store.md.
KEPT_CHECKPOINTS = 2  # train/checkpoint.py.
UPDATE_BYTES = 20  # Of a parameter with its sum and its gradient, as in docs/scaling_out.md.
GRADIENT_BYTES = 2 * 4  # Of a parameter: summed, then given to all.
Line = tuple[str, str, str]


@dataclasses.dataclass(frozen=True)
class Machine:
    """Holds what is published of a machine, and what is assumed (the last two).

    Attributes:
      name: for the page.
      devices: in all.
      devices_per_host: of them.
      processes_per_host: of kc_jax.
      vcpus_per_host: that decode images.
      peak_flops: of a device a second, dense, in bfloat16.
      memory_bandwidth: of a device's memory, bytes a second.
      link_bandwidth: of a device to the others, one way, bytes a second.
      utilisation: share of `peak_flops` that training reaches.
      read_bandwidth_per_host: of the file system, bytes a second.
    """

    name: str
    devices: int
    devices_per_host: int
    processes_per_host: int
    vcpus_per_host: int
    peak_flops: float
    memory_bandwidth: float
    link_bandwidth: float
    utilisation: float
    read_bandwidth_per_host: float

    @property
    def hosts(self) -> int:
        return -(-self.devices // self.devices_per_host)


@dataclasses.dataclass(frozen=True)
class Work:
    """Holds what one stage does.

    Attributes:
      name: for the page.
      passes: images that go through a network.
      passes_in_words: how they come about.
      multiply_adds: of an image, forward.
      params: that are trained; 0 where nothing is.
    """

    name: str
    passes: int
    passes_in_words: str
    multiply_adds: int
    params: int


@dataclasses.dataclass(frozen=True)
class Cost:
    """Holds what a stage costs on a machine.

    Attributes:
      lines: what, the arithmetic, its result.
      hours: by what takes them; they overlap, so the largest counts.
      steps: of the batch that all devices share.
    """

    lines: list[Line]
    hours: dict[str, float]
    steps: int


def works(description: dict, config: dict, images: int) -> list[Work]:
    """Lists the stages that ask the networks, from what `describe` counted."""
    networks, views = description["networks"], config["soft_targets"]["num_views"]
    teachers = networks["teachers"]
    mean = {key: teachers[key] // teachers["count"] for key in ("multiply_adds", "params")}

    def training(name: str, part: str, counts: dict) -> Work:
        epochs = config[part]["num_epochs"]
        words = f"{images:,} images × {epochs:g} epochs"
        return Work(name, round(images * epochs), words, counts["multiply_adds"], counts["params"])

    return [
        training("generalist", "generalist", networks["generalist"]),
        training(f"{teachers['count']} teachers", "teachers", mean),
        Work("soft targets", images * views, f"{images:,} images × {views} views",
             mean["multiply_adds"], 0),
        training("student", "student", networks["student"]),
    ]


def cost(work: Work, machine: Machine, options: argparse.Namespace) -> Cost:
    """Reckons one stage on one machine, line by line."""
    batch = options.batch_per_device * machine.devices
    steps = -(-work.passes // batch)
    factor = 6 if work.params else 2
    flops = options.batch_per_device * work.multiply_adds * factor
    seconds = {"computing": flops / (machine.peak_flops * machine.utilisation)}
    lines = [
        ("images through a network", work.passes_in_words, f"{work.passes:,}"),
        ("batch", f"{options.batch_per_device} a device × {machine.devices} devices", f"{batch:,}"),
        ("steps", f"{work.passes:,} / {batch:,}", f"{steps:,}"),
        ("operations a step and device",
         f"{options.batch_per_device} images × {work.multiply_adds:,} multiply-adds × {factor}",
         f"{flops:.3e}"),
        ("ms a step: computing",
         f"{flops:.3e} / ({machine.peak_flops:.3g}/s × {machine.utilisation:g})",
         _ms(seconds["computing"])),
    ]
    if work.params:
        seconds["updating"] = work.params * UPDATE_BYTES / machine.memory_bandwidth
        seconds["gradients"] = work.params * GRADIENT_BYTES / machine.link_bandwidth
        lines += [
            ("ms a step: updating parameters",
             f"{work.params:,} × {UPDATE_BYTES} bytes / {machine.memory_bandwidth:.3g}/s",
             _ms(seconds["updating"])),
            ("ms a step: summing gradients",
             f"{work.params:,} × {GRADIENT_BYTES} bytes / {machine.link_bandwidth:.3g}/s",
             _ms(seconds["gradients"])),
        ]
    step = sum(seconds.values())
    decoded = machine.hosts * machine.vcpus_per_host * options.decoded_per_vcpu
    read = machine.hosts * machine.read_bandwidth_per_host
    hours = {
        "devices": steps * step / 3600,
        "decoding": work.passes / decoded / 3600,
        "reading": work.passes * options.image_bytes / read / 3600,
    }
    lines += [
        ("hours: devices", f"{steps:,} × {_ms(step)} ms", f"{hours['devices']:.1f}"),
        ("hours: decoding images",
         f"{work.passes:,} / ({machine.hosts} hosts × {machine.vcpus_per_host} vCPUs × "
         f"{options.decoded_per_vcpu:g}/s)", f"{hours['decoding']:.1f}"),
        ("hours: reading images",
         f"{work.passes:,} × {options.image_bytes:,} bytes / ({machine.hosts} hosts × "
         f"{machine.read_bandwidth_per_host:.3g}/s)", f"{hours['reading']:.1f}"),
    ]
    if not work.params:
        processes = machine.hosts * machine.processes_per_host
        hours["top K"] = work.passes / (processes * options.top_k_per_process) / 3600
        lines.append((
            "hours: top K, on one core a process",
            f"{work.passes:,} / ({processes} processes × {options.top_k_per_process:g}/s)",
            f"{hours['top K']:.1f}",
        ))
    return Cost(lines, hours, steps)


def bytes_of(description: dict, config: dict, options: argparse.Namespace) -> list[Line]:
    """Reckons what lies on disks, and in the memory of each process."""
    images, networks = options.images, description["networks"]
    top_k, views = config["soft_targets"]["top_k"], config["soft_targets"]["num_views"]
    classes = -(-description["classes"] // description["verticals"])
    record = RecordLayout(classes, min(top_k, classes)).num_bytes
    overhead = images * INDEX_BYTES + images * views * CHECKSUM_BYTES // BLOCK_RECORDS
    lines = [
        ("images", f"{images:,} × {options.image_bytes:,} bytes", images * options.image_bytes),
        ("soft targets",
         f"{images:,} × {views} views × {record} bytes (K = {top_k} of {classes:,} classes)",
         images * views * record),
        ("their index and checksums",
         f"{images:,} × {INDEX_BYTES} + {images * views:,} × {CHECKSUM_BYTES} / {BLOCK_RECORDS}",
         overhead),
    ]
    for name in ("generalist", "teachers", "student"):
        params = networks[name]["params"]
        lines.append((
            f"checkpoints: {name}",
            f"{params:,} parameters × (4 + 4 for Adagrad's sums) × {KEPT_CHECKPOINTS} kept",
            params * 8 * KEPT_CHECKPOINTS,
        ))
    lines.append((
        "names and labels, in the memory of every process",
        f"{images:,} × {options.record_memory} bytes", images * options.record_memory,
    ))
    return [(what, how, _size(count)) for what, how, count in lines]


def _ms(seconds: float) -> str:
    return f"{seconds * 1e3:.2f}"


def _size(count: int) -> str:
    unit = next(u for u in ("TB", "GB", "MB") if count >= {"TB": 1e12, "GB": 1e9, "MB": 0}[u])
    return f"{count / {'TB': 1e12, 'GB': 1e9, 'MB': 1e6}[unit]:,.2f} {unit}"
