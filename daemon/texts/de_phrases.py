"""What this program says inside a sentence, in German: by the English phrase, with the same places in braces.

What is not here (a service's own words, a library's) is shown as it was said.
"""

from collections.abc import Mapping
from typing import Final

PHRASES: Final[Mapping[str, str]] = {
    # -- lengths, counts, suggestions
    "{number} days": "{number} Tage",
    "{number} hours": "{number} Stunden",
    "{number} minutes": "{number} Minuten",
    "{number} second": "{number} Sekunde",
    "{number} seconds": "{number} Sekunden",
    "{number} bytes": "{number} Byte",
    "(perhaps {names})": "(vielleicht {names})",
    "nameless": "ohne Dateiendung",
    # -- the language of a folder
    "“{name}” is an everyday folder name; as a language it has to stand under `languages:`": (
        "„{name}“ ist ein alltäglicher Ordnername; als Sprache muss er in der Konfiguration unter „languages“ stehen"
    ),
    "“{name}” is rather the code of a country; as a language it has to stand under `languages:`": (
        "„{name}“ ist eher das Kürzel eines Landes; als Sprache muss es in der Konfiguration unter „languages“ stehen"
    ),
    "“{name}” is no language that this service translates into": (
        "„{name}“ ist keine Sprache, in die dieser Dienst übersetzt"
    ),
    "“{name}” is no language that this service translates from": (
        "„{name}“ ist keine Sprache, aus der dieser Dienst übersetzt"
    ),
    "“{name}” is none of the languages that {provider} has a number for": (
        "„{name}“ ist keine der Sprachen, die {provider} kennt"
    ),
    "This service has to be told the language of the originals": (
        "Diesem Dienst muss die Sprache der Originale genannt werden"
    ),
    "The originals are said to be in “{name}” already": "Als Sprache der Originale ist bereits „{name}“ angegeben",
    # -- the submission
    "the daemon was stopped while the file was being handed over": (
        "das Programm wurde beendet, während die Datei übergeben wurde"
    ),
    "the record of what was sent is gone": "die Aufzeichnung darüber, was gesendet wurde, ist verloren",
    "the record of what was sent is damaged": "die Aufzeichnung darüber, was gesendet wurde, ist beschädigt",
    "the connection was lost before it answered": "die Verbindung brach ab, bevor eine Antwort kam",
    "the result could not be kept, the disk is full or broken": (
        "das Ergebnis konnte nicht gespeichert werden, weil der Datenträger voll oder gestört ist"
    ),
    "it told another document's id": "es kam die Kennung eines anderen Dokuments zurück",
    "an answer without a document": "die Antwort enthielt kein Dokument",
    "no room in the request window": "es sind zurzeit keine weiteren Anfragen zulässig",
    # -- the result
    "it is an error page": "es ist eine Fehlerseite",
    "its end is missing": "das Ende fehlt",
    "the original was changed while it was being translated": "das Original wurde während der Übersetzung geändert",
    "the original is no longer the text that was sent": "das Original ist nicht mehr der Text, der gesendet wurde",
    "every text came back empty or without its placeholders": (
        "alle Texte kamen leer oder ohne ihre Platzhalter zurück"
    ),
    "the answer holds no list of texts": "die Antwort enthält keine Liste von Texten",
    "{found} texts came back for {sent}": "für {sent} Texte kamen {found} zurück",
    "left out of the answer": "in der Antwort nicht genannt",
    "the status shows no address of the result any more": "der Status nennt keine Adresse des Ergebnisses mehr",
    "storage, where the translation lies, is not configured any more": (
        "der Speicher mit der Übersetzung (storage) ist nicht mehr eingerichtet"
    ),
    "no such blob": "im Speicher nicht vorhanden",
    "its run is not known": "der Lauf ist nicht bekannt",
    "a status that is no word": "ein unverständlicher Status",
    "a list of batches without an end": "eine Liste von Aufträgen ohne Ende",
    "the result is encoded, which was not asked for": "das Ergebnis ist unaufgefordert komprimiert",
    "the answer does not say how long it is": "die Antwort nennt ihre Länge nicht",
    "the job was cancelled at the service": "der Auftrag wurde beim Dienst abgebrochen",
    "no address": "keine Adresse",
    "an address with a user's name in it": "eine Adresse, die einen Benutzernamen enthält",
    "no host without https": "keine Adresse mit https",
    "{host} without https": "{host} ohne https",
    "{host} is no host": "{host} ist kein Rechnername",
    "{host} is not a public address": "{host} ist keine öffentliche Adresse",
    # -- the key
    "no key in {place}": "an der vorgesehenen Stelle steht kein Schlüssel ({place})",
    "the key in {place} is not UTF-8": "der Schlüssel ist kein UTF-8 ({place})",
    "the key in {place} has characters that cannot be sent in a header": (
        "der Schlüssel enthält Zeichen, die nicht gesendet werden können ({place})"
    ),
    "cannot read {place}: {error}": "die vorgesehene Stelle ist nicht lesbar ({place}): {error}",
    "{setting}: its signature (SAS) ended at {ended} and has to be renewed": (
        "{setting}: die Signatur (SAS) ist am {ended} abgelaufen und muss erneuert werden"
    ),
    "{setting}: its signature (SAS) does not permit {lacking}": (
        "{setting}: die Signatur (SAS) erlaubt {lacking} nicht"
    ),
    # -- documents that cannot be taken apart
    "the archive is no Word document: it has no word/document.xml": (
        "das Archiv ist kein Word-Dokument, word/document.xml fehlt"
    ),
    "{name} in the document is damaged: {error}": "{name} im Dokument ist beschädigt: {error}",
    "the document declares a document type, which no word processor writes": (
        "das Dokument enthält eine Dokumenttyp-Angabe, die keine Textverarbeitung schreibt"
    ),
    "the document is written in {encoding}; only UTF-8 is read": (
        "das Dokument ist in {encoding} geschrieben; gelesen wird nur UTF-8"
    ),
    "the JSON is nested too deeply": "die JSON-Daten sind zu tief verschachtelt",
    "this is no valid JSON: {error}": "das sind keine gültigen JSON-Daten: {error}",
    "files of the type .{extension} cannot be taken apart": (
        "Dateien der Art .{extension} lassen sich nicht in Texte zerlegen"
    ),
    "it has {number} texts, and {most} are taken; divide it": (
        "sie enthält {number} Texte, höchstens {most} werden angenommen; teilen Sie sie auf"
    ),
    "it has more than the {most} texts that are taken; divide it": (
        "sie enthält mehr als die {most} Texte, die angenommen werden; teilen Sie sie auf"
    ),
    "there is more text up to {name} in the archive than in any document": (
        "das Archiv enthält bis {name} mehr Text als jedes Dokument"
    ),
    "{name} in the archive is damaged: its checksum or size is wrong": (
        "{name} im Archiv ist beschädigt: Prüfsumme oder Größe stimmt nicht"
    ),
    "{name} in the archive is damaged: {error}": "{name} im Archiv ist beschädigt: {error}",
    "{name} in the archive is packed in a way that is not known here": (
        "{name} im Archiv ist auf eine Weise gepackt, die hier nicht bekannt ist"
    ),
    "the archive holds {name} twice": "das Archiv enthält {name} zweimal",
    "the archive would take too much room unpacked": "das Archiv würde entpackt zu viel Platz brauchen",
    "the archive is encrypted": "das Archiv ist verschlüsselt",
    "the archive is of the zip64 kind or on several disks, which is not read": (
        "das Archiv ist von der Art zip64 oder auf mehrere Teile verteilt; das wird nicht gelesen"
    ),
    "the archive is packed more tightly than any document": "das Archiv ist dichter gepackt als jedes Dokument",
    "the document is protected with a password, or in the format before 2007": (
        "das Dokument ist mit einem Kennwort geschützt oder im Format vor 2007 gespeichert"
    ),
    "the archive is of the zip64 kind, which is not read": "das Archiv ist von der Art zip64; das wird nicht gelesen",
    "the archive has {count} members, more than any document": (
        "das Archiv hat {count} Bestandteile, mehr als jedes Dokument"
    ),
    "this is no zip archive, or only a part of one": "das ist kein Zip-Archiv oder nur ein Teil davon",
    "the archive is damaged": "das Archiv ist beschädigt",
    "the text is in UTF-32, which is not read; save it as UTF-8": (
        "der Text ist in UTF-32 gespeichert, das nicht gelesen wird; speichern Sie ihn als UTF-8"
    ),
    "the text says that it is in {codec}, but is not": "der Text gibt an, in {codec} zu sein, ist es aber nicht",
    "the encoding is unknown: no text, or UTF-16 without its mark; save it as UTF-8": (
        "die Zeichenkodierung ist unbekannt: kein Text, oder UTF-16 ohne Kennung; speichern Sie ihn als UTF-8"
    ),
    # -- what the system says
    "Permission denied": "keine Berechtigung",
    "Operation not permitted": "nicht zulässig",
    "not a regular file with one name": "keine gewöhnliche Datei mit genau einem Namen",
    "No such file or directory": "nicht vorhanden",
    "Input/output error": "Ein-/Ausgabefehler",
    "No space left on device": "der Datenträger ist voll",
    "Disk quota exceeded": "das Kontingent auf dem Datenträger ist erschöpft",
    "Read-only file system": "der Datenträger ist schreibgeschützt",
    "File name too long": "der Name ist zu lang",
    "Stale file handle": "die Freigabe kennt die Datei nicht mehr",
    "Too many levels of symbolic links": "eine symbolische Verknüpfung",
    "Device or resource busy": "in Benutzung",
}
