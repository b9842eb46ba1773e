"""Make a release: wheel, source, list of parts (SBOM), checksums, signature.

    python tools/release.py FOLDER --key KEY        sign with an Ed25519 key of OpenSSH
    python tools/release.py FOLDER --unsigned       leave the signature out

What comes out and how it is checked: docs/howto/release.md.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, requires
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
NAME = "xoev-broker"
SUMS = "SHA256SUMS"
_REQUIRED = re.compile(r"^([A-Za-z0-9][A-Za-z0-9._-]*)(\[[^]]*\])?")


def main(argv: list[str] | None = None) -> int:
    """Make everything in an empty folder; exit code 1 where something is missing."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("folder", type=Path)
    sign = parser.add_mutually_exclusive_group(required=True)
    sign.add_argument("--key", type=Path, help="private key (OpenSSH, Ed25519)")
    sign.add_argument("--unsigned", action="store_true")
    given = parser.parse_args(argv)
    try:
        made = release(given.folder, given.key)
    except (OSError, subprocess.CalledProcessError, ValueError) as error:
        print(f"release: {_why(error)}", file=sys.stderr)
        return 1
    for path in made:
        print(path)
    return 0


def release(folder: Path, key: Path | None) -> list[Path]:
    """Return the files that were made. Raises ValueError where the folder is not empty."""
    folder.mkdir(parents=True, exist_ok=True)
    if any(folder.iterdir()):
        raise ValueError(f"{folder} is not empty; an old release must not be mixed with a new one")
    environ = {**os.environ, "SOURCE_DATE_EPOCH": stamp()}
    build = [sys.executable, "-m", "hatchling", "build", "-d", str(folder.absolute())]
    _run(build, environ, ROOT)
    wheel = next(folder.glob("*.whl"))
    bill(folder / f"{wheel.name.split('-py3')[0]}.cdx.json", environ)
    sums(folder)
    if key is not None:
        signed(folder / SUMS, key)
    return sorted(folder.iterdir())


def stamp() -> str:
    """Return the time of the last commit, so that a release can be made again byte by byte."""
    git = shutil.which("git")
    if git and (ROOT / ".git").exists():
        return _run([git, "log", "-1", "--format=%ct"], None, ROOT).strip()
    return "0"


def bill(file: Path, environ: dict[str, str]) -> None:
    """Write the list of parts (CycloneDX): what the program needs, not what developers need."""
    command = [
        sys.executable, "-m", "cyclonedx_py", "environment", "--pyproject",
        str(ROOT / "pyproject.toml"), "--output-reproducible", "--of", "JSON",
    ]  # fmt: skip
    found = json.loads(_run(command, environ, ROOT))
    file.write_text(json.dumps(trimmed(found, needed(NAME)), indent=2) + "\n", "utf-8")


def trimmed(document: dict[str, Any], names: Iterable[str]) -> dict[str, Any]:
    """Return a list of parts with these packages only."""
    wanted = set(names)
    root = document.get("metadata", {}).get("component", {}).get("bom-ref")
    parts = [one for one in document.get("components", []) if _plain(one["name"]) in wanted]
    kept = {root, *(one["bom-ref"] for one in parts)}
    links = [
        {**one, "dependsOn": sorted(ref for ref in one.get("dependsOn", ()) if ref in kept)}
        for one in document.get("dependencies", [])
        if one["ref"] in kept
    ]
    return {**document, "components": parts, "dependencies": links}


def needed(name: str) -> set[str]:
    """Return the names of all packages that a package needs, by way of others too."""
    found: set[str] = set()
    waiting = [name]
    while waiting:
        for text in _required(waiting.pop()):
            match = _REQUIRED.match(text)
            if match and "extra ==" not in text and _plain(match[1]) not in found:
                found.add(_plain(match[1]))
                more = _extras(match[1], match[2] or "")
                found |= {_plain(one) for one in more}
                waiting += [match[1], *more]
    return found


def _extras(name: str, extras: str) -> list[str]:
    """Return what the extras add: `psycopg[binary]` needs psycopg-binary."""
    wanted = [one.strip() for one in extras.strip("[]").split(",") if one.strip()]
    marks = [f"extra == {quote}{one}{quote}" for one in wanted for quote in "\"'"]
    found = [text for text in _required(name) if any(mark in text for mark in marks)]
    return [match[1] for text in found if (match := _REQUIRED.match(text))]


def _required(name: str) -> list[str]:
    try:
        return requires(name) or []
    except PackageNotFoundError:
        return []


def _plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def sums(folder: Path) -> None:
    """Write the checksums of all files, as `sha256sum --check` reads them."""
    lines = [
        f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n"
        for path in sorted(folder.iterdir())
        if not path.name.startswith(SUMS)
    ]
    (folder / SUMS).write_text("".join(lines), "ascii")


def signed(file: Path, key: Path) -> None:
    """Sign a file with OpenSSH; the signature lies beside it. Raises ValueError."""
    tool = shutil.which("ssh-keygen")
    if tool is None:
        raise ValueError("ssh-keygen is missing (Debian: apt install openssh-client)")
    command = [tool, "-q", "-Y", "sign", "-f", str(key.absolute()), "-n", NAME, file.name]
    _run(command, None, file.parent)


def _run(command: list[str], environ: dict[str, str] | None, folder: Path) -> str:
    done = subprocess.run(  # noqa: S603 - commands of this file
        command, env=environ, cwd=folder, capture_output=True, text=True, check=True
    )
    return done.stdout


def _why(error: Exception) -> str:
    if isinstance(error, subprocess.CalledProcessError):
        last = (error.stderr or "").strip().splitlines()[-1:] or [f"exit code {error.returncode}"]
        return f"{Path(error.cmd[0]).name}: {last[0]}"
    return str(error)


if __name__ == "__main__":
    sys.exit(main())
