"""A short film of a sunrise, written bit by bit: an MP4 file that players play.

Every frame is H.264 in its plainest form: uncompressed macroblocks ("I_PCM"), so that no encoder is
needed. The numbers in comments are clauses of ITU-T H.264; the boxes are those of ISO/IEC 14496-12 and -15.
"""

import re
import struct
from collections.abc import Iterator

WIDTH, HEIGHT = 96, 64
FRAMES, FRAMES_PER_SECOND = 12, 2

_PROFILE = bytes([66, 0xC0, 20])  # constrained baseline, level 2
_MATRIX = struct.pack(">9I", 0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000)


class _Bits:
    """A string of bits that grows at its end."""

    def __init__(self) -> None:
        self._bits = ""

    def fixed(self, value: int, width: int) -> "_Bits":
        self._bits += f"{value:0{width}b}"
        return self

    def golomb(self, *values: int) -> "_Bits":
        """Exponential Golomb codes (9.1): leading zeros tell the width."""
        for value in values:
            digits = f"{value + 1:b}"
            self._bits += "0" * (len(digits) - 1) + digits
        return self

    def aligned(self) -> bytes:
        """The bits, filled up with zeros to whole bytes."""
        filled = self._bits + "0" * (-len(self._bits) % 8)
        return int(filled, 2).to_bytes(len(filled) // 8, "big")

    def ended(self) -> bytes:
        """The bits with the stop bit behind them (7.3.2.11)."""
        self._bits += "1"
        return self.aligned()


def _unit(head: int, payload: bytes) -> bytes:
    """A NAL unit; what looks like a start code within it is broken by a 3 (7.4.1)."""
    return bytes([head]) + re.sub(rb"\x00\x00(?=[\x00-\x03])", b"\x00\x00\x03", payload)


def _sequence_parameters() -> bytes:
    bits = _Bits().golomb(0, 0, 2, 1).fixed(0, 1)  # id, frame numbers of 4 bits, order as decoded, one reference
    bits.golomb(WIDTH // 16 - 1, HEIGHT // 16 - 1).fixed(0b1100, 4)  # whole frames, no cropping, nothing more
    return _unit(0x67, _PROFILE + bits.ended())


def _picture_parameters() -> bytes:
    bits = _Bits().golomb(0, 0).fixed(0, 2).golomb(0, 0, 0).fixed(0, 3)  # ids, no arithmetic coding, no weights
    bits.golomb(0, 0, 0).fixed(0b100, 3)  # quantisers unused; slices may switch the deblocking filter off
    return _unit(0x68, bits.ended())


def _frame(number: int) -> bytes:
    """One picture that needs no other (7.3.3): every macroblock is its 384 samples."""
    bits = _Bits().golomb(0, 7, 0).fixed(0, 4).golomb(number % 2).fixed(0, 2)  # an I slice of an IDR picture
    bits.golomb(0, 1)  # no change of the quantiser, no deblocking
    blocks = [(x, y) for y in range(0, HEIGHT, 16) for x in range(0, WIDTH, 16)]
    payload = b""
    for x, y in blocks:
        payload += bits.golomb(25).aligned() + b"".join(_samples(number, x, y))  # mb_type I_PCM
        bits = _Bits()
    return _unit(0x65, payload + bits.ended())


def _samples(number: int, left: int, top: int) -> Iterator[bytes]:
    """Brightness of 16 × 16 points, then the two colour differences of 8 × 8."""
    for plane, step in enumerate((1, 2, 2)):
        yield bytes(
            _colour(number, x, y)[plane] for y in range(top, top + 16, step) for x in range(left, left + 16, step)
        )


def _colour(number: int, x: int, y: int) -> tuple[int, int, int]:
    """The scene: a sun that rises behind two hills. Within 16 to 240, as video wants it."""
    light = number / (FRAMES - 1)
    hill = min(HEIGHT - 18 + (x - 26) ** 2 // 90, HEIGHT - 12 + (x - 74) ** 2 // 60)
    if y > hill:
        return round(40 + 50 * light), 110, 116
    sun = HEIGHT - 14 - round(light * 34)
    if (x - 52) ** 2 + (y - sun) ** 2 < 90:
        return 220, 60, 160
    return round(50 + 110 * light + y * 0.6), round(150 - y * 0.5), round(118 + 30 * (1 - light) * y / HEIGHT)


def _box(kind: bytes, *contents: bytes) -> bytes:
    content = b"".join(contents)
    return struct.pack(">I", 8 + len(content)) + kind + content


def _full(kind: bytes, *contents: bytes, flags: int = 0) -> bytes:
    """A box with version 0 and flags."""
    return _box(kind, struct.pack(">I", flags), *contents)


def _sample_entry(sequence: bytes, picture: bytes) -> bytes:
    configuration = b"\x01" + _PROFILE + b"\xff\xe1" + struct.pack(">H", len(sequence)) + sequence
    configuration += b"\x01" + struct.pack(">H", len(picture)) + picture
    return _box(
        b"avc1",
        bytes(6) + struct.pack(">H", 1) + bytes(16),
        struct.pack(">HHIIIH", WIDTH, HEIGHT, 0x480000, 0x480000, 0, 1),  # 72 dots an inch, one frame a sample
        bytes(32) + struct.pack(">Hh", 24, -1),
        _box(b"avcC", configuration),
    )


def _movie(sizes: list[int], first: int) -> bytes:
    """The index: where the frames are (from byte `first`, one behind the other) and how long each lasts."""
    duration = struct.pack(">I", len(sizes))
    entry = _sample_entry(_sequence_parameters(), _picture_parameters())
    table = _box(
        b"stbl",
        _full(b"stsd", struct.pack(">I", 1), entry),
        _full(b"stts", struct.pack(">3I", 1, len(sizes), 1)),
        _full(b"stsc", struct.pack(">4I", 1, 1, len(sizes), 1)),
        _full(b"stsz", struct.pack(f">{len(sizes) + 2}I", 0, len(sizes), *sizes)),
        _full(b"stco", struct.pack(">2I", 1, first)),
    )
    here = _box(b"dinf", _full(b"dref", struct.pack(">I", 1), _full(b"url ", flags=1)))
    times = bytes(8) + struct.pack(">I", FRAMES_PER_SECOND) + duration
    media = _box(
        b"mdia",
        _full(b"mdhd", times, struct.pack(">HH", 0x55C4, 0)),  # language: undetermined
        _full(b"hdlr", bytes(4) + b"vide" + bytes(12) + b"Sunrise\x00"),
        _box(b"minf", _full(b"vmhd", bytes(8), flags=1), here, table),
    )
    track = _full(
        b"tkhd",
        bytes(8) + struct.pack(">II", 1, 0) + duration + bytes(16) + _MATRIX,
        struct.pack(">II", WIDTH << 16, HEIGHT << 16),
        flags=3,
    )
    head = _full(
        b"mvhd",
        times,
        struct.pack(">IHH", 0x10000, 0x100, 0) + bytes(8) + _MATRIX + bytes(24) + struct.pack(">I", 2),
    )
    return _box(b"moov", head, _box(b"trak", track, media))


def sunrise() -> bytes:
    """The film: six seconds, about 110 kB, the same bytes every time."""
    frames = [_frame(number) for number in range(FRAMES)]
    samples = [struct.pack(">I", len(frame)) + frame for frame in frames]
    kind = _box(b"ftyp", b"isom", struct.pack(">I", 512), b"isomavc1mp41")
    data = _box(b"mdat", *samples)
    return kind + data + _movie([len(sample) for sample in samples], len(kind) + 8)
