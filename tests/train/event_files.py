"""Reads TensorBoard's event files as TensorBoard does."""

import struct

from tensorboardX.proto import event_pb2, summary_pb2
from tensorboardX.record_writer import masked_crc32c


def read(directory):
    """Gives the values of all event files of a directory: {tag: [(step, value), …]}.

    The start of a session hides what earlier ones wrote of its step and later ones.
    """
    values = {}
    for path in sorted(directory.glob("events.out.tfevents.*")):
        for record in _records(path.read_bytes()):
            event = event_pb2.Event.FromString(record)
            if event.session_log.status == event_pb2.SessionLog.START:
                values = {tag: [x for x in old if x[0] < event.step] for tag, old in values.items()}
            for value in event.summary.value:
                assert isinstance(value, summary_pb2.Summary.Value)
                values.setdefault(value.tag, []).append((event.step, value.simple_value))
    return values


def _records(content):
    while content:
        header, (length, header_crc) = content[:8], struct.unpack("<QI", content[:12])
        data, (crc,) = content[12 : 12 + length], struct.unpack("<I", content[12 + length :][:4])
        assert (header_crc, crc) == (masked_crc32c(header), masked_crc32c(data))
        yield data
        content = content[16 + length :]
