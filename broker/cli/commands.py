"""All commands by name, with their examples; the help and the reference page are made of them.

Those that belong together in a group (`dead list`) stand in groups.py.
"""

from __future__ import annotations

from collections.abc import Iterable

from typer import Context, Exit, Typer

from broker.cli import (
    backup,
    bulk,
    checks,
    convert,
    doctor,
    evidence,
    explain,
    export,
    init,
    look,
    operate,
    pages,
    proposals,
    repair,
    retention,
    routes,
    statistics,
    tell,
    top,
    validate,
    verify,
)
from broker.cli.command import Command
from broker.cli.groups import GROUPS

ABOUT = """Brings XÖV messages to each city's own procedure, and the answers back.

Exit codes: 0 done, 1 findings or not possible, 2 wrong usage. Settings are environment variables
XOEV_BROKER_*, see docs/reference/settings.md."""


_ROUTES = """List the routes in the order in which they are tried.

The first that matches a message wins. `schema` prints what an editor needs."""


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
