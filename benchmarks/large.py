"""A large message: over HTTP into the real command, until the file lies in its folder."""

from __future__ import annotations

import http.client
import time
from pathlib import Path

from benchmarks import site
from benchmarks.child import Daemon
from benchmarks.effort import Effort
from benchmarks.failure import PATIENCE, Failed
from benchmarks.figures import Figure, Part, most

LOOK = 0.005


def measure(effort: Effort, folder: Path) -> Part:
    """Measure peak and time, after an ordinary message that loads the libraries."""
    place = site.build(folder / "large", "kind: directory, out: out")
    body = site.large(effort.large)
    with Daemon(place) as broker:
        _delivered(broker, place, site.fresh(site.template()), 1)
        before = broker.memory("VmHWM")
        seconds = _delivered(broker, place, body, 2)
        peak = broker.memory("VmHWM")
    return Part(
        "large",
        f"a message of {len(body) / 1e6:.0f} MB with an attachment, to a folder",
        (
            Figure("peak of memory", peak, "MB", most(400)),
            Figure("peak before it", before, "MB"),
            Figure("handed in to delivered", seconds, "s", most(3)),
        ),
        (f"schema: {place.schema}",),
    )


def _delivered(broker: Daemon, place: site.Site, body: bytes, count: int) -> float:
    start = time.perf_counter()
    _post(broker.port, body)
    while len(list(place.folder.joinpath("out").glob("[!.]*"))) < count:
        if time.perf_counter() - start > PATIENCE or any(place.folder.joinpath("return").iterdir()):
            raise Failed(f"a message of {len(body)} bytes was not delivered")
        time.sleep(LOOK)
    return time.perf_counter() - start


def _post(port: int, body: bytes) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    headers = {"Authorization": f"Bearer {site.TOKEN}", "Content-Type": "application/xml"}
    try:
        connection.request("POST", "/v1/messages", body, headers)
        answer = connection.getresponse()
        text = answer.read()
    finally:
        connection.close()
    if answer.status != 202:
        raise Failed(f"the broker answered {answer.status}: {text[:500]!r}")
