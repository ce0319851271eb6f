"""German, as it is written in an office; the phrases that stand inside sentences are in `de_phrases`."""

from typing import Final

from daemon.texts import Language
from daemon.texts.de_phrases import PHRASES

_AGAIN = "verschieben Sie die Datei zurück nach {inbox}, um es erneut zu versuchen."
_WAITS = "Sie müssen nichts tun: Die Datei wartet, und es geht von selbst weiter."

GERMAN: Final = Language(
    tag="de",
    messages={
        # -- the drop itself
        "drop.empty": (
            "Die Datei ist leer.",
            "Prüfen Sie, ob sie vollständig kopiert wurde, und legen Sie sie noch einmal in {inbox} ab.",
        ),
        "drop.too_large": (
            "Die Datei ist {size} groß; {provider} nimmt höchstens {limit} an.",
            "Teilen oder verkleinern Sie die Datei, und legen Sie die kleineren Dateien in {inbox} ab.",
        ),
        "drop.type": (
            "Dateien dieser Art übersetzt {provider} nicht: {extension}.",
            "Speichern Sie die Datei in einem dieser Formate, und legen Sie sie noch einmal ab: {extensions}.",
        ),
        "drop.unreadable": (
            "Die Datei konnte nicht gelesen werden: {reason}.",
            "Bitten Sie die Systemverwaltung, die Zugriffsrechte zu prüfen. Danach " + _AGAIN,
        ),
        "drop.damaged": (
            "Die Datei lässt sich nicht als Dokument lesen{because}.",
            "Öffnen Sie sie in ihrem Programm, speichern Sie sie neu, und legen Sie die neue Datei in {inbox} ab.",
        ),
        "drop.no_text": (
            "Die Datei enthält keinen Text, der übersetzt werden könnte.",
            (
                "Prüfen Sie, ob der Text wirklich Text ist und kein Bild, und legen Sie die Datei noch einmal in "
                "{inbox} ab."
            ),
        ),
        "drop.gone": (
            "Die Datei wurde aus processing/ entfernt, bevor sie gesendet werden konnte.",
            "Wenn sie übersetzt werden soll, legen Sie sie noch einmal in {inbox} ab.",
        ),
        "drop.withdrawn": (
            "Die Datei wurde zurückgezogen, bevor sie gesendet wurde: Jemand hat {sign} in {inbox} abgelegt.",
            (
                "Wenn sie doch übersetzt werden soll, entfernen Sie {sign}, und verschieben Sie die Datei zurück nach "
                "{inbox}."
            ),
        ),
        "language.unknown": (
            "{reason}",
            "Verschieben Sie die Datei in einen Ordner mit dem Namen einer Sprache, die {provider} kennt{suggestions}.",
        ),
        # -- the submission
        "submit.rejected": (
            "{provider} hat die Datei nicht angenommen{because}.",
            "Ändern Sie, was beanstandet wird, und " + _AGAIN,
        ),
        "submit.uncertain": (
            "Es ist ungewiss, ob {provider} die Datei angenommen hat (und berechnen wird){because}.",
            "Sehen Sie im Konto bei {provider} nach. Wenn die Datei dort nicht zu finden ist, " + _AGAIN,
        ),
        "submit.parts": (
            "Die Einstellungen für {provider} haben sich geändert, während die Datei in Teilen übergeben wurde.",
            "Wenn sie neu gesendet werden soll, " + _AGAIN,
        ),
        # -- the job at the service
        "provider.failed": (
            "{provider} konnte die Datei nicht übersetzen{because}.",
            "Prüfen Sie die Datei. Danach " + _AGAIN,
        ),
        "provider.lost": (
            "{provider} kennt den angenommenen Auftrag nicht mehr ({remote_id}).",
            "Fragen Sie bei {provider} nach, oder " + _AGAIN,
        ),
        "deadline.passed": (
            "{provider} hat die Datei angenommen, ist aber nicht rechtzeitig fertig geworden (Frist: {deadline}).",
            (
                "Fragen Sie {provider} nach dem Auftrag {remote_id}. Wenn Sie die Datei zurück nach {inbox} "
                "verschieben, wird zuerst der alte Auftrag abgefragt."
            ),
        ),
        "result.unusable": (
            "{provider} meldet die Übersetzung als fertig, sie ließ sich aber nicht vollständig abholen{because}.",
            "Wenn Sie die Datei zurück nach {inbox} verschieben, wird zuerst das bereits bezahlte Ergebnis abgefragt.",
        ),
        # -- the account: files wait
        "account.key": (
            "{provider} nimmt den Schlüssel nicht an{because}.",
            "Die Systemverwaltung muss den Schlüssel erneuern; so lange warten die Dateien.",
        ),
        "account.no_key": (
            "Für {provider} gibt es keinen Schlüssel: {reason}.",
            "Die Systemverwaltung muss den Schlüssel bereitstellen; so lange warten die Dateien.",
        ),
        "account.blocked": (
            "{provider} hat das Konto gesperrt{because}.",
            "Die Systemverwaltung muss das Konto prüfen (Vertrag, Guthaben, Kontingent); so lange warten die Dateien.",
        ),
        "account.throttled": ("{provider} bittet darum, weniger zu senden.", _WAITS),
        "account.full": (
            "{provider} bearbeitet schon so viele Aufträge dieses Kontos, wie der Dienst zulässt.",
            _WAITS,
        ),
        # -- the way to the service
        "service.unreachable": ("{provider} ist nicht erreichbar{because}.", _WAITS),
        "service.error": ("{provider} antwortet mit einem eigenen Fehler{because}.", _WAITS),
        "service.unreadable": (
            "{provider} antwortet mit etwas, das in seiner Dokumentation nicht vorkommt{because}.",
            _WAITS,
        ),
        # -- fetching the result: asked again, then result.unusable
        "result.gone": ("Der Verweis auf das Ergebnis gilt nicht mehr.", _WAITS),
        "result.cut": ("Das Ergebnis ist nicht vollständig angekommen{because}.", _WAITS),
        "result.wrong": ("Was ankam, ist keine Datei der Art {extension}{because}.", _WAITS),
        "result.empty": ("Das Ergebnis ist leer.", _WAITS),
        "result.too_large": ("Das Ergebnis ist größer als {limit}.", _WAITS),
        "result.refused": (
            "Das Ergebnis liegt unter einer Adresse, die nicht erlaubt ist{because}.",
            "Die Systemverwaltung kann sie mit result_hosts erlauben.",
        ),
    },
    waiting={
        # -- in the inbox
        "settling": "Es wird gewartet, bis sich die Datei nicht mehr ändert.",
        "empty": "Die Datei ist leer; es wird auf ihren Inhalt gewartet.",
        "open": "Ein anderes Programm schreibt noch in die Datei.",
        "no_end": "Das Ende des Dokuments fehlt; es wird auf den Rest gewartet.",
        "folder.stopped": "Eine Datei namens STOP hält den Ordner an; wird sie entfernt, geht es weiter.",
        # -- after the claim
        "share.away": "Die Netzwerkfreigabe ist nicht da; bis sie wiederkommt, wird nichts angerührt.",
        "drop.changing": "Die Datei wurde nach der Übernahme noch geändert; es wird gewartet, bis sie ruht.",
        "drop.busy": "Ein anderes Programm hat die Datei zum Schreiben geöffnet.",
        "drop.unreadable": "Die Datei lässt sich zurzeit nicht lesen; der Datenträger oder die Freigabe ist gestört.",
        "account.window": "Es wurden so viele Anfragen gesendet, wie der Dienst zulässt; bald ist wieder Platz.",
        "budget.spent": "Das Monatsbudget für {provider} ist verbraucht; weiter geht es im nächsten Monat oder mit "
        "einem höheren Budget.",
        "account.closed": "Es wird nichts gesendet, bis feststeht, dass das Konto wieder arbeitet.",
        "submit.uncertain": "{provider} hat auf eine Übermittlung nicht eindeutig geantwortet; bis das geklärt ist, "
        "folgt keine weitere.",
        "result.wrong": "Was ankam, ist nicht das Dokument{because}.",
        "result.too_large": "Das Ergebnis ist größer als erlaubt.",
        "submit.asking": "babeldrop wurde während der Übergabe beendet; es wird geklärt, was daraus geworden ist.",
        "provider.lost": "{provider} kennt den Auftrag gerade nicht; bevor das gilt, wird noch einmal nachgefragt.",
        "disk.full": "Im Ordner des Programms ist zu wenig Platz für das Ergebnis; es wird abgeholt, sobald mehr da "
        "ist.",
        "folder.trouble": "Ein Ordner oder ein Datenträger ist gestört; das Ergebnis ist sicher und wird später "
        "abgelegt.",
        "daemon.stopping": "babeldrop wird beendet; beim nächsten Start geht es weiter.",
        "provider.removed": "Der zuständige Dienst steht nicht mehr in der Konfiguration.",
        "internal.error": "babeldrop hat selbst einen Fehler gemacht; Näheres steht im Protokoll.",
    },
    left_alone={
        "link": "eine symbolische Verknüpfung, der nie gefolgt wird",
        "other": "keine gewöhnliche Datei",
        "linked": "die Datei hat mehrere Namen (harte Verknüpfungen)",
        "deep": "zu tief in Ordnern verschachtelt",
        "no_language": "nicht in einem Sprachordner: inbox/<Dienst>/<Sprache>/",
        "no_provider": "ein Dienst dieses Namens ist nicht eingerichtet",
        "unreadable": "nicht lesbar{because}",
        "immovable": "lässt sich nicht verschieben{because}",
        "withdrawn": "zurückgezogen durch {reason} daneben; wird das entfernt, geht es weiter",
        "too_late": "kommt zu spät: der Dienst hat die Datei schon, und die Übersetzung läuft weiter",
    },
    units={
        "day": ("Tag", "Tage"),
        "hour": ("Stunde", "Stunden"),
        "minute": ("Minute", "Minuten"),
        "second": ("Sekunde", "Sekunden"),
    },
    no_reason="es wurde kein Grund genannt",
    thousands=".",
    decimal=",",
    phrases=PHRASES,
)
