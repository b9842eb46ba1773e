"""The text format of Prometheus: families of samples with their help and type."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final, Literal

from broker.metrics import BOUNDS, Measured

PREFIX: Final = "xoev_broker_"
_ESCAPES: Final = str.maketrans({"\\": r"\\", '"': r"\"", "\n": r"\n"})

Labels = Mapping[str, str]
Sample = tuple[Labels, float]


@dataclass(frozen=True, slots=True)
class Family:
    """Samples of one name: what it says, and whether it only ever grows (counter)."""

    name: str
    help: str
    samples: Iterable[Sample]
    kind: Literal["gauge", "counter"] = "gauge"

    def text(self) -> str:
        """Return its lines."""
        name = PREFIX + self.name
        return _head(name, self.help, self.kind) + "".join(
            _line(name, labels, value) for labels, value in self.samples
        )


def one(name: str, help: str, value: float) -> Family:
    """Return a gauge without labels."""
    return Family(name, help, [({}, value)])


def histogram(name: str, help: str, measured: Mapping[str, Measured], label: str) -> str:
    """Return the lines of a histogram for each name in `measured`, which `label` shows."""
    name = PREFIX + name
    lines = [_head(name, help, "histogram")]
    for step, found in measured.items():
        lines += _buckets(name, {label: step}, found)
        lines.append(_line(f"{name}_sum", {label: step}, found.seconds))
        lines.append(_line(f"{name}_count", {label: step}, sum(found.counts)))
    return "".join(lines)


def _buckets(name: str, labels: Labels, found: Measured) -> Iterator[str]:
    total = 0
    for bound, count in zip((*map(str, BOUNDS), "+Inf"), found.counts, strict=True):
        total += count
        yield _line(f"{name}_bucket", {**labels, "le": bound}, total)


def _head(name: str, help: str, kind: str) -> str:
    return f"# HELP {name} {help}\n# TYPE {name} {kind}\n"


def _line(name: str, labels: Labels, value: float) -> str:
    pairs = ",".join(f'{key}="{one.translate(_ESCAPES)}"' for key, one in labels.items())
    number = str(value) if isinstance(value, int) else f"{value:.6f}"
    return f"{name}{{{pairs}}} {number}\n" if pairs else f"{name} {number}\n"
