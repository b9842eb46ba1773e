"""A procedure that costs next to nothing: answers every POST with 204, in a process of its own.

`python -m benchmarks.sink COUNT…` prints its port, then a line of JSON each time so many further
requests have come.
"""

from __future__ import annotations

import asyncio
import json
import re
import sys
import time

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_KEY = re.compile(rb"\r\nidempotency-key: *([^\r]+)", re.IGNORECASE)
_YES = b"HTTP/1.1 204 No Content\r\n\r\n"


class Counter:
    """Counts what came, also by its key, and says so at each mark."""

    def __init__(self, marks: list[int]) -> None:
        """Take how many requests to wait for, one time after the other."""
        self._marks = marks
        self._keys: set[bytes] = set()
        self._count = 0
        self._start = time.process_time()

    def add(self, key: bytes) -> None:
        """Count one request."""
        self._keys.add(key)
        self._count += 1
        if self._marks and len(self._keys) == self._marks[0]:
            self._say()

    def _say(self) -> None:
        self._marks.pop(0)
        found = {
            "at": time.monotonic(),
            "processor": time.process_time() - self._start,
            "requests": self._count,
        }
        print(json.dumps(found), flush=True)
        self._keys.clear()
        self._count, self._start = 0, time.process_time()


class Connection(asyncio.Protocol):
    """One connection; requests come one after the other."""

    def __init__(self, counter: Counter) -> None:
        """Take what counts."""
        self._counter = counter
        self._data = bytearray()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Answer once a request is whole."""
        self._data += data
        end = self._data.find(b"\r\n\r\n")
        if end < 0:
            return
        length = _LENGTH.search(self._data, 0, end + 2)
        if len(self._data) < end + 4 + int(length[1] if length else 0):
            return
        key = _KEY.search(self._data, 0, end + 2)
        self._transport.write(_YES)
        self._counter.add(bytes(key[1]) if key else b"")
        self._data.clear()


async def serve(marks: list[int]) -> None:
    counter = Counter(marks)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Connection(counter), "127.0.0.1", 0)
    print(json.dumps({"port": server.sockets[0].getsockname()[1]}), flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve([int(mark) for mark in sys.argv[1:]]))
