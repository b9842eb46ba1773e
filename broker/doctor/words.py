"""What the doctor says, in English and German: what was found, and what to do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True, slots=True)
class Words:
    """What was found (en, de), and what to do about it (do, tun)."""

    en: str
    de: str
    do: str = ""
    tun: str = ""


_CHMOD = ("chmod 600 {where}", "chmod 600 {where}")
_RENEW = (
    "get a new certificate, put it there and reload the broker",
    "neues Zertifikat beschaffen, dort ablegen und den Broker neu laden lassen (reload)",
)

WORDS: Mapping[str, Words] = MappingProxyType(
    {
        "settings.good": Words("every setting can be used", "alle Einstellungen sind brauchbar"),
        "settings.wrong": Words(
            "{text}",
            "{text}",
            "correct it in xoev-broker.env; all settings: docs/reference/settings.md",
            "in xoev-broker.env berichtigen; alle Einstellungen: docs/reference/settings.md",
        ),
        "settings.root": Words(
            "the command runs as root, and files that it makes may not be readable by the service",
            "der Befehl läuft als root; was er anlegt, kann der Dienst vielleicht nicht lesen",
            "run it as the user of the service: runuser -u xoev-broker -- xoev-broker doctor",
            "als Benutzer des Dienstes ausführen: runuser -u xoev-broker -- xoev-broker doctor",
        ),
        "routes.good": Words(
            "{routes} routes, {channels} channels, {parties} parties",
            "{routes} Wege, {channels} Anbindungen, {parties} Beteiligte",
        ),
        "routes.wrong": Words(
            "{text}",
            "{text}",
            "correct the line; xoev-broker check shows all of them again",
            "die Zeile berichtigen; xoev-broker check zeigt alle noch einmal",
        ),
        "routes.look": Words(
            "{text}",
            "{text}",
            "the broker runs with it; change it in routes.yaml if it is not meant",
            "der Broker läuft damit; in routes.yaml ändern, wenn es nicht so gemeint ist",
        ),
        "adapters.good": Words("{count} adapters can be used", "{count} Adapter sind brauchbar"),
        "adapters.broken": Words(
            "{text}",
            "{text}",
            "what its routes take waits; correct the file, then: xoev-broker adapters test",
            "Nachrichten seiner Wege warten; die Datei berichtigen, dann: xoev-broker adapters "
            "test",
        ),
        "standards.good": Words("{count} versions are installed", "{count} Fassungen installiert"),
        "standards.profile": Words(
            "{text}",
            "{where}: nur das Profil ist installiert, es prüft den Nachrichtenkopf, nicht den "
            "Inhalt",
            "download the official bundle from XRepository, then: xoev-broker schemas install FILE",
            "das amtliche Paket vom XRepository laden, dann: xoev-broker schemas install DATEI",
        ),
        "standards.altered": Words(
            "{text}",
            "{text}",
            "install the bundle again: xoev-broker schemas install FILE",
            "das Paket neu installieren: xoev-broker schemas install DATEI",
        ),
        "standards.ending": Words(
            "{text}",
            "{standard} {version} endet am {last}, in {days} Tagen",
            "install the next version and compare: xoev-broker schemas diff {where} NEXT",
            "die nächste Fassung installieren und vergleichen: xoev-broker schemas diff {where} "
            "NEUE",
        ),
        "standards.ended": Words(
            "{text}",
            "{standard} {version} gilt seit {last} nicht mehr; ihre Nachrichten werden "
            "zurückgewiesen",
            "install the version in force and change the routes that still take {where}",
            "die gültige Fassung installieren und die Wege ändern, die noch {where} nehmen",
        ),
        "keys.good": Words("{where} is there, for its owner only", "{where} ist da und geschützt"),
        "keys.first": Words(
            "{where} is made at the first start",
            "{where} entsteht beim ersten Start",
        ),
        "keys.missing": Words(
            "{where} is missing, but there is a store already: nothing in it can be read without",
            "{where} fehlt, es gibt aber schon einen Bestand: ohne ihn ist darin nichts lesbar",
            "restore the file from its backup; do not let the broker make a new one",
            "die Datei aus der Sicherung holen; den Broker keinen neuen anlegen lassen",
        ),
        "keys.wrong": Words(
            "{text}",
            "{where}: der Schlüssel kann nicht benutzt werden ({text})",
            "restore the file from its backup, mode 0600, owned by the user of the service",
            "die Datei aus der Sicherung holen, Rechte 0600, Eigentümer ist der Benutzer des "
            "Dienstes",
        ),
        "keys.open": Words(
            "others may read {where} (mode {mode})",
            "andere dürfen {where} lesen (Rechte {mode})",
            *_CHMOD,
        ),
        "keys.foreign": Words(
            "{where} belongs to another user, the broker cannot read it",
            "{where} gehört jemand anderem, der Broker kann sie nicht lesen",
            "chown it to the user of the service",
            "dem Benutzer des Dienstes geben (chown)",
        ),
        "keys.stranger": Words(
            "{where} is not the key of this store: what is stored cannot be read with it",
            "{where} ist nicht der Schlüssel dieses Bestands: damit ist nichts darin lesbar",
            "restore the key that belongs to the store from its backup",
            "den Schlüssel aus der Sicherung holen, der zu diesem Bestand gehört",
        ),
        "secrets.good": Words(
            "{count} secret files are there, for their owner only",
            "{count} geheime Dateien sind da und geschützt",
        ),
        "secrets.open": Words(
            "others may read {where} (mode {mode})",
            "andere dürfen {where} lesen (Rechte {mode})",
            *_CHMOD,
        ),
        "secrets.missing": Words(
            "{where} is missing ({user} needs it)",
            "{where} fehlt ({user} braucht sie)",
            "create it with mode 0600, or correct the path in routes.yaml",
            "mit Rechten 0600 anlegen, oder den Pfad in routes.yaml berichtigen",
        ),
        "secrets.unreadable": Words(
            "{where} cannot be read by this user ({user} needs it)",
            "{where} ist für diesen Benutzer nicht lesbar ({user} braucht sie)",
            "chown it to the user of the service",
            "dem Benutzer des Dienstes geben (chown)",
        ),
        "secrets.empty": Words(
            "{where} holds no hash, so {user} cannot send over HTTP with a token",
            "{where} enthält keine Prüfsumme, {user} kann so nicht über HTTP senden",
            "add the SHA-256 of a token, see docs/howto/token.md",
            "den SHA-256 eines Tokens eintragen, siehe docs/howto/token.md",
        ),
        "files.good": Words(
            "only their owner may change routes, adapters and standards",
            "nur der Eigentümer darf Wege, Adapter und Standards ändern",
        ),
        "files.writable": Words(
            "others may change {where} (mode {mode})",
            "andere dürfen {where} ändern (Rechte {mode})",
            "chmod go-w {where}",
            "chmod go-w {where}",
        ),
        "files.state": Words(
            "others may look into {where} (mode {mode})",
            "andere dürfen in {where} hineinsehen (Rechte {mode})",
            "chmod 700 {where}",
            "chmod 700 {where}",
        ),
        "files.closed": Words(
            "this user may not write in {where}",
            "dieser Benutzer darf in {where} nicht schreiben",
            "chown it to the user of the service, or run the command as that user",
            "dem Benutzer des Dienstes geben (chown), oder den Befehl als dieser ausführen",
        ),
        "store.first": Words(
            "there is no store yet, the first start makes it",
            "es gibt noch keinen Bestand, der erste Start legt ihn an",
        ),
        "store.good": Words(
            "the store opens, is durable and has format {version}",
            "der Bestand lässt sich öffnen, schreibt sicher und hat das Format {version}",
        ),
        "store.old": Words(
            "the store has format {found}, this broker writes {version}: the next start changes it",
            "der Bestand hat das Format {found}, dieser Broker {version}: der nächste Start stellt "
            "um",
            "make a backup before the next start; an older broker cannot read it afterwards",
            "vor dem nächsten Start sichern; ein älterer Broker kann ihn danach nicht mehr lesen",
        ),
        "store.wrong": Words(
            "{text}",
            "der Bestand kann nicht benutzt werden: {text}",
            "see that file or server is the right one, there, and not damaged; else restore the "
            "backup",
            "prüfen, ob Datei oder Server der richtige, erreichbar und heil ist; sonst die "
            "Sicherung einspielen",
        ),
        "store.copy": Words(
            "the store is an older copy: {text}",
            "der Bestand ist eine ältere Kopie: {text}",
            "look for the newer store; if it is lost: xoev-broker restore show "
            "(docs/howto/backup.md)",
            "nach dem neueren Bestand suchen; ist er verloren: xoev-broker restore show "
            "(docs/howto/backup.md)",
        ),
        "store.damaged": Words(
            "{where} is damaged: {text}",
            "{where} ist beschädigt: {text}",
            "stop the broker, keep a copy of the file, restore the backup; check disk and memory",
            "Broker anhalten, Datei aufheben, Sicherung einspielen; Platte und Speicher prüfen",
        ),
        "store.clear": Words(
            "payloads are stored in the clear (XOEV_BROKER_ENCRYPTION=off)",
            "Inhalte werden unverschlüsselt abgelegt (XOEV_BROKER_ENCRYPTION=off)",
            "take the setting away, unless an encrypted disk and the law allow it here",
            "die Einstellung entfernen, wenn nicht eine verschlüsselte Platte sie hier erlaubt",
        ),
        "store.remote": Words(
            "{where} lies on a network file system ({kind}), which may lose what was committed",
            "{where} liegt auf einem Netzlaufwerk ({kind}), das Gesichertes verlieren kann",
            "put the state folder on a local disk, or use PostgreSQL",
            "den Ordner auf eine eigene Platte legen, oder PostgreSQL benutzen",
        ),
        "journal.good": Words(
            "sealed up to the last entry, {count} entries",
            "bis zum letzten Eintrag versiegelt, {count} Einträge",
        ),
        "journal.late": Words(
            "entries have waited for a seal for {minutes} minutes; after {limit} minutes nothing "
            "is accepted",
            "Einträge warten seit {minutes} Minuten auf das Siegel; nach {limit} Minuten wird "
            "nichts mehr angenommen",
            "start the broker; where it runs, its log says why (event unsealed)",
            "den Broker starten; läuft er, sagt sein Log den Grund (Ereignis unsealed)",
        ),
        "journal.alone": Words(
            "checkpoints stay on this machine: who controls it could write the journal anew",
            "Prüfpunkte bleiben auf dieser Maschine: wer sie beherrscht, könnte das Protokoll neu "
            "schreiben",
            "name a place elsewhere: XOEV_BROKER_CHECKPOINT_PLACES or "
            "XOEV_BROKER_CHECKPOINT_SYSLOG",
            "einen Ort anderswo angeben: XOEV_BROKER_CHECKPOINT_PLACES oder "
            "XOEV_BROKER_CHECKPOINT_SYSLOG",
        ),
        "messages.good": Words(
            "{count} messages, none waits for a person",
            "{count} Nachrichten, keine wartet auf einen Menschen",
        ),
        "messages.stuck": Words(
            "{count} messages are {where}",
            "{count} Nachrichten stehen auf {where}",
            "look at them: xoev-broker messages --state {where}; what to do: docs/howto/stuck.md",
            "ansehen: xoev-broker messages --state {where}; was zu tun ist: docs/howto/stuck.md",
        ),
        "messages.old": Words(
            "the oldest waiting message was received {hours} hours ago",
            "die älteste wartende Nachricht kam vor {hours} Stunden",
            "see which procedure is away: xoev-broker messages --state waiting",
            "sehen, welches Verfahren fehlt: xoev-broker messages --state waiting",
        ),
        "messages.paused": Words(
            "route {where} is paused since {since}",
            "der Weg {where} ist seit {since} angehalten",
            "let it go on: xoev-broker resume {where}",
            "weiterlaufen lassen: xoev-broker resume {where}",
        ),
        "messages.planned": Words(
            "route {where} is stopped by a planned pause until {until}",
            "der Weg {where} ist durch eine geplante Pause bis {until} angehalten",
            "it goes on by itself; before that: xoev-broker resume {where}",
            "er läuft von selbst weiter; vorher: xoev-broker resume {where}",
        ),
        "messages.window": Words(
            "channel {where} is in its regular maintenance window until {until}",
            "die Anbindung {where} ist bis {until} in ihrem regelmäßigen Wartungsfenster",
            'it goes on by itself; the window stands in routes.yaml under "maintenance"',
            'sie läuft von selbst weiter; das Fenster steht in routes.yaml unter "maintenance"',
        ),
        "alerts.good": Words("alerts go to: {where}", "Meldungen gehen an: {where}"),
        "alerts.wrong": Words(
            "{text}",
            "{text}",
            "correct it, then send a test: xoev-broker alerts test (docs/howto/alerts.md)",
            "berichtigen, dann einen Test senden: xoev-broker alerts test (docs/howto/alerts.md)",
        ),
        "alerts.command": Words(
            "there is no program {where} that this user may run ({name})",
            "es gibt kein Programm {where}, das dieser Benutzer ausführen darf ({name})",
            "write the whole path, make the file executable, then: xoev-broker alerts test",
            "den ganzen Pfad schreiben, die Datei ausführbar machen, dann: xoev-broker alerts test",
        ),
        "process.good": Words("the broker runs", "der Broker läuft"),
        "process.stopped": Words(
            "no broker runs on this store: nothing is taken in or delivered",
            "kein Broker läuft auf diesem Bestand: nichts wird angenommen oder zugestellt",
            "systemctl start xoev-broker, or in the foreground: xoev-broker run",
            "systemctl start xoev-broker, oder im Vordergrund: xoev-broker run",
        ),
        "disk.good": Words("{free} free on {where}", "{free} frei auf {where}"),
        "disk.low": Words(
            "only {free} free on {where}",
            "nur noch {free} frei auf {where}",
            "make room or enlarge it; erase what is due: xoev-broker retention run --yes",
            "Platz schaffen oder vergrößern; Fälliges löschen: xoev-broker retention run --yes",
        ),
        "disk.full": Words(
            "{where} is full ({free} free): nothing can be accepted",
            "{where} ist voll ({free} frei): nichts kann angenommen werden",
            "make room at once; nothing of the state folder may be deleted by hand",
            "sofort Platz schaffen; im Ordner state nichts von Hand löschen",
        ),
        "disk.nodes": Words(
            "hardly any files can be made on {where} ({free} inodes left)",
            "auf {where} lassen sich kaum noch Dateien anlegen ({free} Inodes frei)",
            "remove small files that are not needed, or enlarge the file system",
            "überflüssige kleine Dateien entfernen, oder das Dateisystem vergrößern",
        ),
        "clock.good": Words("the clock is synchronised", "die Uhr wird abgeglichen"),
        "clock.free": Words(
            "the clock of this machine is not synchronised",
            "die Uhr dieser Maschine wird nicht abgeglichen",
            "turn time synchronisation on: timedatectl set-ntp true",
            "Zeitabgleich einschalten: timedatectl set-ntp true",
        ),
        "clock.back": Words(
            "the clock is {seconds} s behind {where}",
            "die Uhr geht {seconds} s nach gegenüber: {where}",
            "set the clock right before anything is accepted: times are part of the proof",
            "die Uhr stellen, bevor etwas angenommen wird: Zeiten sind Teil des Nachweises",
        ),
        "clock.apart": Words(
            "the clocks of this machine and of {where} are {seconds} s apart",
            "die Uhren dieser Maschine und von {where} gehen {seconds} s auseinander",
            "synchronise both with the same time server",
            "beide mit demselben Zeitserver abgleichen",
        ),
        "intake.off": Words("HTTP is turned off", "HTTP ist abgeschaltet"),
        "intake.local": Words(
            "listens on this machine only ({where})",
            "erreichbar nur auf dieser Maschine ({where})",
        ),
        "intake.sealed": Words("speaks TLS ({where})", "spricht TLS ({where})"),
        "intake.plain": Words(
            "listens on {where} without TLS, because a proxy is said to speak it",
            "erreichbar unter {where} ohne TLS, weil ein Proxy es sprechen soll",
            "let only the proxy reach this port (firewall), or give the broker a certificate",
            "nur den Proxy an diesen Port lassen (Firewall), oder dem Broker ein Zertifikat geben",
        ),
        "certificates.good": Words(
            "{where} is valid until {until}",
            "{where} gilt bis {until}",
        ),
        "certificates.ending": Words(
            "{where} ends on {until}, in {days} days",
            "{where} läuft am {until} ab, in {days} Tagen",
            *_RENEW,
        ),
        "certificates.ended": Words(
            "{where} ended on {until}: connections fail",
            "{where} ist am {until} abgelaufen: Verbindungen scheitern",
            *_RENEW,
        ),
        "certificates.early": Words(
            "{where} is valid only from {since} on: connections fail",
            "{where} gilt erst ab {since}: Verbindungen scheitern",
            "check the clock of this machine and the certificate",
            "die Uhr dieser Maschine und das Zertifikat prüfen",
        ),
        "certificates.wrong": Words(
            "{where} cannot be used: {text}",
            "{where} ist nicht brauchbar: {text}",
            "put a PEM file with certificate (and chain) there, and the key that belongs to it",
            "eine PEM-Datei mit Zertifikat (und Kette) ablegen, und den Schlüssel dazu",
        ),
        "channels.good": Words("{where}: {text}", "{where}: {text}"),
        "channels.away": Words(
            "{where}: {text}",
            "{where}: {text}",
            "deliveries wait and are tried again; help the other side, then: xoev-broker check "
            "--probe",
            "Zustellungen warten und werden wiederholt; der Gegenseite helfen, dann: xoev-broker "
            "check --probe",
        ),
        "channels.aside": Words(
            "{where}: {count} refused message(s) lie in its quarantine",
            "{where}: {count} abgewiesene Nachricht(en) liegen in ihrer Quarantäne",
            "read x-xoev-reason and x-xoev-text there, tell the sender, and take them out",
            "dort x-xoev-reason und x-xoev-text lesen, den Absender verständigen und sie entfernen",
        ),
        "channels.outlasts": Words(
            "{where}: deadline is {deadline} s, XOEV_BROKER_LEASE {lease} s: a process that hung "
            "may send what another has taken over, and repeats do harm there",
            "{where}: deadline ist {deadline} s, XOEV_BROKER_LEASE {lease} s: ein Prozess, der "
            "hing, kann senden, was ein anderer übernommen hat, und Wiederholungen schaden dort",
            "set the deadline of the channel shorter, or XOEV_BROKER_LEASE longer",
            "die deadline der Anbindung kürzer oder XOEV_BROKER_LEASE länger einstellen",
        ),
        "queue.good": Words("{count} queues on {where}", "{count} Warteschlangen auf {where}"),
        "queue.wrong": Words(
            "{text}",
            "{text}",
            "deliveries go on without it, more slowly; details: xoev-broker queue show",
            "Zustellungen gehen ohne sie weiter, langsamer; Näheres: xoev-broker queue show",
        ),
        "doctor.failed": Words(
            "this could not be looked at: {text}",
            "das ließ sich nicht prüfen: {text}",
            "send this line and the version to the maintainers, it is an error in the broker",
            "diese Zeile und die Version an die Entwickler geben, das ist ein Fehler im Broker",
        ),
    }
)
