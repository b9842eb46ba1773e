"""A machine of its own: a real systemd as process 1 of new namespaces, and the service on it.

Nothing of it is seen outside, and it sees no unit but ours. Needs root, and a kernel that lets it.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import Self

from broker.layout import ENVIRONMENT
from tests.cluster import until
from tests.needs import ROOT

SYSTEMD = Path("/lib/systemd/systemd")
UNIT = ROOT / "deploy/systemd/xoev-broker.service"
USER = 64_321
_NAMESPACES = ("--mount", "--pid", "--mount-proc", "--cgroup", "--uts", "--ipc", "--net")
_SCRIPT = """\
#!/opt/xoev-broker/bin/python
import sys
from broker.cli import main
sys.exit(main())
"""
_BOOT = """\
set -e
mount --make-rprivate /
mount -t tmpfs tmpfs /run
mkdir -p /run/systemd
umount -R /sys/fs/cgroup 2>/dev/null || true
mount -t cgroup2 cgroup2 /sys/fs/cgroup
mount --bind {folder}/passwd /etc/passwd
mount --bind {folder}/group /etc/group
mount -t tmpfs tmpfs /opt
mount -t tmpfs tmpfs /srv
for pair in {pairs}; do
  mkdir -p "${{pair#*=}}"
  mount --bind "${{pair%=*}}" "${{pair#*=}}"
done
# Python's own library may lie elsewhere now than it was built for.
ldconfig -C /run/ld.so.cache /opt/python/lib
mount --bind /run/ld.so.cache /etc/ld.so.cache
export container=other SYSTEMD_UNIT_PATH={folder}/units
exec {systemd} --system --unit=ours.target --log-target=console --show-status=0
"""
_TARGET = "[Unit]\nDescription=nothing else\nDefaultDependencies=no\n"


def present() -> str:
    """Return why there can be no such machine here; empty where there can."""
    if os.geteuid() != 0:
        return "namespaces with a systemd of their own need root"
    if not SYSTEMD.exists() or not all(map(shutil.which, ("unshare", "nsenter", "systemctl"))):
        return "systemd or util-linux is missing: apt install systemd util-linux"
    tried = ["unshare", "--fork", *_NAMESPACES, "bash", "-ec",
             "mount --make-rprivate /; mount -t tmpfs x /mnt; mount -t cgroup2 x /mnt"]  # fmt: skip
    done = subprocess.run(tried, capture_output=True, timeout=30, check=False)
    return "" if done.returncode == 0 else "this kernel or container allows no such namespaces"


class Machine:
    """Boots at once; `ctl` is its systemctl. Everything of it ends with it."""

    def __init__(self, folder: Path, drop: str = "") -> None:
        """Lay out program and site in a folder; `drop` is a drop-in of the administrator."""
        self.folder = folder
        self.log = folder / "service.log"
        self._units(drop)
        self._people()
        self._program()
        self._site()

    def __enter__(self) -> Self:
        kept = {"site": "/srv/xoev-broker", "opt": "/opt/xoev-broker"}
        pairs = {self.folder / name: place for name, place in kept.items()}
        pairs |= {ROOT: "/opt/source", Path(sysconfig.get_path("purelib")): "/opt/packages"}
        pairs |= {Path(sys.base_prefix): "/opt/python"}
        said = " ".join(f"'{source}={place}'" for source, place in pairs.items())
        boot = self.folder / "boot.sh"
        boot.write_text(_BOOT.format(folder=self.folder, pairs=said, systemd=SYSTEMD))
        with (self.folder / "console.log").open("wb") as console:
            self._process = subprocess.Popen(
                ["unshare", "--fork", "--kill-child", *_NAMESPACES, "bash", str(boot)],
                stdout=console, stderr=console, stdin=subprocess.DEVNULL,
                env={"PATH": f"{os.environ['PATH']}:/usr/sbin", "LANG": "C.UTF-8"},
            )  # fmt: skip
        until(lambda: self.ctl("is-active", "ours.target").stdout == "active\n", "it booted")
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()

    def ctl(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Type systemctl in it."""
        return self.type_("systemctl", *words)

    def type_(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Type a command in it as root."""
        place = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children")
        found = place.read_text().split()
        if not found:
            return subprocess.CompletedProcess(words, 1, "", "it is not there yet")
        command = ["nsenter", "--all", "--target", found[0], *words]
        return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)

    def show(self, name: str, unit: str = "xoev-broker") -> str:
        """Return a property of the service."""
        return self.ctl("show", "--value", f"--property={name}", unit).stdout.strip()

    def said(self) -> str:
        """Return what the service wrote so far."""
        return self.log.read_text("utf-8") if self.log.exists() else ""

    def _units(self, drop: str) -> None:
        units = self.folder / "units"
        (units / "xoev-broker.service.d").mkdir(parents=True)
        shutil.copy(UNIT, units)
        own = (f"[Service]\nStandardOutput=append:{self.log}\nStandardError=append:{self.log}\n"
)  # fmt: skip
        (units / "xoev-broker.service.d/own.conf").write_text(own + drop)
        (units / "ours.target").write_text(_TARGET)
        for name in ("sysinit", "basic", "shutdown", "network-online"):
            (units / f"{name}.target").write_text(_TARGET)

    def _people(self) -> None:
        line = f"xoev-broker:x:{USER}:{USER}::/srv/xoev-broker:/usr/sbin/nologin\n"
        (self.folder / "passwd").write_text(Path("/etc/passwd").read_text() + line)
        group = Path("/etc/group").read_text() + f"xoev-broker:x:{USER}:\n"
        (self.folder / "group").write_text(group)

    def _program(self) -> None:
        """Make what a virtual environment with the wheel is: its Python, packages, program."""
        opt = self.folder / "opt"
        packages = opt / "lib" / f"python{sysconfig.get_python_version()}" / "site-packages"
        packages.mkdir(parents=True)
        (packages / "broker.pth").write_text("/opt/source\n/opt/packages\n")
        (opt / "pyvenv.cfg").write_text("home = /opt/python/bin\n")
        (opt / "bin").mkdir()
        version = sysconfig.get_python_version()
        (opt / "bin/python").symlink_to(f"/opt/python/bin/python{version}")
        (opt / "bin/xoev-broker").write_text(_SCRIPT)
        (opt / "bin/xoev-broker").chmod(0o755)

    def _site(self) -> None:
        site = self.folder / "site"
        subprocess.run([sys.executable, "-c", _SCRIPT, "init", str(site)], cwd=ROOT, check=True,
                       capture_output=True, timeout=60)  # fmt: skip
        with (site / ENVIRONMENT).open("a") as file:
            file.write('\nXOEV_BROKER_POLL="0.1s"\n')
        for path in (site, *site.rglob("*")):
            os.chown(path, USER, USER, follow_symlinks=False)
