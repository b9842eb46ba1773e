"""The demo: three cities on one machine, applications in, answers back, all of it checked."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import textwrap
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from typer import Exit

from broker.cli.progress import Progress, progress
from broker.cli.terminal import complain, say, table
from broker.errors import BrokerError
from broker.message import State, now
from broker.settings import PREFIX, Settings, variable
from broker.standins.child import Child, command
from broker.standins.play import By, End, Part, parts
from broker.standins.portal import Portal, Posted
from broker.standins.proof import Seen, faults, invalid, look
from broker.standins.town import Town

if TYPE_CHECKING:
    from broker.stores.contract import Store

#: Everything must have ended after so many seconds; a slow machine needs a few.
DEADLINE = 90.0
#: Nobody waits for the poll of a folder in a demo.
PACE = {"poll": "0.2s", "listen": "127.0.0.1:0", "log_format": "console"}
WOLFSBURG = 8018
#: Nothing is wider.
WIDTH = 100
COLUMNS = ("message", "city", "by", "ended", "file number", "answers", "ms")


class DemoFailed(BrokerError):
    """The demo did not end as it must."""


def demo(stay: bool = False, keep: Path | None = None) -> None:
    """Send applications to three cities and prove where each of them ended.

    With `stay`, send nothing and leave the broker and the cities running until Ctrl-C. `keep` is
    the folder for everything the demo writes, by default a new one below the temporary folder.
    Raises DemoFailed with everything that is not as it must be.
    """
    root = checkout()
    with ending():
        if stay:
            _stay(root)
        else:
            _show(root, keep or Path(tempfile.mkdtemp(prefix="xoev-broker-demo-")))


@contextmanager
def ending() -> Iterator[None]:
    """Let Ctrl-C, SIGTERM and a closed terminal end a demo in order."""
    try:
        with _signals():
            yield
    except KeyboardInterrupt:
        complain("stopped")
        raise Exit(130) from None
    except OSError as error:
        raise DemoFailed(f"{error.strerror}: {error.filename or 'the demo'}") from error


def fresh(folder: Path) -> Path:
    """Return the whole path of a folder in which no demo has been. Raises BrokerError."""
    folder = folder.resolve()
    if (folder / "state").exists():
        raise BrokerError(f"{folder} holds an earlier demo; name another folder or remove it")
    return folder


def _show(root: Path, folder: Path) -> None:
    folder = fresh(folder)
    started = time.monotonic()
    with ExitStack() as stack:
        town = Town(folder, root / "adapters")
        town.start()
        stack.callback(town.stop)
        environ = environment(root, folder, town)
        child = Child(root, environ, folder / "broker.log")
        stack.callback(child.stop)
        say(f"broker and three cities, all in {folder}")
        child.start()
        seconds = time.monotonic() - started
        say(f"started in {seconds:.1f} s; sending as the Bauportal\n")
        _play(root, town, child, environ)
    say(f"\nAll of it took {time.monotonic() - started:.1f} s.")
    _further(folder)


def _play(root: Path, town: Town, child: Child, environ: Mapping[str, str]) -> None:
    from broker.app import load_standards, open_store

    settings = Settings.load({k: v for k, v in environ.items() if k.startswith(PREFIX)})
    store = open_store(settings, ignored)
    portal = Portal(child.port, town.token(), town.inbox, town.answers)
    try:
        every = parts(root / "adapters", now())
        with progress(len(every)) as shown:
            posted = _send(every, portal, town, environ, shown)
            seen = _wait(every, posted, store, portal, (town, child, shown))
        wrong = list(faults(seen, store, town.effects()))
        wrong += invalid(seen, load_standards(settings))
        wrong += strays(town)
        report(COLUMNS, [_row(one) for one in seen],
               [*told(seen, environ), *proven(seen, root, town, environ)])  # fmt: skip
    finally:
        portal.close()
        store.close()
    if wrong:
        log = f"the log of the broker: {town.folder / 'broker.log'}"
        raise DemoFailed("\n  ".join(["not every message ended where it must:", *wrong, log]))
    say(f"All {len(every)} messages ended where they must, each of them in effect once.")


def _send(
    every: Sequence[Part], portal: Portal, town: Town, environ: Mapping[str, str], shown: Progress
) -> dict[int, Posted]:
    """Send all; return what HTTP answered, by the number of the part."""
    posted, running = {}, []
    for part in every:
        if part.by is By.COMMAND:
            file = town.folder / f"{part.uuid}.xml"
            file.write_bytes(part.body)
            running.append(launched(("submit", str(file), "--party", "bauportal"), environ))
    for number, part in enumerate(every):
        if part.by is By.FOLDER:
            portal.drop(f"{part.uuid}.xml", part.body)
        elif part.by is By.HTTP:
            posted[number] = portal.post(part.body)
        shown.sent(number + 1)
    for process in running:
        text = finished(process)
        if process.returncode:
            raise DemoFailed(f"xoev-broker submit failed:\n{text}")
    return posted


def _wait(
    every: Sequence[Part],
    posted: Mapping[int, Posted],
    store: Store,
    portal: Portal,
    around: tuple[Town, Child, Progress],
) -> list[Seen]:
    """Return what was seen once everything ended. Raises DemoFailed at the deadline."""
    town, child, shown = around
    end = time.monotonic() + DEADLINE
    while True:
        child.alive()
        seen = look(every, posted, store, portal.answers(), town.effects())
        shown.ended(sum(one.ended for one in seen), sum(len(one.answers) for one in seen))
        if all(one.ended for one in seen) and is_quiet(store):
            return seen
        if time.monotonic() > end:
            wrong = [text for one in seen if not one.ended for text in one.told()]
            raise DemoFailed(f"after {DEADLINE:g} s not all have ended:\n  " + "\n  ".join(wrong))
        time.sleep(0.05)


def is_quiet(store: Store) -> bool:
    """Whether nothing waits or is being worked on."""
    states = store.counts().states.values()
    return not any(by.get(State.WAITING, 0) + by.get(State.WORKING, 0) for by in states)


def strays(town: Town) -> Iterator[str]:
    """Yield what lies where it must not."""
    if any(town.productive.iterdir()):
        yield "a test message arrived at the productive procedure"
    for folder in ("rejected", ".taken"):
        if (town.inbox / folder).exists() and any((town.inbox / folder).iterdir()):
            yield f"{town.inbox / folder} is not empty"


def told(seen: Sequence[Seen], environ: Mapping[str, str]) -> list[tuple[str, str]]:
    """Return what `trace` says about a granted application, and what `status` says."""
    id = next(one.row.id for one in seen if one.row and len(one.answers) > 1)
    lines = [("trace", id), ("status",)]
    running = [launched(words, environ) for words in lines]
    texts = [finished(process) for process in running]
    return [(" ".join(words), text) for words, text in zip(lines, texts, strict=True)]


def proven(
    seen: Sequence[Seen], root: Path, town: Town, environ: Mapping[str, str]
) -> list[tuple[str, str]]:
    """Return what `evidence` says about a granted application, and what checks it without us."""
    id = next(one.row.id for one in seen if one.row and len(one.answers) > 1)
    file = str(town.folder / "evidence.zip")
    words = ("evidence", id, "--output", file, "--reason", "demo")
    said = finished(launched(words, environ))
    program = [sys.executable, "-I", str(root / "tools/verify_evidence.py"), file]
    ran = subprocess.run(program, capture_output=True, text=True, check=False)  # noqa: S603 - ours
    if ran.returncode:
        raise DemoFailed(f"the evidence does not hold:\n{said}{ran.stdout}{ran.stderr}")
    verdict = ran.stdout.strip().rpartition("\n")[2]
    return [(" ".join(words), f"{said.splitlines()[0]}\n{verdict}")]


def report(
    columns: Sequence[str],
    rows: Sequence[Sequence[str]],
    commands: Sequence[tuple[str, str]],
) -> None:
    """Print what became of the messages, and what commands say of it."""
    table(columns, rows)
    for words, text in commands:
        say(f"\n$ xoev-broker {words}")
        for line in text.strip().splitlines():
            say(folded(line))
    say()


def folded(line: str) -> str:
    """Return a line in the width of the demo, its rest set in."""
    if len(line) <= WIDTH:
        return line
    return textwrap.fill(line, WIDTH, subsequent_indent=" " * 39, break_on_hyphens=False)


def end_of(one: Seen) -> str:
    """Say where a message ended, and why."""
    if isinstance(one.part.end, End) or one.row is None:
        return f"{one.part.end.value} {one.posted.reason if one.posted else ''}".strip()
    return f"{one.row.state.value} {one.row.reason}".strip()


def spent(one: Seen) -> float:
    """Return the milliseconds from receipt to end; 0 where nothing was taken over."""
    if isinstance(one.part.end, End) or one.row is None:
        return 0
    return (one.row.changed - one.row.received).total_seconds() * 1000


def _row(one: Seen) -> tuple[str, ...]:
    part, row = one.part, one.row
    first = (part.title, part.city.title(), part.by.value, end_of(one))
    if isinstance(part.end, End) or row is None:
        return (*first, "", "", "")
    answers = " ".join(answer.kind for answer in one.answers)
    return (*first, row.number, answers, f"{spent(one):.0f}")


def _further(folder: Path) -> None:
    name = _name()
    number = f"63-WOB-00001-{now().year % 100:02}"
    lines = (
        (f"export {variable('state')}={folder}/state", ""),
        (f"{name} messages --state rejected", "what went back, and why"),
        (f"{name} trace {number}", "the story behind a file number"),
        (f"ls {folder}", "what the cities got and answered"),
        ("make run", "the same broker, for messages of your own"),
        ("less routes.yaml", "who sends, where to, and how"),
        ("less docs/tutorial.md", "connects a fourth city in ten minutes"),
    )
    say("\nWhere to look next. Nothing runs any more, but all of it is still there:\n")
    for words, text in lines:
        line = f"  {words:<47}{f'  # {text}' if text else ''}"
        # The name of the program is as long as the path of the checkout.
        say(line if len(line) <= WIDTH else f"  # {text}\n  {words}")


def _stay(root: Path) -> None:
    """Run broker and cities with the settings of this environment until Ctrl-C."""
    folder = Path(os.environ.get("XOEV_DEMO") or root / "var/demo").resolve()
    town = Town(folder, root / "adapters",
                port=int(os.environ.get("XOEV_DEMO_PORT") or WOLFSBURG))  # fmt: skip
    with ExitStack() as stack:
        try:
            town.start()
        except OSError as error:
            text = f"port {town.soap.port} is taken ({error.strerror}); set XOEV_DEMO_PORT"
            raise BrokerError(f"Wolfsburg cannot start: {text}, or stop the other one") from error
        stack.callback(town.stop)
        plain = {variable("log_format"): "console"}
        child = Child(root, {**plain, **os.environ, **town.environment})
        stack.callback(child.stop)
        child.start()
        _invite(root, town, child.port)
        code = child.wait()
    raise DemoFailed(f"the broker ended by itself with exit code {code}, see above")


def _invite(root: Path, town: Town, port: int) -> None:
    from broker.standins.applications import Writer, id_of, written

    writer = Writer(root / "adapters", time.time_ns())
    for city in town.cities:
        message = writer.write(city, now(), project="Neubau eines Einfamilienhauses")
        (town.folder / f"antrag-{city}.xml").write_bytes(written(message))
    folder, name = _near(town.folder), _name()
    say(f"""
Broker and three cities are running; Ctrl-C ends them. In another terminal, send an application
(there is one for each city in {folder}):

  curl http://127.0.0.1:{port}/v1/messages -H "Content-Type: application/xml" \\
    -H "Authorization: Bearer $(cat {folder}/bauportal.secret)" \\
    --data-binary @{folder}/antrag-{city}.xml

  ls {folder}/bauportal/antworten     the answers, as the online service gets them
  {name} status
  {name} trace {id_of(message)}
""")


def environment(root: Path, folder: Path, town: Town) -> dict[str, str]:
    """Return all variables of the demo's broker: nothing of the user's own settings."""
    own = {"state": folder / "state", "routes": root / "routes.yaml",
           "adapters": root / "adapters", "schemas": root / "schemas/xoev", **PACE}  # fmt: skip
    kept = {name: text for name, text in os.environ.items() if not name.startswith(PREFIX)}
    ours = {variable(name): str(value) for name, value in own.items()}
    return {**kept, **ours, **town.environment}


def launched(words: Sequence[str], environ: Mapping[str, str]) -> subprocess.Popen[str]:
    """Start a command of ours."""
    return subprocess.Popen(  # noqa: S603 - our own command
        command(*words),
        env=dict(environ),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def finished(process: subprocess.Popen[str]) -> str:
    """Wait for its end and return all that it said. Raises DemoFailed if it does not end."""
    try:
        return process.communicate(timeout=DEADLINE)[0]
    except subprocess.TimeoutExpired as error:
        process.kill()
        raise DemoFailed(f"a command did not end within {DEADLINE:g} s") from error


def checkout() -> Path:
    """Return the checkout that this program runs from."""
    root = Path(__file__).resolve().parents[2]
    if not (root / "routes.yaml").is_file():
        raise BrokerError("the demo needs the checkout with routes.yaml, adapters and schemas")
    return root


def _name() -> str:
    script = Path(sys.executable).with_name("xoev-broker")
    return _near(script) if script.exists() else "xoev-broker"


def _near(path: Path) -> str:
    """Return a path as one would type it here."""
    near = os.path.relpath(path)
    return str(path) if near.startswith("..") else near


@contextmanager
def _signals() -> Iterator[None]:
    """Let SIGTERM and a closed terminal end the demo as Ctrl-C does: in order."""
    before = {
        number: signal.signal(number, signal.default_int_handler)
        for number in (signal.SIGTERM, signal.SIGHUP)
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def ignored(_error: BrokerError) -> None:
    """The step that meets the error ends with it anyway."""
