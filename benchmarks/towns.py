"""Every German town in one table: how long checking takes, and finding the way of one message."""

from __future__ import annotations

import random
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from benchmarks import site
from benchmarks.child import command
from benchmarks.effort import Effort
from benchmarks.failure import Failed
from benchmarks.figures import Figure, Part, most
from broker.app import load_site
from broker.message import Envelope
from broker.routes import RoutingTable

_MATCH = "standard: xbau, version: 2.6, kind: baugenehmigung.antrag.0200"


def measure(effort: Effort, folder: Path) -> Part:
    """Measure both ways of writing the table, each with a channel of its own for every town."""
    figures: list[Figure] = []
    for name, routes in (("one entry", _together(effort.towns)), ("entries", _apart(effort.towns))):
        place = _written(folder / f"towns-{name.partition(' ')[0]}", effort.towns, routes)
        seconds = _checked(place)
        table = load_site(place.settings, place.environ, site.BENCH_KINDS).table
        micros = 1e6 * _matched(table, effort)
        figures += [
            Figure(f"check, {name}", seconds, "s", most(5)),
            Figure(f"match, {name}", micros, "µs", most(50)),
        ]
    title = f"{effort.towns} towns as one entry with `for:`, and as an entry each"
    return Part("towns", title, tuple(figures))


def key(number: int) -> str:
    """Return the official key of an invented town."""
    return f"{1 + number % 16:02}{number:06}"


def _written(folder: Path, towns: int, routes: Sequence[str]) -> site.Site:
    place = site.build(folder)
    parties = [f"  t{n}: {{name: Stadt {n}, ags: {key(n)}}}" for n in range(towns)]
    channels = [f"  t{n}-bau: {{kind: directory, out: out/t{n}}}" for n in range(towns)]
    portal = [
        "  bauportal: {name: Bauportal, key: bap:03000001, token_file: bauportal.token,",
        "              answer: return}",
    ]
    back = ["  return: {kind: directory, out: return}"]
    lines = ["parties:", *parties, *portal, "channels:", *channels, *back, "routes:", *routes]
    place.routes.write_text("\n".join(lines) + "\n", "utf-8")
    return place


def _together(towns: int) -> list[str]:
    names = ", ".join(f"t{n}" for n in range(towns))
    return [
        "  - name: bau",
        f"    for: [{names}]",
        f'    match: {{{_MATCH}, recipient: "bab:{{ags}}"}}',
        "    adapter: wolfsburg/bau",
        '    channel: "{city}-bau"',
    ]


def _apart(towns: int) -> list[str]:
    return [
        f"  - {{name: bau-{n}, match: {{{_MATCH}, recipient: 'bab:{key(n)}'}}, "
        f"adapter: wolfsburg/bau, channel: t{n}-bau}}"
        for n in range(towns)
    ]


def _checked(place: site.Site) -> float:
    start = time.perf_counter()
    ran = command("check", environ=place.environ)
    if ran.returncode:
        raise Failed(f"check has findings: {ran.stdout[:1000]!r} {ran.stderr[-1000:]!r}")
    return time.perf_counter() - start


def _matched(table: RoutingTable, effort: Effort) -> float:
    chance = random.Random(1)
    sample = _sample()
    asked = [
        replace(sample, recipient=replace(sample.recipient, key=f"bab:{key(number)}"))
        for number in (chance.randrange(effort.towns) for _ in range(effort.matches))
    ]
    start = time.perf_counter()
    missed = sum(table.match(envelope, site.PARTY) is None for envelope in asked)
    seconds = time.perf_counter() - start
    if missed:
        raise Failed(f"{missed} messages found no way")
    return seconds / effort.matches


def _sample() -> Envelope:
    from broker.xoev.standards import Standards

    standards = Standards.load(site.ROOT / "schemas/xoev")
    return standards.envelope(standards.parse(site.template()))
