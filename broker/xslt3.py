"""The process in which SaxonC runs: one stylesheet, sealed off, talked to over its pipes.

Started by `broker.saxon` as a file, with an empty environment, so that it imports nothing of the
broker. A frame is its length (4 bytes) and that many bytes.

    first   ← the path of the stylesheet             → {} or {"findings": [[file, line, text], …]}
    each    ← {"name": text, …} and the document     → {} and the result
                                                     → {"file", "line", "code", "said"} and nothing
"""

from __future__ import annotations

import json
import os
import re
import resource
import struct
import sys
from typing import IO, Any, Final

_FEATURE: Final = "http://saxon.sf.net/feature/"
_MEMORY: Final = 2 << 30
_SAID: Final = 1_000_000
_PLACE: Final = re.compile(
    r"on line (\d+)\)? (?:column \d+ )?of (?:\S*/)?([^\s/]+?):?\s*\n\s+(?:([A-Z]{4}\d{4})\s+)?(.*)"
)


def main() -> None:
    """Compile, close every door, then transform until the other side hangs up."""
    from saxonche import PySaxonApiError, PySaxonProcessor  # type: ignore[import-not-found,unused-ignore]

    said = Ears()
    processor = PySaxonProcessor(license=False)
    # No functions of Java, no environment-variable(), no xsl:result-document, no system-property().
    processor.set_configuration_property(f"{_FEATURE}allow-external-functions", "false")
    processor.set_configuration_property(f"{_FEATURE}allowedProtocols", "file")
    sheet = receive(sys.stdin.buffer) or b""
    try:
        compiled = processor.new_xslt30_processor().compile_stylesheet(
            stylesheet_file=sheet.decode()
        )
    except PySaxonApiError as error:
        _reply({"findings": _findings(said.heard(), str(error))})
        return
    _close(processor)
    _reply({})
    while (given := receive(sys.stdin.buffer)) is not None:
        document = receive(sys.stdin.buffer) or b""
        try:
            made = _transform(processor, compiled, json.loads(given), document)
        except PySaxonApiError:
            _reply(_failure(said.heard()), b"")
        else:
            said.heard()
            _reply({}, made.encode())


def receive(stream: IO[bytes]) -> bytes | None:
    """Read a frame; None at the end of the stream."""
    head = stream.read(4)
    if len(head) < 4:
        return None
    size = struct.unpack(">I", head)[0]
    data = stream.read(size)
    return data if len(data) == size else None


def send(stream: IO[bytes], *frames: bytes) -> None:
    """Write frames."""
    for frame in frames:
        stream.write(struct.pack(">I", len(frame)) + frame)
    stream.flush()


class Ears:
    """What SaxonC prints instead of telling it: it may hold values, so it goes nowhere else."""

    def __init__(self) -> None:
        self._file = os.memfd_create("stderr")
        os.dup2(self._file, 2)

    def heard(self) -> str:
        """Return what was printed since the last time."""
        data = os.pread(self._file, _SAID, 0)
        os.ftruncate(self._file, 0)
        os.lseek(self._file, 0, os.SEEK_SET)
        return data.decode("utf-8", "replace")


def _close(processor: Any) -> None:
    """Let nothing be opened any more: by SaxonC, and should that have a gap, by the system. What
    takes more memory than any message needs, or says more than is read, comes to its end.
    """
    processor.set_configuration_property(f"{_FEATURE}allowedProtocols", "")
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, 0))
    resource.setrlimit(resource.RLIMIT_DATA, (_MEMORY, _MEMORY))
    resource.setrlimit(resource.RLIMIT_FSIZE, (_SAID, _SAID))


def _transform(processor: Any, sheet: Any, params: dict[str, Any], document: bytes) -> str:
    sheet.clear_parameters()
    sheet.set_property("!encoding", "UTF-8")
    for name, value in params.items():
        sheet.set_parameter(name, _value(processor, value))
    node = processor.parse_xml(xml_text=document.decode())
    return str(sheet.transform_to_string(xdm_node=node) or "")


def _value(processor: Any, value: str | bool) -> Any:
    """Return a parameter; a text has no type yet, so that it becomes what the sheet declares."""
    if isinstance(value, bool):
        return processor.make_boolean_value(value)
    xpath = processor.new_xpath_processor()
    xpath.declare_variable("text")
    xpath.set_parameter("text", processor.make_string_value(value))
    return xpath.evaluate_single("xs:untypedAtomic($text)")


def _findings(heard: str, text: str) -> list[tuple[str, int, str]]:
    places = _PLACE.findall(f"{heard}\n{text}")
    found = [(file, int(line), f"{code} {said}".strip()) for line, file, code, said in places]
    return list(dict.fromkeys(found)) or [("", 0, " ".join(text.split()))]


def _failure(heard: str) -> dict[str, Any]:
    """Say where it failed; `said` is what xsl:message said, for whoever knows its fixed texts."""
    found = _PLACE.search(heard)
    if found is None:
        return {"file": "", "line": 0, "code": "", "said": ""}
    before = heard[: found.start()].splitlines()[:-1]
    return {
        "file": found[2],
        "line": int(found[1]),
        "code": found[3] or "",
        "said": "\n".join(before),
    }


def _reply(head: dict[str, Any], *frames: bytes) -> None:
    send(sys.stdout.buffer, json.dumps(head).encode(), *frames)


if __name__ == "__main__":
    main()
