"""The commands that come in groups, by the name of the group; see commands.py for the others."""

from __future__ import annotations

from broker.cli import (
    adapters,
    alerts,
    backup,
    bulk,
    codelists,
    coverage,
    dead,
    install,
    keys,
    kit,
    move,
    proposals,
    queue,
    release,
    retention,
    schemas,
    standin,
)
from broker.cli.command import Command

GROUPS: dict[str, tuple[str, tuple[Command, ...]]] = {
    "dead": (
        "Cases for a person (Klärfälle), grouped by cause.",
        (
            Command("list", dead.listed, ("dead list", "dead list --lang de", "dead list --json")),
            Command("show", dead.shown, ("dead show 3f2a91bc", "dead show ID --lang de")),
            Command(
                "close",
                dead.closed,
                (
                    'dead close ID --reason "settled by telephone"',
                    'dead close 3f2a91bc --reason "test data" --yes',
                ),
            ),
        ),
    ),
    "selection": (
        "Selections: many messages that a person chose.",
        (
            Command("list", bulk.listed, ("selection list",)),
            Command("show", bulk.shown, ("selection show outage", "selection show outage --json")),
            Command(
                "run", bulk.run, ("selection run outage", "selection run outage --rate 300/min")
            ),
            Command("cancel", bulk.cancelled, ('selection cancel outage --reason "wrong list"',)),
        ),
    ),
    "proposals": (
        "Proposals: new content that a second person confirms.",
        (
            Command("list", proposals.listed, ("proposals list", "proposals list --all")),
            Command("show", proposals.shown, ("proposals show PROPOSAL",)),
            Command(
                "reject", proposals.declined, ('proposals reject PROPOSAL --reason "wrong case"',)
            ),
        ),
    ),
    "retention": (
        "Retention: what is kept how long, and what is erased now.",
        (
            Command("show", retention.shown, ("retention show", "retention show --json")),
            Command("plan", retention.planned, ("retention plan",)),
            Command("run", retention.ran, ("retention run", "retention run --yes")),
        ),
    ),
    "keys": (
        "Keys: the site key that wraps the keys of all messages.",
        (
            Command("show", keys.shown, ("keys show",)),
            Command("rotate", keys.rotate, ("keys rotate",)),
            Command("retire", keys.retire, ("keys retire", "keys retire --force")),
        ),
    ),
    "restore": (
        "Restore: put a backup in place, and let it run.",
        (
            Command("check", backup.check, ("restore check /mnt/backup/2026-03-02",)),
            Command("put", backup.put, ("restore put /mnt/backup/2026-03-02",)),
            Command("mark", backup.mark, ("restore mark",)),
            Command("show", backup.shown, ("restore show",)),
            Command(
                "confirm",
                backup.confirm,
                ('restore confirm --until 2026-03-02T08:30 --reason "disk of host 7 is lost"',),
            ),
        ),
    ),
    "store": (
        "Store: the database that holds messages and journal.",
        (
            Command(
                "move",
                move.move,
                (
                    "store move --to-file /etc/xoev-broker/database.url",
                    "store move --from-file old.url --to sqlite:////srv/xoev/broker.sqlite",
                ),
            ),
        ),
    ),
    "alerts": (
        "Alerts: what people must know of now.",
        (
            Command("list", alerts.listed, ("alerts list", "alerts list --lang de")),
            Command("test", alerts.tried, ("alerts test",)),
        ),
    ),
    "queue": (
        "Queue: RabbitMQ, which wakes the workers of all hosts.",
        (Command("show", queue.shown, ("queue show", "queue show --json")),),
    ),
    "adapters": (
        "Adapters: what converts for one procedure of a city.",
        (
            Command("list", adapters.listed, ("adapters list",)),
            Command(
                "test",
                adapters.compared,
                (
                    "adapters test",
                    "adapters test wolfsburg/bau",
                    "adapters test --update",
                    "adapters test --junit junit.xml",
                ),
            ),
            Command(
                "new",
                kit.new,
                ("adapters new", "adapters new musterstadt/bau --standard xbau/2.6 --target soap"),
            ),
            Command(
                "coverage",
                coverage.coverage,
                (
                    "adapters coverage wolfsburg/bau",
                    "adapters coverage wolfsburg/bau --html verlust.html --lang de",
                    "adapters coverage wolfsburg/bau --json --strict",
                ),
            ),
            Command(
                "fields",
                coverage.fields,
                (
                    "adapters fields wolfsburg/bau --lang de",
                    "adapters fields wolfsburg/bau --html felder.html --lang de",
                    "adapters fields wolfsburg/bau --markdown",
                ),
            ),
        ),
    ),
    "standin": (
        "Stand-ins: play a procedure that is not there yet.",
        (
            Command(
                "soap",
                standin.soap,
                ("standin soap verfahren --wsdl bau.wsdl --answer antwort.xml",),
            ),
            Command(
                "rest",
                standin.rest,
                ("standin rest verfahren --answer antwort.json --fault 503 --fault lost",),
            ),
            Command(
                "directory",
                standin.directory,
                ("standin directory verfahren --answer antwort.xml",),
            ),
            Command(
                "table",
                standin.table,
                (
                    "standin table verfahren --ddl tables.sql --out ANTRAG_AUSGANG "
                    "--answer antwort.txt",
                ),
            ),
        ),
    ),
    "codelists": (
        "Code lists: what the codes of a message mean.",
        (
            Command("list", codelists.listed, ("codelists list",)),
            Command(
                "show",
                codelists.shown,
                ("codelists show urn:xoev-de:kosit:codeliste:verzeichnisdienst",),
            ),
            Command(
                "lookup",
                codelists.looked,
                ("codelists lookup urn:xoev-de:kosit:codeliste:verzeichnisdienst DVDV",),
            ),
        ),
    ),
    "schemas": (
        "Standards and the schemas that judge their messages.",
        (
            Command("list", schemas.listed, ("schemas list", "schemas list --json")),
            Command(
                "install",
                install.install,
                (
                    "schemas install XBau_2.6.zip",
                    "schemas install urn:xoev-de:bmk:standard:xbau_2.6",
                ),
            ),
            Command("show", install.shown, ("schemas show xbau/2.6",)),
            Command("remove", install.removed, ("schemas remove xbau/2.5",)),
            Command(
                "diff",
                release.compared,
                (
                    "schemas diff xbau/2.5 xbau/2.6",
                    "schemas diff xbau/2.5 xbau/2.6 --message baugenehmigung.antrag.0200",
                ),
            ),
            Command(
                "rehearse",
                release.rehearsed,
                (
                    "schemas rehearse xbau/2.6 --last 1000",
                    "schemas rehearse xbau/2.6 --html probe.html",
                ),
            ),
        ),
    ),
}
