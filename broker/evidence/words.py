"""The words of a report and of a bundle's README, in English and German."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

#: What a report says; `de` and `en` have the same keys.
WORDS: Final[Mapping[str, Mapping[str, str]]] = {
    "en": {
        "title": "Evidence", "asked": "Asked for", "journal": "Journal",
        "size": "Entries in the journal", "root": "Root of the journal", "key": "Key",
        "reason": "Opened because", "actor": "Opened by", "messages": "Messages",
        "request": "Request", "answer": "Answer", "timeline": "What happened", "kind": "Kind",
        "from": "From", "to": "To", "received": "Received (UTC)",
        "uuid": "Message id of its standard",
        "route": "Route", "table": "Routing table (SHA-256)", "artefact": "Judged by",
        "attempts": "Attempts", "receipt": "Receipt", "number": "File number",
        "end": "Stands", "why": "Reason", "bytes": "Bytes", "form": "Form", "file": "File",
        "original": "as received", "converted": "as converted", "erased": "erased",
        "none": "not in the store", "locked": "cannot be opened, the site key is missing",
        "entries": "Entries", "entry": "Entry", "time": "Time (UTC)", "event": "Event",
        "who": "Who", "facts": "Facts", "answers": "Answer to", "replays": "Replay of",
        "check": "How to check this",
        "how": "This report is for reading; what proves it are the other files of the bundle. "
               "Check them without this software with the program verify_evidence.py, which you "
               "should get from somewhere else than from whoever gave you the bundle, and with "
               "the operator's key, which you got elsewhere too:",
        "limits": "A bundle shows that these entries stand in the journal and that these bytes "
                  "are the recorded ones. That no entry was left out of it is shown by checking "
                  "the whole journal (xoev-broker verify), and that everyone was shown the same "
                  "journal by a witness.",
        "period": "received", "case": "the case of", "message": "Message",
        "last": "Last entry (UTC)",
        "stamp": "Time stamp", "below": "entries were there at that time",
        "personal": "The bundle holds the content of messages and with it personal data.",
        "more": "more messages; their files are in the bundle",
    },
    "de": {
        "title": "Nachweis", "asked": "Gefragt war", "journal": "Protokoll",
        "size": "Einträge im Protokoll", "root": "Wurzel des Protokolls", "key": "Schlüssel",
        "reason": "Geöffnet, weil", "actor": "Geöffnet von", "messages": "Nachrichten",
        "request": "Anfrage", "answer": "Antwort", "timeline": "Was geschah",
        "kind": "Nachrichtenart", "from": "Von", "to": "An", "received": "Eingegangen (UTC)",
        "uuid": "Nachrichten-ID des Standards", "route": "Weg", "table": "Wegetabelle (SHA-256)",
        "artefact": "Geprüft mit", "attempts": "Versuche", "receipt": "Quittung",
        "number": "Aktenzeichen", "end": "Stand", "why": "Grund", "bytes": "Bytes",
        "form": "Form", "file": "Datei", "original": "wie eingegangen",
        "converted": "wie umgewandelt", "erased": "gelöscht", "none": "nicht im Speicher",
        "locked": "nicht zu öffnen, der Schlüssel der Installation fehlt",
        "entries": "Einträge", "entry": "Eintrag", "time": "Zeit (UTC)", "event": "Ereignis",
        "who": "Wer", "facts": "Angaben", "answers": "Antwort auf", "replays": "Wiederholung von",
        "check": "So wird das geprüft",
        "how": "Dieser Bericht ist zum Lesen; der Beweis sind die anderen Dateien. Sie werden "
               "ohne diese Software mit dem Programm verify_evidence.py geprüft, das Sie nicht "
               "von demselben beziehen sollten wie diesen Nachweis, und mit dem Schlüssel des "
               "Betreibers, den Sie ebenfalls anderswo erhalten haben:",
        "limits": "Ein Nachweis zeigt, dass diese Einträge im Protokoll stehen und dass diese "
                  "Bytes die festgehaltenen sind. Dass kein Eintrag weggelassen wurde, zeigt die "
                  "Prüfung des ganzen Protokolls (xoev-broker verify), und dass allen dasselbe "
                  "Protokoll gezeigt wurde, ein Zeuge.",
        "period": "eingegangen", "case": "der Vorgang von", "message": "Nachricht",
        "last": "Letzter Eintrag (UTC)",
        "stamp": "Zeitstempel", "below": "Einträge gab es zu dieser Zeit",
        "personal": "Der Nachweis enthält Inhalte von Nachrichten und damit personenbezogene "
                    "Daten.",
        "more": "weitere Nachrichten; ihre Dateien liegen im Nachweis",
    },
}  # fmt: skip

README: Final = """\
EVIDENCE BUNDLE OF XOEV-BROKER, FORMAT 1
NACHWEIS VON XOEV-BROKER, FORMAT 1

It holds the content of messages and with it personal data.
Er enthält Inhalte von Nachrichten und damit personenbezogene Daten.

report-en.html, report-de.html   for reading / zum Lesen
messages/<id>/original.*         bytes as received / Bytes wie eingegangen
messages/<id>/converted.*        bytes as converted / Bytes wie umgewandelt
messages/<id>/facts.json         salts of the digests, numbers of the entries
entries/<number>.entry           canonical bytes of one entry of the journal
entries/<number>.tlog-proof      proof that it stands there (C2SP tlog-proof)
checkpoint.txt                   signed state of the journal (C2SP tlog-checkpoint)
key.txt                          public key of the journal (C2SP signed-note)
stamps/<size>.token              time stamp (RFC 3161) on an earlier checkpoint, if any
stamps/<size>.growth             proof that the journal only grew from there
manifest.txt                     SHA-256 of each file, signed with that key

To check it, without xoev-broker:
Prüfen, ohne xoev-broker:

    python3 verify_evidence.py {name} --key KEY

SHA-256 of verify_evidence.py that this bundle was made for:
{verifier}

Get the program and the key from somewhere else than from whoever gave you this file.
Beziehen Sie Programm und Schlüssel nicht von demselben, der Ihnen diese Datei gab.
"""
