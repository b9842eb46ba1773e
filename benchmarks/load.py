"""An online service that sends as fast as it gets its receipts, in a process of its own.

`python -m benchmarks.load PORT CONNECTIONS COUNT` posts so many new messages over connections that
stay open, each waiting for its receipt, and prints a line of JSON.
"""

from __future__ import annotations

import asyncio
import json
import re
import sys
import time
from collections import Counter
from collections.abc import Iterator
from statistics import median

from benchmarks import site

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)


class Connection(asyncio.Protocol):
    """Sends a request, waits for the answer, sends the next."""

    def __init__(self, requests: Iterator[bytes], statuses: Counter[str]) -> None:
        """Take the requests that all connections share, and what counts the answers."""
        self._requests = requests
        self._statuses = statuses
        self._data = bytearray()
        self._sent = 0.0
        self.times: list[float] = []
        self.over: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport and begin."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._next()

    def data_received(self, data: bytes) -> None:
        """Take the answer once it is whole."""
        self._data += data
        end = self._data.find(b"\r\n\r\n")
        if end < 0:
            return
        length = _LENGTH.search(self._data, 0, end + 2)
        if len(self._data) < end + 4 + int(length[1] if length else 0):
            return
        self._statuses[self._data[9:12].decode()] += 1
        self.times.append(time.perf_counter() - self._sent)
        self._data.clear()
        self._next()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop, also where the broker hung up."""
        if not self.over.done():
            self.over.set_result(None)

    def _next(self) -> None:
        request = next(self._requests, None)
        if request is None:
            self._transport.close()
            return
        self._sent = time.perf_counter()
        self._transport.write(request)


def requests(count: int) -> list[bytes]:
    """Write all requests beforehand."""
    head = (
        "POST /v1/messages HTTP/1.1\r\nHost: 127.0.0.1\r\n"
        f"Authorization: Bearer {site.TOKEN}\r\nContent-Type: application/xml\r\n"
    )
    return [
        f"{head}Content-Length: {len(raw)}\r\n\r\n".encode() + raw for raw in site.messages(count)
    ]


async def send(port: int, connections: int, count: int) -> dict[str, object]:
    """Send everything; return when, what it cost, and what came back."""
    waiting, statuses = iter(requests(count)), Counter[str]()
    loop = asyncio.get_running_loop()
    start, processor = time.monotonic(), time.process_time()
    made = []
    for _ in range(connections):
        _, connection = await loop.create_connection(
            lambda: Connection(waiting, statuses), "127.0.0.1", port
        )
        made.append(connection)
    await asyncio.gather(*(connection.over for connection in made))
    times = [seconds for connection in made for seconds in connection.times]
    return {
        "start": start,
        "at": time.monotonic(),
        "processor": time.process_time() - processor,
        "receipt": median(times) if times else 0.0,
        "statuses": statuses,
    }


if __name__ == "__main__":
    print(json.dumps(asyncio.run(send(*map(int, sys.argv[1:4])))), flush=True)
