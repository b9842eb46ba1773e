"""XSLT 2.0 and 3.0 as a step, for stylesheets that exist already: SaxonC in a process of its own.

Needs the extra `saxon`. The process gets no environment, no network and no files once the
stylesheet is compiled; what goes wrong in it takes no broker along.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import weakref
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

from lxml import etree

from broker import xslt3
from broker.codes import short
from broker.errors import ConfigError, ConversionFailed, Finding
from broker.message import Facts
from broker.step import Matter, Step, fail, serialise, tree
from broker.stylesheet import parameters

_XSL: Final = "http://www.w3.org/1999/XSL/Transform"
_PACKAGE: Final = "saxonche"


class SaxonStylesheet(Step):
    """An XSLT 2.0 or 3.0 stylesheet of the adapter's folder, with fixed texts as its parameters.

    It gets the parameters of `Stylesheet` ($reference, $message, $received, $test, $testing,
    $case), and writes UTF-8. It has none of the functions `x:…`: put a `Stylesheet` before or
    behind it for code lists and message heads. One message at a time.
    """

    def __init__(self, name: str, **params: str) -> None:
        """Name the file; `params` are texts that the stylesheet declares with `xsl:param`."""
        self.name = name
        self.params = params
        self._lock = threading.Lock()
        self._process: Process | None = None
        self._sentences: frozenset[str] = frozenset()

    def load(self) -> None:
        """Compile the stylesheet; a second call does nothing."""
        with self._lock:
            self._started()

    def run(self, matter: Matter, facts: Facts) -> Matter:
        """Transform and return the root of the result, or text where it is none."""
        made = self.render(matter, facts)
        return tree(made) if made.lstrip(b"\xef\xbb\xbf \r\n\t").startswith(b"<") else made

    def render(self, matter: Matter, facts: Facts) -> bytes:
        """Transform and write as `xsl:output` says, in UTF-8."""
        # Serialised from a checked tree: SaxonC never parses what came from outside.
        document = serialise(tree(matter))
        given = self.params | parameters(facts) | {"testing": facts.test is not None}
        with self._lock:
            answer = self._asked(json.dumps(given).encode(), document)
        if answer is None:
            raise fail(f"{self.name}: the XSLT processor ended; look at the size of the message")
        head, made = answer
        if head:
            raise self._failure(head)
        return made

    def _asked(self, given: bytes, document: bytes) -> tuple[dict[str, Any], bytes] | None:
        """Ask the process, and once more a new one where it ended."""
        for _ in range(2):
            answer = self._started().ask(given, document)
            if answer is not None:
                return answer
            self._process = None
        return None

    def _started(self) -> Process:
        if self._process is None:
            file = self.folder / self.name
            self._sentences = _sentences(file)
            self._process = Process(file)
        return self._process

    def _failure(self, head: dict[str, Any]) -> ConversionFailed:
        """Return the fixed sentence of a message, or where the sheet is wrong; no other text."""
        said = " ".join(str(head["said"]).split())
        sentence = next((one for one in self._sentences if said.endswith(one)), "")
        if head["code"] == "XTMM9000" and sentence:
            return fail(sentence)
        place = f"{head['file']}:{head['line']}" if head["line"] else self.name
        code = f" with {head['code']}" if head["code"] else ""
        return fail(f"{place}: the stylesheet failed{code}")


class Process:
    """One stylesheet in a process of its own; ends with this object."""

    def __init__(self, file: Path) -> None:
        """Start and compile; raises ConfigError with the findings, or if the extra is missing."""
        if find_spec(_PACKAGE) is None:
            text = 'needs XSLT 2.0 or 3.0; install the extra: pip install "xoev-broker[saxon]"'
            raise _unusable(file, [Finding(text, short(file))])
        self._child = subprocess.Popen(  # noqa: S603 - our own file
            [sys.executable, "-I", xslt3.__file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=file.parent,
            env={},
        )
        self._end = weakref.finalize(self, _end, self._child)
        assert self._child.stdin is not None
        assert self._child.stdout is not None
        self._to, self._from = self._child.stdin, self._child.stdout
        self._compile(file)

    def ask(self, given: bytes, document: bytes) -> tuple[dict[str, Any], bytes] | None:
        """Return what became of a document; None if the process is no more."""
        try:
            xslt3.send(self._to, given, document)
        except OSError:
            return None
        head, made = xslt3.receive(self._from), xslt3.receive(self._from)
        if head is None or made is None:
            return None
        return json.loads(head), made

    def _compile(self, file: Path) -> None:
        xslt3.send(self._to, str(file.resolve()).encode())
        head = xslt3.receive(self._from)
        found = json.loads(head)["findings"] if head and head != b"{}" else ()
        if head is None:
            found = [("", 0, "the XSLT processor did not start")]
        if found:
            self._end()
            raise _unusable(file, [_finding(file, *one) for one in found])


def _end(child: subprocess.Popen[bytes]) -> None:
    assert child.stdin is not None
    assert child.stdout is not None
    child.kill()
    child.wait()
    child.stdout.close()
    try:
        child.stdin.close()
    except OSError:  # what was not sent yet goes nowhere
        return


def _finding(file: Path, name: str, line: int, text: str) -> Finding:
    place = short(file) if name in ("", file.name) else name
    return Finding(text, place, line)


def _unusable(file: Path, findings: list[Finding]) -> ConfigError:
    return ConfigError(f"stylesheet {short(file)} cannot be used", findings=findings)


def _sentences(file: Path) -> frozenset[str]:
    """Return the fixed texts of xsl:message in a stylesheet; the only ones that are repeated."""
    parser = etree.XMLParser(resolve_entities=False, no_network=True, remove_comments=True)
    try:
        root = etree.parse(str(file), parser)
    except (etree.XMLSyntaxError, OSError) as error:
        line = getattr(error, "lineno", None) or 0
        text = "is not well-formed" if line else "cannot be read"
        raise _unusable(file, [Finding(text, short(file), line)]) from error
    found = (message for message in root.iterfind(f".//{{{_XSL}}}message") if not len(message))
    fixed = (message for message in found if "{" not in (message.text or ""))
    return frozenset(" ".join((message.text or "").split()) for message in fixed) - {""}
