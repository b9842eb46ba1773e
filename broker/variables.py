"""Names of environment variables, and the fields of those that set bounds and alerts."""

from __future__ import annotations

from broker.fields import Field

PREFIX = "XOEV_BROKER_"

BOUNDS = (
    Field(
        "disk_stop",
        "room",
        "with less free on the disk of the state folder or the store, nothing is taken in; "
        "delivery goes on",
        "500 MB",
    ),
    Field("disk_warn", "room", "with less free there, an alert is raised", "2 GB"),
    Field(
        "depth",
        "number",
        "with so many undelivered messages, no more are taken in; 0 is no limit",
        "100000",
    ),
    Field(
        "store_silence",
        "seconds",
        "a PostgreSQL server that says nothing for so long is asked whether it still works, and "
        "left if it does not answer",
        "30s",
    ),
)

ALERTS = (
    Field(
        "alert_command",
        "text",
        "command that gets alerts as JSON on standard input; no shell runs it",
        "",
    ),
    Field("alert_mail", "text", "addresses that get alerts by mail, separated by commas", ""),
    Field("alert_mail_from", "text", "sender of these mails", "xoev-broker@localhost"),
    Field(
        "alert_mail_server",
        "url",
        "mail server: `smtp://user@host:587` (with STARTTLS) or `smtps://user@host:465`",
        "smtp://localhost:25",
    ),
    Field("alert_mail_password_file", "secret_file", "password of its user", ""),
    Field("alert_webhook", "http", "HTTPS address that gets alerts as JSON", ""),
    Field(
        "alert_webhook_key_file",
        "secret_file",
        "key for the signature of what the webhook gets (HMAC-SHA256)",
        "",
    ),
    Field(
        "alert_ca",
        "path",
        "certificates (PEM) that mail server and webhook are checked with; empty: the system's",
        "",
    ),
    Field("alert_waiting", "seconds", "a message that waits for longer raises an alert", "1h"),
    Field("alert_disturbed", "seconds", "a channel that fails for longer raises an alert", "15m"),
    Field(
        "alert_ending",
        "seconds",
        "so long before a certificate or a version of a standard ends, an alert is raised",
        "30d",
    ),
    Field(
        "alert_over",
        "seconds",
        "a cause gone for so long is over; causes are looked for every 30 s, or this often",
        "5m",
    ),
    Field("alert_repeat", "seconds", "an alert that is open so long is told again; 0 never", "0"),
)

#: Those of them that must be at least so much.
LEAST = {
    "store_silence": 2,
    "alert_waiting": 1,
    "alert_disturbed": 1,
    "alert_ending": 1,
    "alert_over": 1,
}
#: Those of them that may be empty.
OPTIONAL = (
    "alert_command",
    "alert_mail",
    "alert_mail_password_file",
    "alert_webhook",
    "alert_webhook_key_file",
    "alert_ca",
)


def variable(name: str) -> str:
    """Return the environment variable of a field."""
    return PREFIX + name.upper()
