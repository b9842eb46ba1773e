"""Settings of the process: environment variables, each with a default, so that none is needed."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from broker import listening
from broker.errors import ConfigError, Finding
from broker.fields import Field
from broker.maintenance import zone
from broker.values import closest, default, read, seconds, sized
from broker.variables import ALERTS, BOUNDS, LEAST, OPTIONAL, PREFIX, variable

__all__ = ("FIELDS", "PREFIX", "Settings", "periods", "reference", "variable")

FIELDS = (
    Field("routes", "path", "the routing table", "routes.yaml"),
    Field("adapters", "text", "folders with adapters, separated by `:`", "adapters"),
    Field("schemas", "path", "folder with the standards", "schemas/xoev"),
    Field("state", "path", "folder for everything that the broker writes", "var"),
    Field(
        "store",
        "text",
        "database: `sqlite:///` and a file, or `postgresql://user@host/database` for several hosts "
        "(docs/howto/postgresql.md); `{state}` is the state folder",
        "sqlite:///{state}/broker.sqlite",
    ),
    Field(
        "store_file",
        "secret_file",
        "file that holds the database URL, used instead of `store`; for a URL with a password",
        "",
    ),
    Field(
        "queue",
        "text",
        "RabbitMQ that wakes workers: `amqp://user@host:5672,host2:5672/vhost`, or `amqps`; "
        "empty: workers look into the store themselves",
        "",
    ),
    Field("queue_file", "secret_file", "file that holds the password of `queue`", ""),
    Field(
        "queue_ca",
        "path",
        "certificates (PEM) that `queue` is checked with over `amqps`; empty: those of the system",
        "",
    ),
    Field("queue_name", "text", "how the names of the queues begin", "xoev-broker"),
    Field("site_key", "text", "key file that payloads are sealed with", "{state}/site.key"),
    Field(
        "site_key_command",
        "text",
        "command that prints the site key, used instead of `site_key`; no shell runs it",
        "",
    ),
    Field(
        "site_key_write_command",
        "text",
        "command that takes a changed site key on standard input, for `keys rotate`",
        "",
    ),
    Field(
        "encryption",
        "choice",
        "`off` stores payloads in the clear; the broker warns of it at every start",
        "on",
        choices=("on", "off"),
    ),
    Field(
        "origin",
        "text",
        "name of this journal in its checkpoints; it stays for ever",
        "xoev-broker",
    ),
    Field(
        "journal_key", "text", "key file that checkpoints are signed with", "{state}/journal.key"
    ),
    Field("seal_entries", "number", "a checkpoint after so many entries of the journal", "1000"),
    Field("seal_seconds", "seconds", "a checkpoint so long after the last one", "60s"),
    Field("seal_limit", "seconds", "without sealing for so long, nothing is accepted", "4h"),
    Field(
        "checkpoint_file", "text", "file that checkpoints are appended to", "{state}/checkpoints"
    ),
    Field(
        "checkpoint_places",
        "text",
        "further files for checkpoints, best on other machines, separated by `:`",
        "",
    ),
    Field(
        "checkpoint_syslog",
        "text",
        "system log that gets checkpoints: a socket such as `/dev/log`, or `host:port`",
        "",
    ),
    Field("timestamp_url", "http", "time stamp authority (RFC 3161) for checkpoints", ""),
    Field("timestamp_ca", "path", "certificates of that authority that are trusted, PEM", ""),
    Field("timestamp_seconds", "seconds", "a time stamp so long after the last one", "1h"),
    Field(
        "listen",
        "text",
        "address and port of the HTTP intake; empty turns it off",
        "127.0.0.1:8017",
    ),
    Field(
        "listen_certificate",
        "path",
        "certificate chain (PEM) of the intake; with it the intake speaks TLS only",
        "",
    ),
    Field("listen_key", "secret_file", "key (PEM) of that certificate", ""),
    Field(
        "listen_client_ca",
        "path",
        "certificates (PEM) that senders' certificates are checked with; with it none may come "
        "without one",
        "",
    ),
    Field(
        "listen_plain",
        "choice",
        "`allowed` where a proxy on the way speaks TLS: without TLS of its own, the intake else "
        "listens on this machine only",
        "refused",
        choices=("refused", "allowed"),
    ),
    Field(
        "staff_file",
        "secret_file",
        "tokens of those who may look at the broker over HTTP, a line each: SHA-256, `operator`, "
        "`auditor` or `administrator`, name; with it `/metrics` needs one too",
        "",
    ),
    Field(
        "security_txt",
        "path",
        "file that is shown under /.well-known/security.txt (RFC 9116)",
        "",
    ),
    Field("max_message", "number", "largest message that is accepted", "64 MB"),
    Field("xml_threads", "number", "threads that check and convert; 0 is one for each core", "0"),
    Field("senders", "number", "threads that deliver, over all channels", "32"),
    Field("batch", "number", "how many messages are leased at a time", "200"),
    Field("held_limit", "seconds", "how long a message waits for a missing schema", "30d"),
    Field(
        "retention_payload",
        "seconds",
        "payloads are erased so long after the message ended; 0 keeps them for ever",
        "90d",
    ),
    Field(
        "retention_metadata",
        "seconds",
        "ids and file numbers are erased so long after the message ended; 0 keeps them for ever",
        "365d",
    ),
    Field(
        "retention_standards",
        "text",
        "other periods for single standards, payload/metadata: `xmeld=14d/90d, xbau=1095d/1095d`",
        "",
    ),
    Field(
        "ending_weeks",
        "number",
        "so many weeks before a version of a standard in use ends, `check` warns",
        "8",
    ),
    Field(
        "repository",
        "http",
        "HTTP API that `schemas install URN` asks",
        "https://www.xrepository.de/api/xrepository/",
    ),
    Field("zone", "text", "time zone of maintenance windows and planned pauses", "Europe/Berlin"),
    Field("poll", "seconds", "pause between two looks into folders and tables", "1s"),
    Field(
        "lease",
        "seconds",
        "so long after a process died, others take over what it had in hand, on a shared store; "
        "longer than the `deadline` of channels on which a repeat does harm",
        "60s",
    ),
    Field(
        "renew_memory",
        "number",
        "a process that takes more memory replaces itself; 0 turns it off",
        "1500 MB",
    ),
    Field("drain", "seconds", "time to finish what is in hand at a stop", "20s"),
    Field(
        "log_level",
        "choice",
        "the least urgent lines that are logged",
        "info",
        choices=("debug", "info", "warning", "error"),
    ),
    Field(
        "log_format",
        "choice",
        "lines for machines or for people",
        "json",
        choices=("json", "console"),
    ),
    Field(
        "telemetry_url",
        "http",
        "collector that gets a trace of each message over OTLP/HTTP, such as "
        "`http://localhost:4318/v1/traces`; needs the extra `telemetry`",
        "",
    ),
    *BOUNDS,
    *ALERTS,
)

#: These must be at least so much.
_LEAST: Mapping[str, float] = {
    "max_message": 1024,
    "senders": 1,
    "batch": 1,
    "poll": 0.01,
    "lease": 5,
    "held_limit": 1,
    "seal_entries": 1,
    "seal_seconds": 1,
    "seal_limit": 60,
    "timestamp_seconds": 60,
    **LEAST,
}
#: These are secret or hold a secret, so that a finding does not repeat them.
_SECRET = ("store", "store_file", "site_key_command", "site_key_write_command")
#: These may be empty.
_OPTIONAL = (
    "listen",
    "listen_certificate",
    "listen_key",
    "listen_client_ca",
    "staff_file",
    "security_txt",
    "queue",
    "queue_file",
    "queue_ca",
    "checkpoint_places",
    "checkpoint_syslog",
    "retention_standards",
    "site_key_command",
    "site_key_write_command",
    "store_file",
    "telemetry_url",
    "timestamp_ca",
    "timestamp_url",
    *OPTIONAL,
)

#: Without a value these are empty texts.
_TEXTS = ("alert_command", "alert_mail", "alert_webhook", "telemetry_url")

_QUEUE_NAME = re.compile(r"[A-Za-z0-9._-]{1,100}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Settings:
    """What the environment says; the fields are described in FIELDS.

    Relative paths are relative to the working folder. Durations are seconds, sizes bytes.
    """

    routes: Path
    adapters: tuple[Path, ...]
    schemas: Path
    state: Path
    store: str
    store_file: Path | None
    queue: str
    queue_file: Path | None
    queue_ca: Path | None
    queue_name: str
    site_key: Path
    site_key_command: str
    site_key_write_command: str
    encryption: str
    origin: str
    journal_key: Path
    seal_entries: int
    seal_seconds: float
    seal_limit: float
    checkpoint_file: Path
    checkpoint_places: tuple[Path, ...]
    checkpoint_syslog: str
    timestamp_url: str
    timestamp_ca: Path | None
    timestamp_seconds: float
    listen: str
    listen_certificate: Path | None
    listen_key: Path | None
    listen_client_ca: Path | None
    listen_plain: str
    staff_file: Path | None
    security_txt: Path | None
    max_message: int
    xml_threads: int
    senders: int
    batch: int
    held_limit: float
    retention_payload: float
    retention_metadata: float
    retention_standards: str
    ending_weeks: int
    repository: str
    zone: str
    poll: float
    lease: float
    renew_memory: int
    drain: float
    log_level: str
    log_format: str
    telemetry_url: str
    disk_stop: int | float
    disk_warn: int | float
    depth: int
    store_silence: float
    alert_command: str
    alert_mail: str
    alert_mail_from: str
    alert_mail_server: str
    alert_mail_password_file: Path | None
    alert_webhook: str
    alert_webhook_key_file: Path | None
    alert_ca: Path | None
    alert_waiting: float
    alert_disturbed: float
    alert_ending: float
    alert_over: float
    alert_repeat: float

    @classmethod
    def load(cls, environ: Mapping[str, str]) -> Settings:
        """Return the settings; raises ConfigError with all findings, unknown names among them."""
        findings = _unknown(environ)
        values = {field.name: _value(field, environ, findings) for field in FIELDS}
        _check(values, environ, findings)
        if findings:
            raise ConfigError("the settings in the environment cannot be used", findings=findings)
        return cls(**_resolved(values))

    @property
    def address(self) -> tuple[str, int] | None:
        """Host and port to listen on, or None where HTTP is turned off."""
        return listening.address(self.listen)

    @property
    def threads(self) -> int:
        """How many XML threads to start: as set, or one for each core that this process may use."""
        return self.xml_threads or len(os.sched_getaffinity(0))

    def database(self) -> str:
        """Return the URL of the store; reads `store_file` where it is set. Raises ConfigError."""
        if self.store_file is None:
            return self.store
        try:
            text = self.store_file.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            name = variable("store_file")
            raise ConfigError(f"{name}: the file cannot be read, check the path") from error
        return text


def periods(text: str) -> dict[str, tuple[float, float]]:
    """Return what `retention_standards` says: seconds for payload and metadata by standard.

    Raises ConfigError.
    """
    found = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        name, _, pair = part.partition("=")
        payload, _, metadata = pair.partition("/")
        if not name.strip():
            raise ConfigError("a standard and two periods, such as xmeld=14d/90d")
        found[name.strip()] = seconds(payload.strip()), seconds(metadata.strip())
    return found


def _unknown(environ: Mapping[str, str]) -> list[Finding]:
    names = [variable(field.name) for field in FIELDS]
    return [
        Finding(f"unknown setting{closest(name, names)}", file=name)
        for name in sorted(environ)
        if name.startswith(PREFIX) and name not in names
    ]


def _value(field: Field, environ: Mapping[str, str], findings: list[Finding]) -> Any:
    name = variable(field.name)
    text = environ.get(name, field.default or "")
    if not text:
        if field.name not in _OPTIONAL:
            findings.append(Finding("is empty, unset it to get the default", file=name))
        return None
    try:
        return read(field, text, Path())
    except ConfigError as error:
        findings.append(Finding(f"{_shown(field.name, text)}, needed is {error}", file=name))
        return default(field, Path()) if field.default else None


def _shown(name: str, text: str) -> str:
    # Before an "@" a password may stand.
    return "cannot be used" if name in _SECRET or "@" in text else f'is "{text}"'


def _check(values: dict[str, Any], environ: Mapping[str, str], findings: list[Finding]) -> None:
    for name, least in _LEAST.items():
        if values[name] is not None and values[name] < least:
            findings.append(Finding(f"must be at least {least:g}", file=variable(name)))
    try:
        periods(values["retention_standards"] or "")
    except ConfigError as error:
        name = variable("retention_standards")
        findings.append(Finding(f"cannot be read, needed is {error}", file=name))
    if not _QUEUE_NAME.fullmatch(values["queue_name"] or "x"):
        text = "needed are letters, digits and . _ -, at most 100"
        findings.append(Finding(text, file=variable("queue_name")))
    findings += listening.findings(values)
    findings += _zone(environ.get(variable("zone")))
    if environ.get(variable("store")) and environ.get(variable("store_file")):
        text = f"cannot be set together with {variable('store')}"
        findings.append(Finding(text, file=variable("store_file")))


def _zone(name: str | None) -> Sequence[Finding]:
    # The default is looked for where it is needed: not every system has a database of zones.
    try:
        if name:
            zone(name)
    except ConfigError as error:
        return error.findings
    return ()


def _paths(text: str) -> tuple[Path, ...]:
    return tuple(Path(part) for part in text.split(os.pathsep) if part)


def _resolved(values: dict[str, Any]) -> dict[str, Any]:
    state = str(values["state"])
    return values | {
        "adapters": _paths(values["adapters"]),
        "store": values["store"].replace("{state}", state),
        "site_key": Path(values["site_key"].replace("{state}", state)),
        "journal_key": Path(values["journal_key"].replace("{state}", state)),
        "checkpoint_file": Path(values["checkpoint_file"].replace("{state}", state)),
        "checkpoint_places": _paths(values["checkpoint_places"] or ""),
        "checkpoint_syslog": values["checkpoint_syslog"] or "",
        "listen": values["listen"] or "",
        "queue": values["queue"] or "",
        "site_key_command": values["site_key_command"] or "",
        "site_key_write_command": values["site_key_write_command"] or "",
        "timestamp_url": values["timestamp_url"] or "",
        "retention_standards": values["retention_standards"] or "",
        **{name: values[name] or "" for name in _TEXTS},
    }


def reference() -> str:
    """Return the reference page of all settings as Markdown."""
    lines = [
        "# Settings",
        "",
        "<!-- Generated from broker/settings.py; do not edit. -->",
        "",
        "Environment variables of the process. None of them is needed: a fresh checkout runs with",
        "the defaults. Relative paths are relative to the working folder. Durations are written as",
        "`30s`, `5m`, `1h` or `3d`, sizes as `64 MB`, shares of a disk as `5%`. A name with this",
        "prefix that is not in the list is an error at start. Duplicates are recognised for ever;",
        "there is no setting for it.",
        "",
        "| variable | what it sets | type | default |",
        "|---|---|---|---|",
    ]
    lines += [_row(field) for field in FIELDS]
    return "\n".join(lines) + "\n"


def _row(field: Field) -> str:
    kind = " or ".join(f"`{choice}`" for choice in field.choices) or field.kind.replace("_", " ")
    kind = "size" if sized(field) else "size or share" if field.kind == "room" else kind
    given = f"`{field.default}`" if field.default else "empty"
    return f"| `{variable(field.name)}` | {field.help} | {kind} | {given} |"
