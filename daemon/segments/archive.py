"""A zip archive whose members can be replaced without touching a byte of the others.

It is read from its central directory, as readers of Office files do, and written by patching: a replaced
member gets new data, sizes and checksum; of the others only the offsets move. Names, order, times, extra
fields and comments stay.

What could be an attack or cannot be kept faithfully is refused: encryption, members with one name or with
common bytes, too many members, too much to unpack, several disks, zip64.
"""

import struct
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from daemon.segments.splice import NotSegmentableError, patch

# The layouts of the format's own description (APPNOTE.TXT 4.3.7, 4.3.12, 4.3.16), little-endian.
_LOCAL = struct.Struct("<4s5H3L2H")
_ENTRY = struct.Struct("<4s6H3L5H2L")
_END = struct.Struct("<4s4H2LH")
_FLAGS, _SIZES, _OFFSET = struct.Struct("<H"), struct.Struct("<3L"), struct.Struct("<L")
_LOCAL_FLAGS_AT, _LOCAL_SIZES_AT = 6, 14
_ENTRY_FLAGS_AT, _ENTRY_SIZES_AT, _ENTRY_OFFSET_AT = 8, 16, 42
_END_OFFSET_AT = 16
_ZIP64_LOCATOR = b"PK\x06\x07", 20
_DESCRIPTOR_SIGNATURE = b"PK\x07\x08"
_LONGEST_COMMENT = 0xFFFF
_WIDE = 0xFFFFFFFF  # "see the zip64 field"
_STORED, _DEFLATED = 0, 8
_ENCRYPTED = 1 << 0 | 1 << 6 | 1 << 13
_DESCRIPTOR = 1 << 3  # sizes and checksum stand behind the data
_UTF8 = 1 << 11
_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"

_MOST_MEMBERS = 10_000
_MOST_BYTES = 1 << 30  # of all members unpacked
_MOST_READ = 1 << 25  # of the members that are read; what is made of them takes some twenty times as much
_HIGHEST_RATIO = 200  # of a member over a mebibyte; text reaches 20 to 50
_RATIO_FROM = 1 << 20


@dataclass(frozen=True, kw_only=True, slots=True)
class _Member:
    flags: int
    method: int
    checksum: int
    packed: int
    size: int
    entry: int
    """Where its entry in the central directory starts."""
    local: int
    """Where its record starts; `data` where the packed bytes do, `end` behind them and their descriptor."""
    data: int
    end: int


class Archive:
    """Raises NotSegmentableError when the bytes are no archive, or one that is refused."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._read = 0
        self._end, self._directory, size, count = _find_end(data)
        self._members = self._read_directory(self._directory + size, count)
        self._check_bounds()

    def __iter__(self) -> Iterator[str]:
        """The members' names in the order of the directory."""
        return iter(self._members)

    def read(self, name: str) -> bytes:
        """Raises NotSegmentableError when the member is damaged or packed in a rare way, or all that is read is too
        much to be taken apart in memory.
        """
        member = self._members[name]
        self._read += member.size
        if self._read > _MOST_READ:
            raise NotSegmentableError(f"there is more text up to {name} in the archive than in any document")
        packed = self._data[member.data : member.data + member.packed]
        if member.method == _STORED:
            content = packed
        elif member.method == _DEFLATED:
            try:
                content = zlib.decompressobj(-zlib.MAX_WBITS).decompress(packed, member.size + 1)
            except zlib.error as error:
                raise NotSegmentableError(f"{name} in the archive is damaged: {error}") from None
        else:
            raise NotSegmentableError(f"{name} in the archive is packed in a way that is not known here")
        if len(content) != member.size or zlib.crc32(content) != member.checksum:
            raise NotSegmentableError(f"{name} in the archive is damaged: its checksum or size is wrong")
        return content

    def rebuild(self, contents: Mapping[str, bytes]) -> bytes:
        """The archive with these members replaced; with none it is the same bytes."""
        edits: list[tuple[int, int, bytes]] = []
        moved = 0

        def put(at: int, layout: struct.Struct, *values: int) -> None:
            edits.append((at, at + layout.size, layout.pack(*values)))

        for name, member in sorted(self._members.items(), key=lambda item: item[1].local):
            put(member.entry + _ENTRY_OFFSET_AT, _OFFSET, member.local + moved)
            if name in contents:
                content = contents[name]
                packed = _pack(content, member.method)
                for flags_at, sizes_at in (
                    (member.local + _LOCAL_FLAGS_AT, member.local + _LOCAL_SIZES_AT),
                    (member.entry + _ENTRY_FLAGS_AT, member.entry + _ENTRY_SIZES_AT),
                ):
                    put(flags_at, _FLAGS, member.flags & ~_DESCRIPTOR)
                    put(sizes_at, _SIZES, zlib.crc32(content), len(packed), len(content))
                edits.append((member.data, member.end, packed))
                moved += len(packed) - (member.end - member.data)
        put(self._end + _END_OFFSET_AT, _OFFSET, self._directory + moved)
        return patch(self._data, sorted(edits))

    def _read_directory(self, end: int, count: int) -> dict[str, _Member]:
        members: dict[str, _Member] = {}
        taken = set()
        unpacked = 0
        at = self._directory
        for _ in range(count):
            name, member, at = self._read_entry(at)
            if name.lower() in taken:
                raise NotSegmentableError(f"the archive holds {name} twice")
            taken.add(name.lower())
            members[name] = member
            unpacked += member.size
        if at != end:
            raise _damaged()
        if unpacked > _MOST_BYTES:
            raise NotSegmentableError("the archive would take too much room unpacked")
        return members

    def _read_entry(self, at: int) -> tuple[str, _Member, int]:
        fields = _unpack(_ENTRY, self._data, at, b"PK\x01\x02")
        _, _, _, flags, method, _, _, checksum, packed, size, *lengths, disk, _, _, local = fields
        behind = at + _ENTRY.size
        raw_name = self._data[behind : behind + lengths[0]]
        if flags & _ENCRYPTED:
            raise NotSegmentableError("the archive is encrypted")
        if _WIDE in {packed, size, local} or disk:
            raise NotSegmentableError("the archive is of the zip64 kind or on several disks, which is not read")
        if size > max(_RATIO_FROM, packed * _HIGHEST_RATIO):
            raise NotSegmentableError("the archive is packed more tightly than any document")
        head = _unpack(_LOCAL, self._data, local, b"PK\x03\x04")
        data = local + _LOCAL.size + head[-2] + head[-1]
        if self._data[local + _LOCAL.size : data - head[-1]] != raw_name:
            raise _damaged()
        end = data + packed
        if flags & _DESCRIPTOR:
            end += 16 if self._data.startswith(_DESCRIPTOR_SIGNATURE, end) else 12
        member = _Member(
            flags=flags,
            method=method,
            checksum=checksum,
            packed=packed,
            size=size,
            entry=at,
            local=local,
            data=data,
            end=end,
        )
        return _name(raw_name, flags), member, behind + sum(lengths)

    def _check_bounds(self) -> None:
        """Members that share bytes are how a small archive unpacks to a huge one."""
        at = 0
        for member in sorted(self._members.values(), key=lambda member: member.local):
            if member.local < at:
                raise _damaged()
            at = member.end
        if at > self._directory:
            raise _damaged()


def _find_end(data: bytes) -> tuple[int, int, int, int]:
    """Where the record at the end stands; start, size and number of entries of the directory."""
    if data.startswith(_OLE):
        raise NotSegmentableError("the document is protected with a password, or in the format before 2007")
    at = len(data)
    lowest = max(0, at - _END.size - _LONGEST_COMMENT)
    while (at := data.rfind(b"PK\x05\x06", lowest, at)) >= 0:
        if at + _END.size > len(data):
            continue
        _, disk, first_disk, count_here, count, size, directory, comment = _END.unpack_from(data, at)
        if at + _END.size + comment != len(data):
            continue
        signature, length = _ZIP64_LOCATOR
        if data.startswith(signature, max(0, at - length)) or directory == _WIDE:
            raise NotSegmentableError("the archive is of the zip64 kind, which is not read")
        if disk or first_disk or count_here != count or directory + size > at:
            raise _damaged()
        if count > _MOST_MEMBERS:
            raise NotSegmentableError(f"the archive has {count} members, more than any document")
        return at, directory, size, count
    raise NotSegmentableError("this is no zip archive, or only a part of one")


def _unpack(layout: struct.Struct, data: bytes, at: int, signature: bytes) -> tuple[int, ...]:
    if not data.startswith(signature, at) or at + layout.size > len(data):
        raise _damaged()
    return layout.unpack_from(data, at)


def _name(raw: bytes, flags: int) -> str:
    try:
        return raw.decode("utf-8" if flags & _UTF8 else "cp437")
    except UnicodeDecodeError:
        raise _damaged() from None


def _pack(content: bytes, method: int) -> bytes:
    if method == _STORED:
        return content
    packer = zlib.compressobj(zlib.Z_DEFAULT_COMPRESSION, zlib.DEFLATED, -zlib.MAX_WBITS)
    return packer.compress(content) + packer.flush()


def _damaged() -> NotSegmentableError:
    return NotSegmentableError("the archive is damaged")
