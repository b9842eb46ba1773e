"""Stand-ins: a procedure that is not there yet, so that an adapter and its route can be tried.

Each works until Ctrl-C and prints a line for every application. What it keeps lies in its folder.
"""

from __future__ import annotations

import signal
from collections.abc import Callable
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, Annotated

from typer import Argument, Option

from broker.cli.terminal import safe
from broker.errors import BrokerError

if TYPE_CHECKING:
    from broker.standins.script import Script
    from broker.standins.standin import Standin
    from broker.standins.template import Template

FaultOption = Annotated[
    list[str] | None,
    Option(
        "--fault",
        metavar="NAME",
        help="what goes wrong with the next application: reset, hang, 500, 503, late, lost, refuse,"
        " stranger, twice or none; repeated: one after the other, then all is well",
    ),
]
Forever = Annotated[bool, Option("--forever", help="the last fault goes on for ever")]
Delay = Annotated[float, Option(min=0, metavar="SECONDS", help="wait before each answer")]
Late = Annotated[float, Option(min=0, metavar="SECONDS", help="how long the fault `late` waits")]
Place = Annotated[Path, Argument(metavar="FOLDER", help="where it keeps everything")]
Answer = Annotated[
    Path | None,
    Option("--answer", metavar="FILE", help="the answer, with gaps such as $reference and $number"),
]
Answers = Annotated[
    list[Path] | None,
    Option(
        "--answer",
        metavar="FILE",
        help="an answer, with gaps such as $reference and $number; repeated: one after the other",
    ),
]
Refusal = Annotated[
    Path | None, Option(metavar="FILE", help="the answer where it refuses, in the same form")
]
Port = Annotated[int, Option(min=0, max=65535, help="port on 127.0.0.1; 0 is any that is free")]
Field = Annotated[str, Option("--reference", metavar="NAME", help="field with our Kennzeichen")]
Forgets = Annotated[bool, Option("--forgets", help="a repeat makes a second file")]
#: As operators call them.
_NUMBERS = {"500": "error", "503": "busy"}


def soap(  # noqa: PLR0913, PLR0917 - one argument for each option
    folder: Place,
    wsdl: Annotated[Path, Option(metavar="FILE", help="its description")],
    operation: Annotated[str, Option(metavar="NAME", help="element that a call must hold")] = "",
    answer: Answer = None,
    refusal: Refusal = None,
    port: Port = 0,
    reference: Field = "Referenz",
    forgets: Forgets = False,
    fault: FaultOption = None,
    forever: Forever = False,
    delay: Delay = 0.0,
    late: Late = 5.0,
) -> None:
    """Play a SOAP procedure: checks calls against its WSDL, answers with a file.

    The file holds the element of the body. It listens where the WSDL says, on another port.
    """
    from broker.standins.service import SoapService

    script = _script(fault, forever, delay, late)
    made = SoapService(folder, script, port=port, field=reference, tell=_tell)
    made.wsdl, made.element, made.recognises = wsdl, operation, not forgets
    made.answer, made.refusal = _template(answer), _template(refusal)
    _run(made, lambda: f"soap {made.address}")


def rest(  # noqa: PLR0913, PLR0917 - one argument for each option
    folder: Place,
    answer: Answer = None,
    refusal: Refusal = None,
    status: Annotated[int, Option(min=200, max=299, help="status of a yes")] = 200,
    port: Port = 0,
    reference: Field = "Referenz",
    forgets: Forgets = False,
    fault: FaultOption = None,
    forever: Forever = False,
    delay: Delay = 0.0,
    late: Late = 5.0,
) -> None:
    """Play a REST procedure: takes POST and PUT, answers with a JSON, XML or text file.

    GET of a path that ends with an Idempotency-Key answers 200 if it came and 404 if not.
    """
    from broker.standins.service import RestService

    script = _script(fault, forever, delay, late)
    made = RestService(folder, script, port=port, field=reference, tell=_tell)
    made.status, made.recognises = status, not forgets
    made.answer, made.refusal = _template(answer), _template(refusal)
    _run(made, lambda: f"rest {made.address}")


def directory(  # noqa: PLR0913, PLR0917 - one argument for each option
    folder: Place,
    answer: Answers = None,
    refusal: Refusal = None,
    incoming: Annotated[str, Option("--in", metavar="NAME", help="where it reads")] = "eingang",
    outgoing: Annotated[str, Option("--out", metavar="NAME", help="where it writes")] = "ausgang",
    reference: Field = "Referenz",
    fault: FaultOption = None,
    forever: Forever = False,
    delay: Delay = 0.0,
    late: Late = 5.0,
) -> None:
    """Play a procedure with folders: takes files, leaves an answer file for each.

    In a file that is neither XML nor JSON, its name is the Kennzeichen, as the broker writes it.
    """
    from broker.standins.clerk import Folder

    made = Folder(folder, _script(fault, forever, delay, late))
    made.incoming, made.outgoing, made.field = incoming, outgoing, reference
    made.answers, made.refusal = _templates(answer), _template(refusal)
    made.tell = _tell
    _run(made, lambda: f"directory {folder / incoming} → {folder / outgoing}")


def table(  # noqa: PLR0913, PLR0917 - one argument for each option
    folder: Place,
    ddl: Annotated[Path, Option(metavar="FILE", help="SQL that makes its tables")],
    incoming: Annotated[
        str, Option("--in", metavar="TABLE", help="table of applications; else the first")
    ] = "",
    outgoing: Annotated[str, Option("--out", metavar="TABLE", help="table of answers")] = "",
    answer: Answers = None,
    refusal: Refusal = None,
    reference: Field = "REFERENZ",
    fault: FaultOption = None,
    forever: Forever = False,
    delay: Delay = 0.0,
    late: Late = 5.0,
) -> None:
    """Play a procedure with staging tables, in an SQLite database of its folder.

    An answer file has lines COLUMN=value, such as REFERENZ=$reference.
    """
    from broker.standins.clerk import Rows

    made = Rows(folder, ddl, _script(fault, forever, delay, late))
    made.table, made.replies, made.field = incoming, outgoing, reference
    made.answers, made.refusal = _templates(answer), _template(refusal)
    made.tell = _tell
    _run(
        made, lambda: f"table sqlite:///{made.database} {made.table} → {made.replies or 'nothing'}"
    )


def _run(made: Standin, named: Callable[[], str]) -> None:
    """Play until SIGTERM or SIGINT."""
    ended = Event()
    before = {
        number: signal.signal(number, lambda *_: ended.set())
        for number in (signal.SIGTERM, signal.SIGINT)
    }
    try:
        with made:
            _tell(named())
            ended.wait()
    except OSError as error:
        raise BrokerError(f"the stand-in cannot start: {error.strerror or error}") from error
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _tell(line: str) -> None:
    print(safe(line), flush=True)


def _script(names: list[str] | None, forever: bool, delay: float, late: float) -> Script:
    from broker.standins.script import Fault, Script

    wanted = [_NUMBERS.get(name, name) for name in names or ()]
    unknown = [name for name in wanted if name not in list(Fault)]
    if unknown:
        known = ", ".join([*Fault, *_NUMBERS])
        raise BrokerError(f'unknown fault "{unknown[0]}"; known are {known}')
    return Script(tuple(map(Fault, wanted)), forever, delay, late)


def _template(file: Path | None) -> Template | None:
    from broker.standins.template import Template

    return Template(file) if file else None


def _templates(files: list[Path] | None) -> list[Template]:
    from broker.standins.template import Template

    return [Template(file) for file in files or ()]
