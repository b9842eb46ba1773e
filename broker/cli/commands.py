"""All commands by name, with their examples; the help and the reference page are made of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from typer import Context, Exit, Typer

from broker.cli import (
    adapters,
    alerts,
    backup,
    bulk,
    checks,
    codelists,
    convert,
    coverage,
    dead,
    doctor,
    evidence,
    explain,
    export,
    init,
    install,
    keys,
    kit,
    look,
    move,
    operate,
    pages,
    proposals,
    queue,
    release,
    repair,
    retention,
    routes,
    schemas,
    standin,
    statistics,
    tell,
    top,
    validate,
    verify,
)

ABOUT = """Brings XÖV messages to each city's own procedure, and the answers back.

Exit codes: 0 done, 1 findings or not possible, 2 wrong usage. Settings are environment variables
XOEV_BROKER_*, see docs/reference/settings.md."""


_ROUTES = """List the routes in the order in which they are tried.

The first that matches a message wins. `schema` prints what an editor needs."""


@dataclass(frozen=True, slots=True)
class Command:
    """One command: its name, what it does, and examples as one would type them."""

    name: str
    act: Callable[..., None]
    examples: tuple[str, ...]


COMMANDS = (
    Command("init", init.init, ("init /srv/xoev-broker --owner xoev-broker", "init . --missing")),
    Command(
        "run",
        operate.run,
        ("run", "run --role worker", "XOEV_BROKER_LISTEN=127.0.0.1:8020 xoev-broker run"),
    ),
    Command(
        "submit",
        operate.submit,
        (
            "submit antrag.xml --party bauportal",
            "submit outbox/*.xml --json > receipts.jsonl",
            "submit - --party bauportal < antrag.xml",
        ),
    ),
    Command(
        "validate",
        validate.validate,
        (
            "validate antrag.xml",
            "validate antrag.xml --report html --output bericht.html",
            "validate antrag.xml --report xml --codelists warning",
        ),
    ),
    Command(
        "convert",
        convert.convert,
        (
            "convert adapters/wolfsburg/bau/samples/einfach/1-request.xoev.xml",
            "convert antrag.xml --adapter wolfsburg/bau --watch",
            "convert reply.xml --adapter wolfsburg/bau --reverse --request antrag.xml",
        ),
    ),
    Command("status", look.status, ("status", "status --json")),
    Command("top", top.top, ("top", "top --json", "top --every 5s")),
    Command(
        "messages",
        look.messages,
        (
            "messages --state dead --state unclear",
            "messages --route bau/wolfsburg --since 2d",
            "messages --case 5f0c2b9e-6b1f-4a52-9d5e-0f6f5a0f5b11",
            "messages --key antragsteller=Beispielmann --since 30d",
        ),
    ),
    Command(
        "trace",
        tell.trace,
        (
            "trace 019c0f00-0000-7000-8000-000000000001",
            "trace 63-2026-00017 --lang de",
            "trace 0123456789ABC --json",
        ),
    ),
    Command(
        "export",
        export.export,
        (
            "export --since 2026-01-01 --until 2026-04-01 -o quartal.csv",
            "export --state rejected --code X001 --format jsonl",
        ),
    ),
    Command(
        "payload",
        export.payload,
        (
            'payload ID -o antrag.xml --reason "complaint 17/2026"',
            'payload ID --form converted -o uebergeben.xml --reason "complaint 17/2026"',
        ),
    ),
    Command(
        "accesses",
        export.accesses,
        ("accesses --since 30d", "accesses ID", "accesses Beispielmann --person erika"),
    ),
    Command(
        "statistics",
        statistics.statistics,
        (
            "statistics --since 30d",
            "statistics --since 2026-01-01 --until 2027-01-01 --html zahlen.html --lang de",
            "statistics --json",
        ),
    ),
    Command(
        "replay",
        bulk.replay,
        (
            'replay ID --reason "address corrected"',
            'replay ID --again --reason "the procedure lost it"',
            'replay ID --reroute --reason "moved to the new procedure"',
            "replay --cause 3f2a91bc",
            'replay --route bau/wolfsburg --since 2d --freeze outage --reason "server is back"',
            "replay --selection outage --rate 10/s",
            'replay ID --edited corrected.xml --reason "reference was cut off"',
        ),
    ),
    Command(
        "confirm", proposals.confirm, ('confirm PROPOSAL --reason "compared with the letter"',)
    ),
    Command("close", repair.close, ('close ID --reason "settled by telephone"',)),
    Command("settle", repair.settle, ('settle ID --delivered --reason "file 63-2026-00017"',)),
    Command(
        "pause",
        repair.pause,
        (
            'pause bau/wolfsburg --reason "the procedure is being repaired"',
            'pause bau/wolfsburg --until 2h --reason "update"',
            'pause bau --from 2026-03-07T22:00 --until 2026-03-08T06:00 --reason "maintenance"',
        ),
    ),
    Command("resume", repair.resume, ("resume bau/wolfsburg", "resume bau --planned")),
    Command(
        "erase",
        retention.erase,
        (
            'erase ID --reason "request under Art. 17 GDPR, file 12/2026"',
            'erase --case 5f0c2b9e-6b1f-4a52-9d5e-0f6f5a0f5b11 --reason "…" --dry-run',
        ),
    ),
    Command("hold", retention.hold, ('hold ID --reason "lawsuit 4 K 17/26"',)),
    Command("unhold", retention.release, ('unhold ID --reason "lawsuit has ended"',)),
    Command(
        "evidence",
        evidence.evidence,
        (
            'evidence ID -o audit.zip --reason "audit 2026/14"',
            'evidence --case 5f0c2b9e-6b1f-4a52-9d5e-0f6f5a0f5b11 -o case.zip --reason "…"',
            'evidence --since 2026-01-01 --until 2026-02-01 -o january.zip --reason "…"',
        ),
    ),
    Command(
        "verify",
        verify.verify,
        ("verify", "verify --from /mnt/other-city/checkpoints", "verify --json"),
    ),
    Command(
        "checkpoint",
        verify.checkpoint,
        (
            "checkpoint",
            "checkpoint --public > stadt.key",
            "checkpoint --since 120000 > request.txt",
            "checkpoint --cosigned line.txt --key nebenan.key",
        ),
    ),
    Command(
        "witness",
        verify.witness,
        ("witness --public", "witness request.txt --key stadt.key > line.txt"),
    ),
    Command("check", checks.check, ("check", "check new-routes.yaml", "check --probe")),
    Command(
        "explain",
        explain.explain,
        (
            "explain antrag.xml --party bauportal",
            "explain antrag.xml --output converted.bin",
            "explain antrag.xml --no-output --json",
        ),
    ),
    Command("doctor", doctor.doctor, ("doctor", "doctor --all --lang de", "doctor --json")),
    Command("backup", backup.backup, ("backup /mnt/backup/2026-03-02",)),
    Command("docs", pages.docs, ("docs", "docs --check")),
    Command(
        "demo", operate.demo, ("demo", "demo --keep demo-files", "demo --stay", "demo --cluster")
    ),
    Command("version", operate.version, ("version",)),
)

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


def build() -> Typer:
    """Return the whole command line."""
    app = _typer(ABOUT)
    for command in COMMANDS:
        _add(app, command)
    for name, (about, commands) in GROUPS.items():
        app.add_typer(_group(about, commands), name=name)
    app.add_typer(_routes(), name="routes")
    return app


def _typer(about: str) -> Typer:
    return Typer(
        help=about,
        no_args_is_help=True,
        add_completion=False,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )


def _group(about: str, commands: Iterable[Command]) -> Typer:
    group = _typer(about)
    for command in commands:
        _add(group, command)
    return group


def _routes() -> Typer:
    """Return `routes`, which lists them by itself and has a command for editors."""
    schema = Command("schema", routes.schema, ("routes schema > routes.schema.json",))
    group = _group(_ROUTES, (schema,))

    @group.callback(invoke_without_command=True, epilog=_epilog(("routes", "routes --json")))
    def listed(context: Context, json: routes.Json = False) -> None:
        if context.invoked_subcommand is None:
            routes.listed(json)
            raise Exit

    group.info.no_args_is_help = False
    return group


def _add(app: Typer, command: Command) -> None:
    app.command(command.name, epilog=_epilog(command.examples))(command.act)


def _epilog(examples: Iterable[str]) -> str:
    lines = [text if "xoev-broker" in text else f"xoev-broker {text}" for text in examples]
    return "\b\nExamples:\n" + "\n".join(f"  {text}" for text in lines)
