"""Zip archives: replaced members are right for other readers, the others keep every byte, attacks are refused."""

import io
import struct
import zipfile
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from daemon.segments import NotSegmentableError
from daemon.segments.archive import Archive

Member = tuple[str, bytes, int]
MEMBERS: list[Member] = [
    ("[Content_Types].xml", b"<Types/>", zipfile.ZIP_DEFLATED),
    ("word/document.xml", b"<document>" + bytes(range(256)) * 9, zipfile.ZIP_DEFLATED),
    ("word/media/image.png", b"\x89PNG" * 50, zipfile.ZIP_STORED),
    ("über.bin", b"PK\x01\x02PK\x05\x06" * 5, zipfile.ZIP_BZIP2),
    ("empty", b"", zipfile.ZIP_DEFLATED),
]


class Unseekable(io.BytesIO):
    """Makes zipfile write sizes behind the data, as programs do that write to a pipe."""

    def seekable(self) -> bool:
        return False

    def seek(self, *_: int) -> int:
        raise OSError("no seeking")

    def tell(self) -> int:
        raise OSError("no telling")


def packed(members: list[Member], comment: bytes = b"", streamed: bool = False) -> bytes:
    buffer = Unseekable() if streamed else io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for number, (name, content, method) in enumerate(members):
            info = zipfile.ZipInfo(name, (2001, 2, 3, 4, 5, 2 * number))
            info.compress_type = method
            info.external_attr = number << 16
            info.comment = b"about " + name.encode()
            info.extra = struct.pack("<HHL", 0xCAFE, 4, number)
            archive.writestr(info, content)
        archive.comment = comment
    return buffer.getvalue()


def records(data: bytes) -> dict[str, bytes]:
    """The bytes of each local record, from one header to the next."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        infos = sorted(archive.infolist(), key=lambda info: info.header_offset)
        ends = [*(info.header_offset for info in infos[1:]), archive.start_dir]
    return {info.filename: data[info.header_offset : end] for info, end in zip(infos, ends, strict=True)}


def facts(data: bytes) -> list[tuple[object, ...]]:
    """What a directory says of its members, but for size, checksum and place."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return [
            (i.filename, i.date_time, i.compress_type, i.comment, i.extra, i.external_attr, i.create_version)
            for i in archive.infolist()
        ]


contents = st.binary(max_size=300)
archives = st.builds(
    packed,
    st.lists(
        st.tuples(
            st.text("abc/ä.", min_size=1, max_size=9),
            contents,
            st.sampled_from([zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED]),
        ),
        min_size=1,
        max_size=6,
        unique_by=lambda member: member[0],
    ),
    st.binary(max_size=20).filter(lambda comment: b"PK" not in comment),
    st.booleans(),
)


@given(archives, st.data())
@settings(deadline=None)
def test_replaced_members_are_read_by_others_and_the_rest_keeps_its_bytes(data: bytes, draw: st.DataObject) -> None:
    """Any archive with any members replaced is sound, and every other record is byte for byte the same."""
    archive = Archive(data)
    names = list(archive)
    chosen = draw.draw(st.dictionaries(st.sampled_from(names), contents))
    result = archive.rebuild(chosen)

    with zipfile.ZipFile(io.BytesIO(result)) as read, zipfile.ZipFile(io.BytesIO(data)) as before:
        assert read.testzip() is None
        assert {name: read.read(name) for name in names} == {
            name: chosen.get(name, before.read(name)) for name in names
        }
        assert read.comment == before.comment
    kept = {name: record for name, record in records(data).items() if name not in chosen}
    assert kept.items() <= records(result).items()
    assert facts(result) == facts(data)


@given(archives)
@settings(deadline=None)
def test_nothing_replaced_is_the_same_bytes(data: bytes) -> None:
    """An archive that is read and written again is what it was."""
    assert Archive(data).rebuild({}) == data


@pytest.mark.parametrize("streamed", [False, True])
def test_members_are_read(streamed: bool) -> None:
    """Stored and deflated members come out, in the order of the directory, with sizes in front or behind."""
    archive = Archive(packed(MEMBERS[:3], streamed=streamed))

    assert [(name, archive.read(name)) for name in archive] == [(name, content) for name, content, _ in MEMBERS[:3]]


def test_other_ways_of_packing_are_kept_but_not_read() -> None:
    """A member packed in a rare way is no reason to refuse the archive, only to leave that member alone."""
    data = packed(MEMBERS)
    archive = Archive(data)

    with pytest.raises(NotSegmentableError, match="not known"):
        archive.read("über.bin")
    assert records(archive.rebuild({"empty": b"full"}))["über.bin"] == records(data)["über.bin"]


def test_bytes_between_records_stay() -> None:
    """Some programs align members or put signatures between them."""
    data = packed(MEMBERS[:2])
    start = data.index(b"PK\x03\x04", 4)
    moved = data[:start] + b"between" + data[start:]
    directory = moved.index(b"PK\x01\x02")
    second = moved.index(b"PK\x01\x02", directory + 4)
    gapped = bytearray(moved)
    struct.pack_into("<L", gapped, second + 42, start + len(b"between"))
    struct.pack_into("<L", gapped, len(gapped) - 6, directory)
    result = Archive(bytes(gapped)).rebuild({"[Content_Types].xml": b"other"})

    assert Archive(bytes(gapped)).rebuild({}) == gapped
    assert b"betweenPK\x03\x04" in result
    assert zipfile.ZipFile(io.BytesIO(result)).testzip() is None


def directory_of(data: bytes | bytearray) -> int:
    return data.index(b"PK\x01\x02")


def with_entry(at: int, layout: str, *values: int) -> bytes:
    """An archive with one field of its first directory entry overwritten."""
    data = bytearray(packed(MEMBERS[:3]))
    struct.pack_into(layout, data, directory_of(data) + at, *values)
    return bytes(data)


def with_end(at: int, layout: str, *values: int) -> bytes:
    data = bytearray(packed(MEMBERS[:3]))
    struct.pack_into(layout, data, len(data) - 22 + at, *values)
    return bytes(data)


def with_zip64_locator() -> bytes:
    data = packed(MEMBERS[:1])
    return data[:-22] + b"PK\x06\x07" + bytes(16) + data[-22:]


def bomb() -> bytes:
    return packed([("word/document.xml", bytes(5_000_000), zipfile.ZIP_DEFLATED)])


def overlapping() -> bytes:
    """Two entries whose data is the same, the trick of small archives that unpack to petabytes."""
    data = bytearray(packed([("a", b"x" * 50, 0), ("b", b"x" * 50, 0)]))
    second = data.index(b"PK\x01\x02", directory_of(data) + 4)
    struct.pack_into("<L", data, second + 42, 0)
    data[second + 46 : second + 47] = b"a"
    data[directory_of(data) + 46 : directory_of(data) + 47] = b"A"
    return bytes(data)


def reaching_into_the_directory() -> bytes:
    """One member that is said to be as long as the archive."""
    data = bytearray(packed([("a", b"x" * 50, 0)]))
    struct.pack_into("<2L", data, directory_of(data) + 20, len(data), len(data))
    return bytes(data)


def too_large() -> bytes:
    return with_entry(20, "<2L", 600_000_000, 1_200_000_000)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (lambda: b"", "no zip"),
        (lambda: b"some text", "no zip"),
        (lambda: packed(MEMBERS)[:-1], "no zip"),
        (lambda: packed(MEMBERS) + b"x", "no zip"),
        (lambda: b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600), "password"),
        (lambda: with_entry(8, "<H", 1), "encrypted"),
        (lambda: with_entry(8, "<H", 1 << 6), "encrypted"),
        (lambda: packed([("a.xml", b"1", 0), ("A.XML", b"2", 0)]), "twice"),
        (lambda: with_entry(24, "<L", 0xFFFFFFFF), "zip64"),
        (lambda: with_entry(42, "<L", 0xFFFFFFFF), "zip64"),
        (lambda: with_entry(34, "<H", 1), "several disks"),
        (with_zip64_locator, "zip64"),
        (lambda: with_end(16, "<L", 0xFFFFFFFF), "zip64"),
        (lambda: with_end(4, "<H", 1), "damaged"),
        (lambda: with_end(8, "<2H", 10_001, 10_001), "10001 members"),
        (lambda: with_end(8, "<2H", 4, 4), "damaged"),
        (lambda: with_end(8, "<2H", 2, 2), "damaged"),
        (reaching_into_the_directory, "damaged"),
        (lambda: packed([("é", b"", 0)]).replace("é".encode(), b"\xc3("), "damaged"),
        (lambda: with_end(12, "<L", 1 << 20), "damaged"),
        (lambda: with_end(16, "<L", 7), "damaged"),
        (lambda: with_entry(42, "<L", 1), "damaged"),
        (lambda: with_entry(46, "<B", 0x41), "damaged"),
        (lambda: with_entry(20, "<2L", 10_000, 10_000), "damaged"),
        (overlapping, "damaged"),
        (bomb, "tightly"),
        (too_large, "too much room"),
    ],
)
def test_what_cannot_be_kept_or_trusted_is_refused(data: Callable[[], bytes], reason: str) -> None:
    """Encrypted, doubled, overlapping, oversized, broken and zip64 archives are refused, each with its reason."""
    with pytest.raises(NotSegmentableError, match=reason):
        Archive(data())


@pytest.mark.parametrize(
    ("at", "layout", "value"),
    [(16, "<L", 1), (24, "<L", 7), (24, "<L", 9)],
)
def test_a_member_that_is_not_what_its_entry_says_is_refused(at: int, layout: str, value: int) -> None:
    """A wrong checksum or size is found when the member is read, and no more than the size is ever unpacked."""
    with pytest.raises(NotSegmentableError, match=r"Content_Types.* is damaged"):
        Archive(with_entry(at, layout, value)).read("[Content_Types].xml")


def test_broken_deflate_data_is_refused() -> None:
    """Data that cannot be unpacked is an error of the file."""
    data = bytearray(packed([("a", b"some text " * 9, zipfile.ZIP_DEFLATED)]))
    start = 30 + len(b"a") + 8  # behind header, name and extra field
    data[start] = 0xFF

    with pytest.raises(NotSegmentableError, match="a in the archive is damaged"):
        Archive(bytes(data)).read("a")


@given(st.data())
@settings(deadline=None, max_examples=300)
def test_no_damage_is_answered_with_another_error(data: st.DataObject) -> None:
    """Whatever bytes are overwritten or cut off, the archive is read or refused, and nothing else happens."""
    damaged = bytearray(packed(MEMBERS[:3]))
    for _ in range(data.draw(st.integers(1, 4))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    cut = bytes(damaged[data.draw(st.sampled_from([0, 0, 0, 1, 40])) :])
    try:
        archive = Archive(cut)
        found = {name: archive.read(name) for name in archive}
    except NotSegmentableError:
        return

    assert archive.rebuild({}) == cut
    assert all(isinstance(content, bytes) for content in found.values())
