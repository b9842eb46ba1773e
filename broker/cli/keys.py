"""The site key: which one is in use, a new one, and forgetting the old one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from typer import Option

from broker.cli.desk import Desk, opened
from broker.cli.repair import Actor, acting
from broker.cli.terminal import moment, say
from broker.errors import BrokerError

if TYPE_CHECKING:
    from broker.journal.rotation import Rotation


def shown() -> None:
    """Show the short names of the site keys in use; the keys themselves are never shown."""
    from broker.journal.ring import KeyCommand, KeyFile, short

    with opened() as desk:
        command, file = desk.settings.site_key_command, desk.settings.site_key
        ring = KeyCommand(command).read() if command else KeyFile(file).read()
    since = f" since {moment(ring.made)}" if ring.made else ""
    say(f"{ring.name} wraps message keys{since}")
    if ring.old:
        say(f"{short(ring.old)} is kept until: xoev-broker keys retire")


def rotate(actor: Actor = None) -> None:
    """Change the site key: every message key is wrapped anew, in batches, beside a running broker.

    Started again after an interruption, it goes on. The old key stays in the file until
    `keys retire`; make a new backup of the file then. Payloads themselves are not written anew.
    """
    with opened() as desk:
        done = _rotation(desk, actor).rotate()
    say(f"{done.count} message key(s) are wrapped anew with {done.key}; the old key is kept")
    say("in an hour, and after a backup of the key file: xoev-broker keys retire")


def retire(
    force: Annotated[
        bool, Option("--force", help="no broker has run since the change, so do not wait an hour")
    ] = False,
    actor: Actor = None,
) -> None:
    """Forget the old site key once no message key needs it any more."""
    with opened() as desk:
        done = _rotation(desk, actor).retire(force)
    say(f"only {done.key} is left; older backups of the store need the old key to be read")


def _rotation(desk: Desk, actor: str | None) -> Rotation:
    from broker.journal.ring import KeyCommand
    from broker.journal.rotation import Rotation

    found, command = desk.settings, None
    if found.site_key_command:
        if not found.site_key_write_command:
            raise BrokerError(
                "the site key comes from site_key_command, so the broker cannot write a new one; "
                "set site_key_write_command to a command that takes it on standard input"
            )
        command = KeyCommand(found.site_key_command, found.site_key_write_command)
    return Rotation(desk.store, found.site_key, acting(actor), command)
