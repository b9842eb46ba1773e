"""Machines on which the broker is a service, with its unit file, and those that get a release."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from broker.standins.daemon import port
from tests import needs
from tests.acceptance.machine import Machine, Page, bare, follow
from tests.acceptance.systemctl import Unit
from tests.acceptance.test_tutorial import blocks
from tests.needs import ROOT
from tools import release

#: Places of the pages that are folders of the machine.
_PLACES = re.compile(r"(?<![\w.])/(srv|mnt|opt|etc|usr/local/bin)/")
#: Of the packages around the program, these come with a new environment or are the program.
_OWN = ("xoev_broker", "_xoev_broker", "pip", "__pycache__", "_distutils", "distutils")
_VERSION = re.compile(r'^version = "(.*)"$', re.MULTILINE)
#: The releases of the pages: this one, and the one after it.
_NOW, _NEXT, _LATER = "0.1.0", "0.2.0", "99.0.0"
SHIMS = {
    "systemctl": """\
#!/usr/bin/env bash
exec "{python}" "{root}/tests/acceptance/systemctl.py" "$@"
""",
    "runuser": '#!/usr/bin/env bash\nshift 3\nexec "$@"\n',
    "python3": '#!/usr/bin/env bash\nexec "{base}" "$@"\n',
    # The lock is honoured without network: its packages are those that the tests run with.
    "sudo": """\
#!/usr/bin/env bash
set -euo pipefail
case "$*" in
  *"/bin/pip install"*"-r site.lock")
    grep -q sha256 site.lock
    PYTHONPATH="{root}" exec "{python}" -m tests.acceptance.served "${{1%/bin/pip}}" ;;
esac
exec "$@"
""",
}


@dataclass(frozen=True)
class Served(Machine):
    """A machine with systemd; the program of this checkout is what lies in `/opt`."""

    @property
    def environ(self) -> dict[str, str]:
        """The variables of a shell: `xoev-broker` is the one in `/usr/local/bin`."""
        tests = str(Path(sys.executable).parent)
        paths = [one for one in os.environ["PATH"].split(os.pathsep) if one != tests]
        first = [str(self.folder / name) for name in ("usr/local/bin", "bin")]
        return super().environ | {
            "PATH": os.pathsep.join([*first, *paths]),
            "PYTHONPATH": "",
            "PIP_NO_INDEX": "1",
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
            "HOME": str(self.folder),
        }

    @contextmanager
    def on(self) -> Iterator[None]:
        """Stop at the end whatever still runs."""
        try:
            yield
        finally:
            for file in (self.folder / "run").glob("*.pid"):
                with suppress(ProcessLookupError):
                    Unit(self.folder, file.stem).stop()

    def text(self, page: str) -> str:
        """Return a page with the places of this machine."""
        text = Page(page, bare, lambda _: True).text(self)
        text = text.replace(_NEXT, _LATER).replace(_NOW, version("xoev-broker"))
        text = re.sub(r"0\.0\.0\.0:8443|localhost:8443", self._secure, text)
        return _PLACES.sub(rf"{self.folder}/\1/", text)

    def _secure(self, found: re.Match[str]) -> str:
        host = found[0].partition(":")[0]
        return f"{'127.0.0.1' if host == '0.0.0.0' else host}:{self.port}"

    def follow(self, page: str, there: bool = False) -> None:
        """Type a page; everything it shows must have been printed."""
        found = list(blocks(self.text(page)))
        told = [f"{page}:{one}" for one in follow(self, found, there)]
        assert not told, "\n".join(told)


def empty(folder: Path) -> Served:
    """Return a machine with nothing but systemd."""
    machine = Served(folder, port())
    bare(machine)
    words = {"python": sys.executable, "root": ROOT, "base": os.path.realpath(sys.executable)}
    for name, text in SHIMS.items():
        shim = folder / "bin" / name
        shim.write_text(text.format(**words))
        shim.chmod(0o755)
    for name in ("etc/systemd/system", "usr/local/bin", "opt"):
        (folder / name).mkdir(parents=True)
    return machine


def checkout(folder: Path) -> Served:
    """Return a machine that has the program of this checkout in `/opt`, and a site that runs."""
    machine = empty(folder)
    program = folder / "opt/xoev-broker/bin/xoev-broker"
    program.parent.mkdir(parents=True)
    program.symlink_to(Path(sys.executable).with_name("xoev-broker"))
    (folder / "usr/local/bin/xoev-broker").symlink_to(program)
    settle(machine)
    return machine


def settle(machine: Served) -> None:
    """Lay out a site and start the service on it."""
    words = ["xoev-broker", "init", str(machine.site)]
    subprocess.run(words, env=machine.environ, check=True, capture_output=True)
    machine.shell(f"cp deploy/systemd/xoev-broker.service {machine.folder}/etc/systemd/system/")
    machine.shell("systemctl start xoev-broker")


def released(folder: Path) -> Path:
    """Make a release in a folder, as its maker would, but for the signature."""
    release.release(folder, None)
    return folder


def following(before: Path, folder: Path) -> Path:
    """Make the release after another one, from the source archive of that one."""
    source = folder.with_name(f"{folder.name}-source")
    (archive,) = before.glob("*.tar.gz")
    with tarfile.open(archive) as packed:
        packed.extractall(source, filter="data")
    (source,) = source.iterdir()
    file = source / "pyproject.toml"
    file.write_text(_VERSION.sub(f'version = "{_LATER}"', file.read_text("utf-8")), "utf-8")
    words = [sys.executable, "-m", "hatchling", "build", "-d", str(folder)]
    subprocess.run(words, cwd=source, check=True, capture_output=True)
    return folder


def tools(*names: str) -> None:
    """Skip where a program that a page uses is missing."""
    for name in names:
        needs.server(name, shutil.which(name) is not None, f"apt install {name}")


def borrow(environment: Path) -> None:
    """Put the packages of the tests into another environment, all but the program itself."""
    (there,) = environment.glob("lib/python*/site-packages")
    (here,) = Path(sys.executable).parents[1].glob("lib/python*/site-packages")
    for one in here.iterdir():
        if not one.name.startswith(_OWN) and not (there / one.name).exists():
            (there / one.name).symlink_to(one)


if __name__ == "__main__":
    borrow(Path(sys.argv[1]))
