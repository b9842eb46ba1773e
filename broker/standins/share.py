"""Braunschweig's stand-in: batch files of fixed width on a file share."""

from __future__ import annotations

import os
import textwrap
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import date

from broker.standins.desk import Answer, Kind
from broker.standins.standin import Found, Office

ENCODING = "iso8859-15"
SIGNS = {
    Kind.RECEIVED: "E ",
    Kind.FILED: "Z ",
    Kind.GRANTED: "BG",
    Kind.DENIED: "BA",
    Kind.REFUSED: "R ",
}


class Share(Office):
    """Reads `eingang/`, files into `akten/`, answers into `ausgang/`; `fehler/` is what it could
    not read.
    """

    def prepare(self) -> None:
        """Make the folders."""
        for name in ("eingang", "ausgang", "akten", "fehler"):
            (self.folder / name).mkdir(parents=True, exist_ok=True)

    def effects(self) -> Mapping[str, int]:
        """Return how many files each reference has in the archive."""
        return Counter(path.name.partition(".")[0] for path in (self.folder / "akten").glob("*"))

    def waiting(self) -> Sequence[Found]:
        """Return the applications in `eingang/`; move away what is none."""
        with os.scandir(self.folder / "eingang") as entries:
            names = sorted(entry.name for entry in entries if entry.name[0] != "." and
                           entry.is_file())  # fmt: skip
        return [found for name in names if (found := self._read(name))]

    def file(self, found: Found) -> str:
        """Move the file into the archive, beside an earlier one of the same reference."""
        count = len(list((self.folder / "akten").glob("*"))) + 1
        again = self.effects().get(found.reference, 0)
        name = f"{found.reference}.{again + 1}.txt" if again else f"{found.reference}.txt"
        os.rename(self.folder / "eingang" / found.name, self.folder / "akten" / name)
        return f"BS 0630/{count:05}/{date.today().year}"

    def answer(self, answers: Sequence[Answer]) -> None:
        """Write one batch file, complete from the moment it has its name."""
        run = self._run_number()
        today = date.today().strftime("%Y%m%d")
        lines = [f"V{today}{run:06}", *_records(answers), f"N{len(answers):06}"]
        data = "".join(line + "\r\n" for line in lines).encode(ENCODING)
        final = self.folder / "ausgang" / f"ANTWORT-{today}-{run:06}.txt"
        part = final.with_name(f".{final.name}.part")
        part.write_bytes(data)
        os.rename(part, final)

    def _read(self, name: str) -> Found | None:
        path = self.folder / "eingang" / name
        text = path.read_bytes().decode(ENCODING)
        lines = text.split("\r\n")
        if not _is_whole(lines):
            os.rename(path, self.folder / "fehler" / name)
            return None
        return Found(name, lines[0][1:14], lines[0][30:150].rstrip())

    def _run_number(self) -> int:
        file = self.folder / "lauf"
        run = int(file.read_text("ascii")) + 1 if file.exists() else 1
        file.write_text(str(run), "ascii")
        return run


def _is_whole(lines: Sequence[str]) -> bool:
    """Whether the file starts with a head and its end counts what is between."""
    *records, last, end = lines if len(lines) > 2 else ("", "", "?")
    if end or not last.startswith("S") or not records[0].startswith("K"):
        return False
    counted = Counter(line[:1] for line in records)
    return last[1:10] == f"{counted['A']:03}{counted['G']:03}{counted['D']:03}"


def _records(answers: Sequence[Answer]) -> Iterator[str]:
    for answer in answers:
        day = answer.day.strftime("%Y%m%d")
        yield f"R{answer.reference:<13}{answer.number:<20}{SIGNS[answer.kind]}{day}"
        for line in textwrap.wrap(answer.text, 119, drop_whitespace=False):
            yield f"T{line:<120}"
