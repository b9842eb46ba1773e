"""Lays out a site: the folder with everything that makes one installation, program excepted."""

from __future__ import annotations

import os
import pwd
import shutil
import stat
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from broker.errors import BrokerError
from broker.fields import Field
from broker.journal.checkpoint import Signer
from broker.journal.vault import Vault
from broker.settings import FIELDS, variable

ENVIRONMENT = "xoev-broker.env"
#: Where a site differs from a bare checkout.
SET: Mapping[str, str] = MappingProxyType(
    {
        "state": "state",
        "site_key": "secrets/site.key",
        "journal_key": "secrets/journal.key",
    }
)
_PRIVATE = ("secrets", "state")
_EXCHANGE = ("musterstadt/eingang", "musterstadt/ausgang", "bauportal/antworten")
_TOKENS = """\
# SHA-256 hashes of the tokens of this party, one a line. A new token:
#   python3 -c 'import secrets; print(secrets.token_urlsafe(32))' > secrets/bauportal.secret
#   printf %s "$(cat secrets/bauportal.secret)" | sha256sum >> secrets/bauportal.token
"""
_IGNORED = shutil.ignore_patterns("official", "__pycache__", "*.pyc")


@dataclass(frozen=True, slots=True)
class Site:
    """A folder to lay out. `owner` is the user of the service (None: whoever calls)."""

    folder: Path
    owner: str | None = None

    def lay(self, missing: bool = False) -> tuple[str, ...]:
        """Write what is not there and return it, by path in the folder.

        With `missing` the folder may have contents: no file is changed, only rights of secrets and
        state are narrowed. Raises BrokerError where the folder has contents, the owner is unknown
        or something cannot be written.
        """
        owner = _user(self.owner)
        try:
            if not missing and self.folder.is_dir() and any(self.folder.iterdir()):
                raise BrokerError(
                    f"{self.folder} is not empty; take another folder, or add what is missing "
                    f"there: xoev-broker init {self.folder} --missing"
                )
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o755)
            made = tuple(_laid(self.folder))
            self._narrow(owner)
        except OSError as error:
            text = f"{error.filename or self.folder}: cannot be written: {error.strerror}"
            raise BrokerError(text) from error
        return made

    def _narrow(self, owner: tuple[int, int] | None) -> None:
        """Nobody but the owner gets at keys and state; the owner may write there."""
        for name in (*_PRIVATE, "exchange", ENVIRONMENT):
            top = self.folder / name
            for path in (top, *(top.rglob("*") if top.is_dir() and name != "state" else ())):
                if path.is_symlink():
                    continue
                if name != "exchange":
                    path.chmod(stat.S_IMODE(path.stat().st_mode) & ~0o077)
                if owner is not None:
                    os.chown(path, *owner)


def _laid(folder: Path) -> Iterator[str]:
    for name in _PRIVATE:
        yield from _made(folder, name, lambda path: path.mkdir(mode=0o700))
    yield from _made(folder, "exchange", _exchange)
    for name, text in _texts():
        yield from _made(folder, name, _writer(text))
    for name in ("adapters", "deploy", *_standards()):
        yield from _made(folder, name, _copier(shipped(name)))
    yield from _made(folder, SET["site_key"], Vault.open)
    yield from _made(folder, SET["journal_key"], Signer.open)


def _made(folder: Path, name: str, make: Callable[[Path], object]) -> Iterator[str]:
    path = folder / name
    if not os.path.lexists(path):
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o755)
        make(path)
        yield name


def _texts() -> Iterator[tuple[str, str]]:
    starter = Path(__file__).parent / "starter"
    for name in ("README.md", "routes.yaml"):
        yield name, (starter / name).read_text("utf-8")
    yield ENVIRONMENT, environment()
    yield "secrets/bauportal.token", _TOKENS


def _standards() -> Iterator[str]:
    """Yield what is copied of the standards: each version by itself, and what describes them."""
    schemas = shipped("schemas/xoev")
    for path in sorted([*schemas.glob("*.md"), *schemas.glob("*/*")]):
        yield f"schemas/xoev/{path.relative_to(schemas).as_posix()}"


def _exchange(folder: Path) -> None:
    folder.mkdir(mode=0o755)
    for name in _EXCHANGE:
        (folder / name).mkdir(parents=True, mode=0o755)


def shipped(name: str) -> Path:
    """Return where the program has the folder `adapters`, `deploy` or `schemas/xoev`.

    An installed package carries them along; a checkout has them beside the package.
    """
    package = Path(__file__).parent
    packed = package / "starter" / name
    return packed if packed.exists() else package.parent / name


def _writer(text: str) -> Callable[[Path], object]:
    def write(path: Path) -> None:
        path.write_text(text, "utf-8")
        path.chmod(0o600 if path.parent.name == "secrets" else 0o644)

    return write


def _copier(source: Path) -> Callable[[Path], object]:
    def copy(path: Path) -> None:
        if source.is_file():
            shutil.copyfile(source, path)
        else:
            shutil.copytree(source, path, ignore=_IGNORED)
        # The service must be able to read it, whatever the umask of whoever calls.
        for one in (path, *path.rglob("*")):
            one.chmod(0o755 if one.is_dir() or one.stat().st_mode & 0o100 else 0o644)

    return copy


def _user(name: str | None) -> tuple[int, int] | None:
    if name is None:
        return None
    try:
        found = pwd.getpwnam(name)
    except KeyError:
        raise BrokerError(
            f'there is no user "{name}"; make it first, see deploy/systemd/xoev-broker.sysusers'
        ) from None
    if os.geteuid() not in (0, found.pw_uid):
        raise BrokerError(f'only root can give files to "{name}"; run the command as root')
    return found.pw_uid, found.pw_gid


def environment() -> str:
    """Return the file of settings: every one with its help, commented out with its default."""
    head = (
        "# Settings of this site, read by systemd (EnvironmentFile=) and by a shell:\n"
        "#   set -a; . ./xoev-broker.env; set +a\n"
        "# Take the # away to change one. A name that does not exist is an error at the start.\n"
    )
    return head + "".join(f"\n# {field.help}\n{_line(field)}\n" for field in FIELDS)


def _line(field: Field) -> str:
    """Return one line; both readers take double quotes, and neither finds a `$` in a default."""
    if field.name in SET:
        return f'{variable(field.name)}="{SET[field.name]}"'
    return f'#{variable(field.name)}="{field.default or ""}"'
