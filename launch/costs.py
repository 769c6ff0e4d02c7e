"""Reckons steps, bytes and hours of a run from what `describe` counted, line by line."""

import argparse
import dataclasses
from collections.abc import Sequence

from kc_jax.core.packing import RecordLayout

BLOCK_RECORDS, CHECKSUM_BYTES, INDEX_BYTES = 256, 4, 1  # docs/soft_target_store.md.
KEPT_CHECKPOINTS = 2  # train/checkpoint.py.
UPDATE_BYTES = 20  # Of a parameter with its sum and its gradient, as in docs/scaling_out.md.
GRADIENT_BYTES = 2 * 4  # Of a parameter: summed, then given to all.
SOFT_TARGETS = "write_soft_targets"
# The stages that are reckoned, and the network that each trains or asks.
NETWORK_OF = {
    "train_generalist": "generalist", "train_teachers": "teachers", SOFT_TARGETS: "teachers",
    "train_student": "student",
}
Line = tuple[str, str, str]


@dataclasses.dataclass(frozen=True)
class Machine:
    """Holds what is published of a machine, and what is assumed (the last two numbers).

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
      origin: where the numbers are from, for the page.
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
    origin: str = ""

    @property
    def hosts(self) -> int:
        return -(-self.devices // self.devices_per_host)

    @property
    def processes(self) -> int:
        return self.hosts * self.processes_per_host


@dataclasses.dataclass(frozen=True)
class Work:
    """Holds what one stage does.

    Attributes:
      name: for the page.
      passes: images that go through a network.
      passes_in_words: how they come about.
      multiply_adds: of an image, forward.
      params: that are trained; 0 where nothing is.
      batch_size: as configured: of all devices together where a network is trained, else of those
        of one process.
      read_threads: that read and decode in every process.
      num_parts: verticals that processes take whole; 0 where all processes share every batch.
    """

    name: str
    passes: int
    passes_in_words: str
    multiply_adds: int
    params: int
    batch_size: int
    read_threads: int
    num_parts: int = 0


@dataclasses.dataclass(frozen=True)
class Cost:
    """Holds what a stage costs on a machine.

    Attributes:
      lines: what, the arithmetic, its result.
      hours: by what takes them.
      steps: of the batch that all devices share.
      threads: that every process would need for decoding to take no longer than what follows it.
    """

    lines: list[Line]
    hours: dict[str, float]
    steps: int
    threads: int

    @property
    def longest(self) -> float:
        """Gives the hours of the stage: of what overlaps the largest counts."""
        return max(self.hours["decoding"], self.hours["reading"], _busy(self.hours))


def _busy(hours: dict[str, float]) -> float:
    """Adds what a process does with a batch that it has: the devices first, then top K."""
    return hours["devices"] + hours.get("top K", 0)


def reckoned(description: dict, config: dict) -> list[str]:
    """Lists the configured stages that are reckoned: their networks are counted.

    Args:
      description: what `describe` counted.
      config: of the run.
    """
    return [s for s in config["stages"] if NETWORK_OF.get(s) in description["networks"]]


def works(description: dict, config: dict, images: int) -> list[Work]:
    """Says what each stage does that is reckoned, in the order of the configuration.

    Args:
      description: what `describe` counted.
      config: of the run.
      images: to train on.
    """
    return [
        _asking(description, config, images) if stage == SOFT_TARGETS
        else _training(NETWORK_OF[stage], description, config, images)
        for stage in reckoned(description, config)
    ]


def _training(part: str, description: dict, config: dict, images: int) -> Work:
    counts, epochs = _one(description["networks"][part]), config[part]["num_epochs"]
    several = description["networks"][part].get("count")
    return Work(
        f"{several} {part}" if several else part, round(images * epochs),
        f"{images:,} images × {epochs:g} epochs", counts["multiply_adds"], counts["params"],
        config[part]["batch_size"], config["data"]["read_threads"],
    )


def _asking(description: dict, config: dict, images: int) -> Work:
    counts, options = _one(description["networks"]["teachers"]), config["soft_targets"]
    return Work(
        "soft targets", images * options["num_views"],
        f"{images:,} images × {options['num_views']} views", counts["multiply_adds"], 0,
        options["batch_size"], config["data"]["read_threads"], description["verticals"],
    )


def _one(network: dict) -> dict:
    """Gives the counts of one network, of several their mean."""
    return {key: network[key] // network.get("count", 1) for key in ("multiply_adds", "params")}


def cost(work: Work, machine: Machine, options: argparse.Namespace) -> Cost:
    """Reckons one stage on one machine, line by line.

    Args:
      work: the stage.
      machine: the machine.
      options: numbers of `cost_sheet.NUMBERS`, by their names.
    """
    images, waiting = _images(work, machine)
    batch, own, batches = _batch(work, machine, options)
    steps = -(-images // batch)
    seconds, computing = _step(work, machine, own)
    step = sum(seconds)
    hours = {"devices": steps * step / 3600}
    lines = [
        ("images through a network", work.passes_in_words, f"{work.passes:,}"),
        *waiting,
        *batches,
        ("steps", f"{images:,} / {batch:,}", f"{steps:,}"),
        *computing,
        ("hours: devices", f"{steps:,} × {_ms(step)} ms", f"{hours['devices']:.1f}"),
        *_input(images, work, machine, options, hours),
    ]
    if not work.params:
        rate = options.top_k_per_process
        hours["top K"] = images / (machine.processes * rate) / 3600
        lines.append((
            "hours: top K, on one core a process",
            f"{images:,} / ({machine.processes} processes × {rate:g}/s)", f"{hours['top K']:.1f}",
        ))
    needed = images / (_busy(hours) * 3600 * options.decoded_per_thread)
    return Cost(lines, hours, steps, -int(-needed // machine.processes))


def _images(work: Work, machine: Machine) -> tuple[int, list[Line]]:
    """Counts images as if every process had as many as the one that all wait for has."""
    if not work.num_parts:
        return work.passes, []
    most = -(-work.num_parts // machine.processes)
    images = -(-work.passes * machine.processes * most // work.num_parts)
    return images, [(
        "with waiting for the last process",
        f"{work.passes:,} × {machine.processes} processes × {most} of {work.num_parts} verticals",
        f"{images:,}",
    )]


def _batch(
    work: Work, machine: Machine, options: argparse.Namespace
) -> tuple[int, int, list[Line]]:
    """Gives the images a step of all devices and of one, and how they come about."""
    if options.batch_per_device:
        own = options.batch_per_device
        batch = own * machine.devices
        return batch, own, [("batch", f"{own} a device × {machine.devices} devices", f"{batch:,}")]
    batches = 1 if work.params else machine.processes
    batch = work.batch_size * batches
    own = -(-batch // machine.devices)
    shared = f" × {batches} processes" if not work.params else ", configured"
    return batch, own, [
        ("batch", f"{work.batch_size}{shared}", f"{batch:,}"),
        ("images a device", f"{batch:,} / {machine.devices} devices, rounded up", f"{own:,}"),
    ]


def _step(work: Work, machine: Machine, own: int) -> tuple[list[float], list[Line]]:
    """Reckons the seconds of what a device does in a step, one after the other."""
    factor = 6 if work.params else 2
    flops = own * work.multiply_adds * factor
    seconds = [flops / (machine.peak_flops * machine.utilisation)]
    lines = [
        ("operations a step and device",
         f"{own} images × {work.multiply_adds:,} multiply-adds × {factor}", f"{flops:.3e}"),
        ("ms a step: computing",
         f"{flops:.3e} / ({machine.peak_flops:.3g}/s × {machine.utilisation:g})",
         _ms(seconds[0])),
    ]
    for what, num_bytes, bandwidth in (
        ("updating parameters", UPDATE_BYTES, machine.memory_bandwidth),
        ("summing gradients", GRADIENT_BYTES, machine.link_bandwidth),
    ) if work.params else ():
        seconds.append(work.params * num_bytes / bandwidth)
        lines.append((
            f"ms a step: {what}", f"{work.params:,} × {num_bytes} bytes / {bandwidth:.3g}/s",
            _ms(seconds[-1]),
        ))
    return seconds, lines


def _input(
    images: int, work: Work, machine: Machine, options: argparse.Namespace, hours: dict
) -> list[Line]:
    """Adds the hours that images take before a device sees them; gives the lines."""
    threads = machine.hosts * min(
        machine.processes_per_host * work.read_threads, machine.vcpus_per_host
    )
    read = machine.hosts * machine.read_bandwidth_per_host
    hours["decoding"] = images / (threads * options.decoded_per_thread) / 3600
    hours["reading"] = images * options.image_bytes / read / 3600
    return [
        ("threads that decode",
         f"{machine.hosts} hosts × {machine.processes_per_host} processes × {work.read_threads}, "
         f"at most {machine.vcpus_per_host} vCPUs a host", f"{threads:,}"),
        ("hours: decoding images", f"{images:,} / ({threads:,} × {options.decoded_per_thread:g}/s)",
         f"{hours['decoding']:.1f}"),
        ("hours: reading images",
         f"{images:,} × {options.image_bytes:,} bytes / ({machine.hosts} hosts × "
         f"{machine.read_bandwidth_per_host:.3g}/s)", f"{hours['reading']:.1f}"),
    ]


def bytes_of(description: dict, config: dict, options: argparse.Namespace) -> list[Line]:
    """Reckons what lies on disks, in the memory of each process and on the devices.

    Args:
      description: what `describe` counted.
      config: of the run.
      options: numbers of `cost_sheet.NUMBERS`, by their names.
    """
    images, stages = options.images, reckoned(description, config)
    found = [
        ("images", f"{images:,} × {options.image_bytes:,} bytes", images * options.image_bytes)
    ]
    if SOFT_TARGETS in config["stages"]:
        found += _bytes_of_soft_targets(description, config["soft_targets"], images)
    trained = [NETWORK_OF[stage] for stage in stages if stage != SOFT_TARGETS]
    for name in trained:
        params = description["networks"][name]["params"]
        found.append((
            f"checkpoints: {name}",
            f"{params:,} parameters × (4 + 4 of the optimiser) × {KEPT_CHECKPOINTS} kept",
            params * 8 * KEPT_CHECKPOINTS,
        ))
    found.append((
        "names and labels, in the memory of every process",
        f"{images:,} × {options.record_memory} bytes", images * options.record_memory,
    ))
    return [
        *((what, how, _size(count)) for what, how, count in found),
        *_memory(description["memory"], config, trained),
    ]


def _bytes_of_soft_targets(description: dict, options: dict, images: int) -> list:
    top_k, views = options["top_k"], options["num_views"]
    classes = -(-description["classes"] // description["verticals"])
    record = RecordLayout(classes, min(top_k, classes)).num_bytes
    return [
        ("soft targets",
         f"{images:,} × {views} views × {record} bytes (K = {top_k} of {classes:,} classes)",
         images * views * record),
        ("their index and checksums",
         f"{images:,} × {INDEX_BYTES} + {images * views:,} × {CHECKSUM_BYTES} / {BLOCK_RECORDS}",
         images * INDEX_BYTES + images * views * CHECKSUM_BYTES // BLOCK_RECORDS),
    ]


def _memory(memory: dict, config: dict, trained: Sequence[str]) -> list[Line]:
    """Gives what `describe` counted of the fullest device; of teachers it counts none."""
    return [
        (f"a device's memory: {name}",
         f"a batch of {config[name]['batch_size']} on {memory['data']} × {memory['model']} devices "
         "(data × model), counted by describe",
         f"{sum(memory['bytes_per_device'][name].values()) / 2**20:,.1f} MiB")
        for name in trained if name in memory["bytes_per_device"]
    ]


def _ms(seconds: float) -> str:
    return f"{seconds * 1e3:.2f}"


def _size(count: int) -> str:
    unit = next(u for u in ("TB", "GB", "MB") if count >= {"TB": 1e12, "GB": 1e9, "MB": 0}[u])
    return f"{count / {'TB': 1e12, 'GB': 1e9, 'MB': 1e6}[unit]:,.2f} {unit}"
