"""Word documents: paragraphs are taken out with their formatting kept apart, and other readers can read the result."""

import io
import zipfile
from collections.abc import Mapping
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from daemon.segments import NotSegmentableError, take_apart
from daemon.segments.placeholders import has_words

W = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
STRICT = "http://purl.oclc.org/ooxml/wordprocessingml/main"
HEAD = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\r\n'
BOLD = "<w:rPr><w:b/></w:rPr>"


def part(body: str, root: str = "document", namespace: str = W) -> str:
    return f'{HEAD}<w:{root} xmlns:w="{namespace}" xmlns:m="urn:math" xmlns:mc="urn:mc">{body}</w:{root}>'


def run(text: str, formatting: str = "") -> str:
    return f'<w:r w:rsidR="00AB">{formatting}<w:t xml:space="preserve">{text}</w:t></w:r>'


def paragraph(*inner: str) -> str:
    return f"<w:p><w:pPr><w:rPr><w:i/></w:rPr></w:pPr>{''.join(inner)}</w:p>"


DOCUMENT = part(
    "<w:body>"
    + paragraph(run("Dear "), '<w:proofErr w:type="spellStart"/>', run("Ms Ångström"), "<!-- c -->", run(","))
    + paragraph(run("A "), run("bold", BOLD), run(" word &amp; {name}"))
    + paragraph(run("Before"), "<w:r><w:tab/></w:r>", run("after the tab"))
    + paragraph(
        '<w:r><w:fldChar w:fldCharType="begin"/></w:r><w:r><w:instrText>DATE code</w:instrText></w:r>'
        '<w:r><w:fldChar w:fldCharType="separate"/></w:r>',
        run("42"),
        '<w:r><w:fldChar w:fldCharType="end"/></w:r><w:del><w:r><w:delText>deleted</w:delText></w:r></w:del>',
        "<w:hyperlink>",
        run("a link"),
        "</w:hyperlink>",
        run(" to follow"),
    )
    + paragraph(
        "<w:r><mc:AlternateContent><w:txbxContent>",
        paragraph(run("In a box", BOLD)),
        "</w:txbxContent></mc:AlternateContent><w:t>out of it</w:t></w:r>",
        run("too"),
    )
    + "<m:oMath><m:r><m:t>not math</m:t></m:r></m:oMath><w:p><w:r><w:t/></w:r></w:p><w:sectPr/></w:body>"
)
MEMBERS: dict[str, tuple[str | bytes, int]] = {
    "[Content_Types].xml": (f"{HEAD}<Types/>", zipfile.ZIP_DEFLATED),
    "_rels/.rels": (f"{HEAD}<Relationships/>", zipfile.ZIP_DEFLATED),
    "word/document.xml": (DOCUMENT, zipfile.ZIP_DEFLATED),
    "word/styles.xml": (part(run("Heading one"), "styles"), zipfile.ZIP_DEFLATED),
    "word/header1.xml": (part(paragraph(run("The header")), "hdr"), zipfile.ZIP_STORED),
    "word/footer2.xml": (part(paragraph(run("The footer")), "ftr"), zipfile.ZIP_DEFLATED),
    "word/footnotes.xml": (part(paragraph(run("A footnote")), "footnotes"), zipfile.ZIP_DEFLATED),
    "word/endnotes.xml": (part(paragraph(run("An endnote")), "endnotes"), zipfile.ZIP_DEFLATED),
    "word/comments.xml": (part(paragraph(run("A comment")), "comments"), zipfile.ZIP_DEFLATED),
    "word/media/image1.png": (b"\x89PNG" + bytes(300), zipfile.ZIP_STORED),
    "docProps/core.xml": (f"{HEAD}<title>Not this</title>", zipfile.ZIP_DEFLATED),
}
TEXTS = (
    *("Dear Ms Ångström,", "A", "bold", "word & {name}", "Before", "after the tab", "a link", "to follow"),
    *("In a box", "out of ittoo", "The header", "The footer", "A footnote", "An endnote", "A comment"),
)


def packed(members: Mapping[str, tuple[str | bytes, int]]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, (content, method) in members.items():
            info = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
            info.compress_type = method
            archive.writestr(info, content)
    return buffer.getvalue()


def document(*paragraphs: str, namespace: str = W) -> bytes:
    return packed({"word/document.xml": (part("".join(paragraphs), namespace=namespace), zipfile.ZIP_DEFLATED)})


def contents(data: bytes) -> dict[str, bytes]:
    """Every member, after the archive was found sound."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert archive.testzip() is None
        return {name: archive.read(name) for name in archive.namelist()}


def main(data: bytes) -> str:
    return contents(data)["word/document.xml"].decode()


def body(data: bytes) -> str:
    """The main document without its root element."""
    text = main(data)
    return text[text.index('urn:mc">') + 8 : text.rindex("</w:document>")]


def shown(data: bytes) -> list[str]:
    """The text of every paragraph as Word would show it."""
    paragraphs = ET.fromstring(main(data)).iter(f"{{{W}}}p")
    return ["".join(text.text or "" for text in paragraph.iter(f"{{{W}}}t")) for paragraph in paragraphs]


def test_a_document_gives_its_paragraphs() -> None:
    """Runs cut by the spell checker are joined; bold words, tabs, links and boxes begin a new text; no codes come."""
    assert take_apart(packed(MEMBERS), "docx").texts == TEXTS


def test_unchanged_texts_give_the_same_archive() -> None:
    """An archive in which nothing changed is byte for byte the same."""
    data = packed(MEMBERS)

    assert take_apart(data, "docx").rebuild(TEXTS) == data


def test_a_translated_document_is_read_by_others() -> None:
    """Every part is well-formed with its elements in place, and gives the new texts when taken apart."""
    data = packed(MEMBERS)
    new = [f"«{text} <&> 日本»" for text in TEXTS]
    result = take_apart(data, "docx").rebuild(new)
    before, after = contents(data), contents(result)
    parts = [name for name in before if name.endswith(".xml")]

    assert take_apart(result, "docx").texts == tuple(new)
    assert list(before) == list(after)
    assert {name for name in before if before[name] != after[name]} == {
        *("word/document.xml", "word/header1.xml", "word/footer2.xml"),
        *("word/footnotes.xml", "word/endnotes.xml", "word/comments.xml"),
    }
    assert [[e.tag for e in ET.fromstring(before[name]).iter()] for name in parts] == [
        [e.tag for e in ET.fromstring(after[name]).iter()] for name in parts
    ]
    assert "DATE code" in after["word/document.xml"].decode()


def test_a_changed_header_leaves_the_other_members_alone() -> None:
    """Only the changed member and its place in the directory differ."""
    data = packed(MEMBERS)
    texts = ["Kopfzeile" if text == "The header" else text for text in TEXTS]
    result = take_apart(data, "docx").rebuild(texts)
    start = data.index(b"word/header1.xml") - 30
    behind = data.index(b"word/footer2.xml") - 30
    rest = data[behind : data.index(b"PK\x01\x02")]

    assert result.startswith(data[:start])
    assert rest in result
    assert contents(result)["word/header1.xml"].decode() == part(paragraph(run("Kopfzeile")), "hdr")


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ((run("one "), run("two")), ["one two"]),
        ((run("one "), "<w:r><w:lastRenderedPageBreak/><w:t>two</w:t></w:r>"), ["one two"]),
        ((run("one "), run("two", BOLD), run(" three", BOLD)), ["one", "two three"]),
        ((run("one"), "<w:r><w:br/></w:r>", run("two")), ["one", "two"]),
        ((run("one"), '<w:r><w:footnoteReference w:id="1"/></w:r>', run("two")), ["one", "two"]),
        ((run("one"), '<w:bookmarkStart w:id="0" w:name="a"/>', run("two")), ["one", "two"]),
        ((run("one"), "</w:p><w:p>", run("two")), ["one", "two"]),
        (("<w:r><w:t> one </w:t></w:r><w:r><w:t>two</w:t></w:r>",), ["onetwo"]),
        (("<w:r><w:t>a<![CDATA[ <b> & ]]>c</w:t></w:r>",), ["a <b> & c"]),
        (("<w:r><w:t><!-- x -->a&#233;&lt;</w:t></w:r>",), ["aé<"]),
        (("<w:r><w:t></w:t></w:r>", run(" "), run("12 "), run("https://a.example")), []),
        ((f"<w:ins>{run('new')}</w:ins>", "<w:del><w:r><w:delText>old</w:delText></w:r></w:del>"), ["new"]),
        (("<w:t>stray</w:t>",), []),
        (("<w:r><w:t>bro<w:x/>ken</w:t></w:r>",), []),
    ],
)
def test_what_is_one_text(source: tuple[str, ...], expected: list[str]) -> None:
    """Only what looks alike and has nothing between is joined, and white space counts where Word counts it."""
    data = document(paragraph(*source))

    assert list(take_apart(data, "docx").texts) == expected
    assert take_apart(data, "docx").rebuild(expected) == data


@pytest.mark.parametrize("namespace", [W, STRICT])
@pytest.mark.parametrize("prefix", ["w:", "", "x:"])
def test_elements_are_known_by_their_namespace(namespace: str, prefix: str) -> None:
    """The prefix of an element is its writer's choice; both editions of the format are read."""
    declared = f'xmlns{":" if prefix else ""}{prefix.rstrip(":")}="{namespace}"'
    inner = "<w:p><w:r><w:t>Text</w:t></w:r><w:r><t xmlns='urn:other'>No</t></w:r></w:p>".replace("w:", prefix)
    source = f"\ufeff<{prefix}document {declared}>{inner}</{prefix}document>"
    found = take_apart(packed({"word/document.xml": (source, zipfile.ZIP_STORED)}), "docx")

    assert found.texts == ("Text",)
    assert main(found.rebuild(["Wort"])) == source.replace("Text", "Wort")


@pytest.mark.parametrize(
    ("source", "changed", "expected"),
    [
        (
            "<w:r><w:t>one</w:t></w:r><w:r><w:t>two</w:t></w:r>",
            "eins",
            "<w:r><w:t>eins</w:t></w:r><w:r><w:t></w:t></w:r>",
        ),
        (
            '<w:r><w:t>one</w:t></w:r><w:r><w:t xml:space="preserve"> two </w:t></w:r>',
            "eins",
            '<w:r><w:t xml:space="preserve">eins </w:t></w:r><w:r><w:t xml:space="preserve"></w:t></w:r>',
        ),
        ("<w:r><w:t>one</w:t></w:r>", " <a> & b", '<w:r><w:t xml:space="preserve"> &lt;a&gt; &amp; b</w:t></w:r>'),
        ('<w:r><w:t xml:space="default">one</w:t></w:r>', " a", '<w:r><w:t xml:space="default"> a</w:t></w:r>'),
        ("<w:r><w:t>o<![CDATA[n]]>e</w:t></w:r>", "eins", "<w:r><w:t>eins</w:t></w:r>"),
        ("<w:r><w:t>one</w:t></w:r>", "a\x00\x08\ud800\ufffeb", "<w:r><w:t>ab</w:t></w:r>"),
        ("<w:r><w:t\n>one</w:t\n></w:r>", "a ", '<w:r><w:t xml:space="preserve"\n>a </w:t\n></w:r>'),
    ],
)
def test_a_changed_text_stands_in_its_first_element(source: str, changed: str, expected: str) -> None:
    """The others are emptied, white space is preserved explicitly, and what XML cannot hold is left out."""
    result = take_apart(document(source), "docx").rebuild([changed])

    assert body(result) == expected


def test_positions_count_bytes() -> None:
    """Letters of several bytes in front of a text do not shift it."""
    data = document(paragraph(run("日本 😀")), paragraph(run("ä")), paragraph(run("z")))

    assert shown(take_apart(data, "docx").rebuild(["日本 😀", "ü", "y"])) == ["日本 😀", "ü", "y"]


words = st.text("abcäß日😀 <&>\"'", max_size=8)
runs = st.tuples(words, st.sampled_from(["", BOLD]))
paragraphs = st.lists(st.lists(runs, max_size=5), max_size=6)


@given(paragraphs)
@settings(deadline=None)
def test_any_document_goes_through(source: list[list[tuple[str, str]]]) -> None:
    """Unchanged it is the same bytes; changed, every paragraph shows the new texts among what was left alone."""

    def escaped(text: str) -> str:
        return text.replace("&", "&amp;").replace("<", "&lt;")

    data = document(*(paragraph(*(run(escaped(text), style) for text, style in runs)) for runs in source))
    found = take_apart(data, "docx")
    result = found.rebuild([f"{text} & <so>" for text in found.texts])

    assert found.rebuild(found.texts) == data
    assert take_apart(result, "docx").texts == tuple(f"{text} & <so>" for text in found.texts)
    assert [text.replace(" & <so>", "") for text in shown(result)] == [
        text.replace(" & <so>", "") for text in shown(data)
    ]
    assert all(map(has_words, found.texts))


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ('<!DOCTYPE w [<!ENTITY a "b">]><w>&a;</w>', "document type"),
        ('<!DOCTYPE w SYSTEM "http://a.example/w.dtd"><w/>', "document type"),
        ("<w>&undefined;</w>", "damaged"),
        ("<w>", "damaged"),
        ("", "damaged"),
        ("<w>\x01</w>", "damaged"),
        ('<?xml version="1.0" encoding="ISO-8859-1"?><w/>', "ISO-8859-1"),
        ("<w/>".encode("utf-16"), "UTF-16"),
        ("<w/>".encode("utf-16-be"), "UTF-16"),
    ],
)
def test_xml_that_is_no_word_processors_is_refused(source: str | bytes, reason: str) -> None:
    """Declarations of entities, other encodings and broken markup are refused, each with its reason."""
    with pytest.raises(NotSegmentableError, match=reason):
        take_apart(packed({"word/document.xml": (source, zipfile.ZIP_DEFLATED)}), "docx")


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"PK but no zip", "no zip"),
        (packed({"word/header1.xml": (part(""), zipfile.ZIP_STORED)}), "no word/document.xml"),
        (packed({"xl/workbook.xml": ("<w/>", zipfile.ZIP_STORED)}), "no word/document.xml"),
        (packed({"word/document.xml": (part("<w:p/>" * 900_000), zipfile.ZIP_DEFLATED)}), "tightly"),
        (packed({"word/document.xml": (part(""), zipfile.ZIP_LZMA)}), "packed in a way"),
    ],
)
def test_archives_that_are_no_word_documents_are_refused(data: bytes, reason: str) -> None:
    """Another archive, or one that would flood the memory, is refused."""
    with pytest.raises(NotSegmentableError, match=reason):
        take_apart(data, "docx")
