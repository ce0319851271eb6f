"""Files to try the sandbox with: a letter, a film's subtitles, a page of notes, a film, and one that fails.

They are made here and nowhere else, so that nothing has to be downloaded, and come out the same every time.
"""

import io
import zipfile
from pathlib import Path
from xml.sax.saxutils import escape

from daemon.sandbox.clip import sunrise

_WORD = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006"
_WORD_TYPE = "application/vnd.openxmlformats-officedocument.wordprocessingml"
_DECLARATION = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'

# Anything else would make the archive's bytes depend on the day.
_SOME_DAY = (2024, 5, 1, 9, 0, 0)

_TYPES = f"""<Types xmlns="{_PACKAGE}/content-types">
<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>
<Default Extension="xml" ContentType="application/xml"/>
<Override PartName="/word/document.xml" ContentType="{_WORD_TYPE}.document.main+xml"/>
<Override PartName="/word/styles.xml" ContentType="{_WORD_TYPE}.styles+xml"/>
<Override PartName="/word/numbering.xml" ContentType="{_WORD_TYPE}.numbering+xml"/>
</Types>"""

_RELATIONS = f"""<Relationships xmlns="{_PACKAGE}/relationships">
<Relationship Id="rId1" Type="{_OFFICE}/officeDocument" Target="word/document.xml"/>
</Relationships>"""

_DOCUMENT_RELATIONS = f"""<Relationships xmlns="{_PACKAGE}/relationships">
<Relationship Id="rId1" Type="{_OFFICE}/styles" Target="styles.xml"/>
<Relationship Id="rId2" Type="{_OFFICE}/numbering" Target="numbering.xml"/>
</Relationships>"""

_STYLES = f"""<w:styles xmlns:w="{_WORD}">
<w:docDefaults><w:rPrDefault><w:rPr><w:rFonts w:ascii="Georgia" w:hAnsi="Georgia"/><w:sz w:val="22"/>
<w:lang w:val="en-GB"/></w:rPr></w:rPrDefault>
<w:pPrDefault><w:pPr><w:spacing w:before="60" w:after="140" w:line="288" w:lineRule="auto"/></w:pPr></w:pPrDefault>
</w:docDefaults>
<w:style w:type="paragraph" w:default="1" w:styleId="Normal"><w:name w:val="Normal"/></w:style>
<w:style w:type="paragraph" w:styleId="Heading1"><w:name w:val="heading 1"/><w:basedOn w:val="Normal"/>
<w:pPr><w:keepNext/><w:outlineLvl w:val="0"/></w:pPr><w:rPr><w:b/><w:sz w:val="36"/></w:rPr></w:style>
</w:styles>"""

_NUMBERING = f"""<w:numbering xmlns:w="{_WORD}">
<w:abstractNum w:abstractNumId="0"><w:lvl w:ilvl="0"><w:start w:val="1"/><w:numFmt w:val="bullet"/>
<w:lvlText w:val="•"/><w:pPr><w:ind w:left="567" w:hanging="283"/></w:pPr></w:lvl></w:abstractNum>
<w:num w:numId="1"><w:abstractNumId w:val="0"/></w:num>
</w:numbering>"""

_SUBTITLES = """1
00:00:00,500 --> 00:00:02,000
Every morning the sun has the same idea.

2
00:00:02,200 --> 00:00:04,000
It looks over the hill to see
whether anybody is up yet.

3
00:00:04,200 --> 00:00:05,800
<i>Only the lighthouse keeper is.</i>
"""

_NOTES = """# Notes for the lighthouse keeper

Welcome, {name}! The lamp is older than the road, and it likes to be spoken to.

## Every evening

1. Climb the **ninety-eight** steps, slowly.
2. Wipe the glass and wind the clock.
3. Write a line in the [logbook](https://example.org/logbook), even when nothing happened.

> Fog is no excuse. It is the reason.

| Month | Lamp lit | Lamp out |
|-------|----------|----------|
| June  | 22:10    | 04:05    |
| December | 16:20 | 08:30    |

If the lamp refuses, ask it politely:

```sh
lamp --please --light
```
"""


def _run(text: str, *, bold: bool = False) -> str:
    style = "<w:rPr><w:b/></w:rPr>" if bold else ""
    return f'<w:r>{style}<w:t xml:space="preserve">{escape(text)}</w:t></w:r>'


def _paragraph(*runs: str, style: str = "", bullet: bool = False) -> str:
    inside = f'<w:pStyle w:val="{style}"/>' if style else ""
    if bullet:
        inside += '<w:numPr><w:ilvl w:val="0"/><w:numId w:val="1"/></w:numPr>'
    return f"<w:p><w:pPr>{inside}</w:pPr>{''.join(runs)}</w:p>"


def _table(*rows: tuple[str, str]) -> str:
    edges = "".join(
        f'<w:{edge} w:val="single" w:sz="4" w:space="0" w:color="999999"/>'
        for edge in ("top", "left", "bottom", "right", "insideH", "insideV")
    )
    cell = '<w:tc><w:tcPr><w:tcW w:w="4000" w:type="dxa"/></w:tcPr>{}</w:tc>'
    lines = ("".join(cell.format(_paragraph(_run(text))) for text in row) for row in rows)
    grid = '<w:tblGrid><w:gridCol w:w="4000"/><w:gridCol w:w="4000"/></w:tblGrid>'
    air = '<w:tblCellMar><w:top w:w="80" w:type="dxa"/><w:left w:w="120" w:type="dxa"/></w:tblCellMar>'
    borders = f"<w:tblBorders>{edges}</w:tblBorders>{air}"
    properties = f'<w:tblPr><w:tblW w:w="8000" w:type="dxa"/>{borders}</w:tblPr>'
    return f"<w:tbl>{properties}{grid}{''.join(f'<w:tr>{line}</w:tr>' for line in lines)}</w:tbl>"


def document(*blocks: str) -> bytes:
    """A Word document of these blocks of WordprocessingML."""
    body = f'{"".join(blocks)}<w:sectPr><w:pgSz w:w="11906" w:h="16838"/></w:sectPr>'
    members = {
        "[Content_Types].xml": _TYPES,
        "_rels/.rels": _RELATIONS,
        "word/document.xml": f'<w:document xmlns:w="{_WORD}"><w:body>{body}</w:body></w:document>',
        "word/_rels/document.xml.rels": _DOCUMENT_RELATIONS,
        "word/styles.xml": _STYLES,
        "word/numbering.xml": _NUMBERING,
    }
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, text in members.items():
            entry = zipfile.ZipInfo(name, _SOME_DAY)
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, _DECLARATION + text)
    return packed.getvalue()


def letter() -> bytes:
    """A letter with a heading, a word in bold, a list and a table."""
    return document(
        _paragraph(_run("A letter from the garden"), style="Heading1"),
        _paragraph(_run("Dear neighbour,")),
        _paragraph(
            _run("The pears are ripe, and there are "),
            _run("far too many", bold=True),
            _run(" of them for one household. The ladder leans on the tree. Please come before the wasps do."),
        ),
        _paragraph(_run("You will need:")),
        _paragraph(_run("a basket with a flat bottom,"), bullet=True),
        _paragraph(_run("shoes that do not mind the mud,"), bullet=True),
        _paragraph(_run("half an hour, or a whole one if you like to talk."), bullet=True),
        _table(
            ("Tree", "What it is good for"),
            ("By the gate", "Jam & jelly"),
            ("Behind the shed", "Eating at once"),
        ),
        _paragraph(_run("Whatever is left on Sunday belongs to the blackbirds.")),
    )


def figures() -> bytes:
    """A short report, under a name that makes the service fail."""
    return document(
        _paragraph(_run("Quarterly figures"), style="Heading1"),
        _paragraph(_run("The bakery sold more rolls than in spring and fewer than it had hoped.")),
        _table(("Month", "Rolls"), ("July", "4 210"), ("August", "3 980"), ("September", "5 035")),
    )


def write_samples(folder: Path) -> dict[str, Path]:
    """Write the samples into a folder; what is there under their names is replaced.

    The keys are `docx`, `srt` and `md` (for a service of documents), `mp4` (for a service of films) and
    `failing`, a document that the sandbox lets fail.
    """
    folder.mkdir(parents=True, exist_ok=True)
    samples = {
        "docx": ("A letter from the garden.docx", letter()),
        "srt": ("Sunrise.srt", _SUBTITLES.encode()),
        "md": ("Notes for the lighthouse keeper.md", _NOTES.encode()),
        "mp4": ("Sunrise.mp4", sunrise()),
        "failing": ("Quarterly figures~fail.docx", figures()),
    }
    for name, content in samples.values():
        (folder / name).write_bytes(content)
    return {kind: folder / name for kind, (name, _) in samples.items()}
