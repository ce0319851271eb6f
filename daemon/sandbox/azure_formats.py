"""The formats that the simulated Azure knows, from its page "Get supported document formats"."""

from typing import Any

_OFFICE = "application/vnd.openxmlformats-officedocument"
_OPEN = "application/vnd.oasis.opendocument"
# Name, extensions, content types.
_DOCUMENTS = (
    ("PlainText", "txt", ("text/plain",)),
    ("OpenXmlWord", "docx", (f"{_OFFICE}.wordprocessingml.document",)),
    ("OpenXmlPresentation", "pptx", (f"{_OFFICE}.presentationml.presentation",)),
    ("OpenXmlSpreadsheet", "xlsx", (f"{_OFFICE}.spreadsheetml.sheet",)),
    ("OutlookMailMessage", "msg", ("application/vnd.ms-outlook",)),
    ("HtmlFile", "html htm", ("text/html",)),
    ("PortableDocumentFormat", "pdf", ("application/pdf",)),
    ("XLIFF", "xlf xliff", ("application/xliff+xml",)),
    ("TSV", "tsv tab", ("text/tab-separated-values",)),
    ("CSV", "csv", ("text/csv",)),
    ("RichTextFormat", "rtf", ("application/rtf",)),
    ("WordDocument", "doc", ("application/msword",)),
    ("PowerpointPresentation", "ppt", ("application/vnd.ms-powerpoint",)),
    ("ExcelSpreadsheet", "xls", ("application/vnd.ms-excel",)),
    ("OpenDocumentText", "odt", (f"{_OPEN}.text",)),
    ("OpenDocumentPresentation", "odp", (f"{_OPEN}.presentation",)),
    ("OpenDocumentSpreadsheet", "ods", (f"{_OPEN}.spreadsheet",)),
    ("Markdown", "markdown mdown mkdn md mkd mdwn mdtxt mdtext rmd", ("text/markdown", "text/x-markdown")),
    ("Mhtml", "mhtml mht", ("message/rfc822", "application/x-mimearchive", "multipart/related")),
)
_GLOSSARIES = tuple(one for one in _DOCUMENTS if one[0] in ("XLIFF", "TSV", "CSV"))


def _listed(formats: tuple[tuple[str, str, tuple[str, ...]], ...]) -> list[dict[str, Any]]:
    return [
        {
            "format": name,
            "fileExtensions": [f".{one}" for one in extensions.split()],
            "contentTypes": list(types),
            "versions": [],
        }
        for name, extensions, types in formats
    ]


FORMATS = {"document": _listed(_DOCUMENTS), "glossary": _listed(_GLOSSARIES)}
MEDIA_TYPES = {one: types[0] for _, extensions, types in _DOCUMENTS for one in extensions.split()}
