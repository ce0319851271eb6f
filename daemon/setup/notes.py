"""The note in each inbox: what to do, what happens, where results and failures appear. For people with folders."""

from collections.abc import Collection
from typing import Final

from langcodes import Language

from daemon.languages import canonical

NAME: Final = "_README.txt"
"""Among the names that are never touched, so that it is not translated itself."""

_EN = """\
HOW THIS FOLDER WORKS

Copy a file into this folder. It is translated into: {language}.
The service is {title}. It takes: {extensions}

1. The file disappears from here as soon as it is being worked on.
2. The translation appears, under the same name, in
       outbox/{place}
3. If it cannot be translated, the file lies in
       failed/{place}
   with a file beside it that says why and what to do (its name ends in .error.json; any editor opens it).
   To try again, move the file from there back into this folder.

{page}Changed your mind? As long as the file is still here, delete it, or put a file beside it whose name has .cancel
behind it: report.docx.cancel for report.docx. Then it is left alone.

Pause this folder: put a file called STOP into it. Remove STOP to go on.

Folders inside this folder are kept. Nothing is ever overwritten. This note is never translated.
"""

_DE = """\
SO FUNKTIONIERT DIESER ORDNER

Kopieren Sie eine Datei in diesen Ordner. Sie wird übersetzt: Zielsprache {language}.
Der Dienst ist {title}. Er nimmt: {extensions}

1. Die Datei verschwindet von hier, sobald sie bearbeitet wird.
2. Die Übersetzung erscheint unter demselben Namen in
       outbox/{place}
3. Lässt sie sich nicht übersetzen, liegt die Datei in
       failed/{place}
   und daneben eine Datei, die sagt, warum, und was zu tun ist (ihr Name endet auf .error.json; jeder Editor
   öffnet sie). Um es noch einmal zu versuchen, verschieben Sie die Datei von dort zurück in diesen Ordner.

{page}Anders überlegt? Solange die Datei noch hier liegt, löschen Sie sie, oder legen Sie eine Datei daneben, deren
Name zusätzlich auf .cancel endet: report.docx.cancel für report.docx. Dann bleibt sie unberührt.

Diesen Ordner anhalten: Legen Sie eine Datei namens STOP hinein. Löschen Sie STOP, damit es weitergeht.

Ordner in diesem Ordner bleiben erhalten. Nichts wird je überschrieben. Dieser Hinweis wird nie übersetzt.
"""
_TEXTS = {"en": _EN, "de": _DE}
_PAGE = {
    "en": "How everything stands: open STATUS.html, in the folder that also holds inbox and outbox.\n\n",
    "de": "Wie alles steht: Öffnen Sie STATUS.html in dem Ordner, der auch inbox und outbox enthält.\n\n",
}


def note(language: str, *, provider: str, folder: str, title: str, extensions: Collection[str], page: bool) -> bytes:
    """The text for one language folder; with the line ends and the mark that old editors of Windows need.

    `language` is that of the reader, `page` says whether there is a STATUS.html.
    """
    text = _TEXTS[language].format(
        place=f"{provider}/{folder}",
        language=_named(folder, language),
        title=title,
        extensions=" ".join(sorted(extensions)),
        page=_PAGE[language] if page else "",
    )
    return text.replace("\n", "\r\n").encode("utf-8-sig")


def _named(folder: str, language: str) -> str:
    """What a language folder is called in the reader's language; as it is where it names two, or none that is known."""
    tag = canonical(folder)
    return folder if tag is None else f"{Language.get(tag).display_name(language)} ({folder})"
