"""Runs one stand-in as a process of its own: `python -m broker.standins soap FOLDER …`."""

from __future__ import annotations

import argparse
import signal
from pathlib import Path
from threading import Event

from broker.standins.script import Fault, Script
from broker.standins.share import Share
from broker.standins.soap import Soap
from broker.standins.staging import Staging
from broker.standins.standin import Standin


def main(arguments: list[str] | None = None) -> None:
    """Run until SIGTERM or SIGINT; prints one line with what it is once it can be reached."""
    given = _parser().parse_args(arguments)
    standin = build(given)
    ended = Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    with standin:
        place = standin.address if isinstance(standin, Soap) else standin.folder
        print(f"{given.kind} {place}", flush=True)
        ended.wait()


def build(given: argparse.Namespace) -> Standin:
    """Return the stand-in that the command line asks for."""
    faults = tuple(Fault(name) for name in given.faults.split(",") if name)
    script = Script(faults, given.forever, given.delay, given.late)
    if given.kind == "soap":
        wsdl = given.description or given.adapters / "wolfsburg/bau/bau.wsdl"
        recognises = not given.forgets
        return Soap(given.folder, wsdl, script, port=given.port, recognises=recognises)
    if given.kind == "staging":
        tables = given.description or given.adapters / "salzgitter/bau/tables.sql"
        return Staging(given.folder, tables, script)
    return Share(given.folder, script)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m broker.standins", description=__doc__)
    add = parser.add_argument
    add("kind", choices=("soap", "share", "staging"))
    add("folder", type=Path, help="where it keeps everything, its effects among it")
    add("--adapters", type=Path, default=Path("adapters"), help="folder with the adapters")
    add("--description", type=Path, help="WSDL or tables, instead of those of the adapter")
    add("--port", type=int, default=0, help="soap: port to listen on, 0 for any")
    add("--forgets", action="store_true", help="soap: does not recognise repeats")
    add("--faults", default="", help=f"comma-separated: {', '.join(Fault)}")
    add("--forever", action="store_true", help="the last fault goes on for ever")
    add("--delay", type=float, default=0.0, help="seconds before each answer")
    add("--late", type=float, default=1.0, help="seconds that the fault `late` waits")
    return parser


if __name__ == "__main__":
    main()
