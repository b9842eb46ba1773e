"""Texts of declared fields turned into values; used for routes.yaml and for the environment."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from urllib.parse import urlsplit

from broker.errors import ConfigError
from broker.fields import Field, Kind

Value = str | Path | float | int | bool | tuple[str, ...] | None

_SECONDS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_BYTES = {"": 1, "KB": 1 << 10, "MB": 1 << 20, "GB": 1 << 30}
_DURATION = re.compile(r"(\d{1,9}(?:\.\d{1,3})?)([smhd])", re.ASCII)
_SIZE = re.compile(r"(\d{1,15})(?: ?(KB|MB|GB))?", re.ASCII)
_SHARE = re.compile(r"(\d{1,2}(?:\.\d{1,2})?) ?%", re.ASCII)
_RATE = re.compile(r"(\d{1,9})/(s|min|h)", re.ASCII)
_PER = {"s": 1.0, "min": 60.0, "h": 3600.0}
_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:\S+")
_HOST = re.compile(r"[\w.-]+|[0-9a-f:.]+")


def seconds(text: str) -> float:
    """Return a duration such as `30s`, `5m`, `1h`, `3d` or `0` in seconds."""
    found = _DURATION.fullmatch(text)
    if found:
        return float(found[1]) * _SECONDS[found[2]]
    if text == "0":
        return 0.0
    raise ConfigError("a duration such as 30s, 5m, 1h or 3d")


def number(text: str) -> int:
    """Return a whole number."""
    if not re.fullmatch(r"\d{1,15}", text, re.ASCII):
        raise ConfigError("a whole number")
    return int(text)


def size(text: str) -> int:
    """Return a number of bytes; `64 MB` means 64 times 1024 times 1024."""
    found = _SIZE.fullmatch(text)
    if not found:
        raise ConfigError("a size such as 64 MB")
    return int(found[1]) * _BYTES[found[2] or ""]


def room(text: str) -> int | float:
    """Return bytes (a whole number), or the share of a disk: `5%` is 0.05."""
    found = _SHARE.fullmatch(text)
    if found:
        return float(found[1]) / 100
    try:
        return size(text)
    except ConfigError:
        raise ConfigError("a size such as 500 MB, or a share such as 5%") from None


def rate(text: str) -> float:
    """Return how many a second are meant by `50/s`, `300/min` or `1000/h`."""
    found = _RATE.fullmatch(text)
    if not found or not int(found[1]):
        raise ConfigError("a rate such as 50/s, 300/min or 1000/h")
    return int(found[1]) / _PER[found[2]]


def sized(field: Field) -> bool:
    """Whether a number is a size in bytes: its default is written as one, such as `64 MB`."""
    return field.kind == "number" and (field.default or "").endswith("B")


def decimal(text: str) -> float:
    """Return a number such as `2` or `1.5`."""
    if not re.fullmatch(r"\d{1,9}(\.\d{1,9})?", text, re.ASCII):
        raise ConfigError("a number such as 2 or 1.5")
    return float(text)


def truth(text: str) -> bool:
    """Return whether the text is `true`; anything but `true` and `false` is an error."""
    if text not in ("true", "false"):
        raise ConfigError("true or false")
    return text == "true"


def url(text: str) -> str:
    """Return an absolute URL as written."""
    if not _URL.fullmatch(text):
        raise ConfigError("a URL with its scheme, such as https://host/path")
    return text


def http(text: str) -> str:
    """Return a URL over HTTP or HTTPS as written; it has a host, no impossible port, no login."""
    try:
        parts = urlsplit(text)
        host = _HOST.fullmatch(parts.hostname or "")
        usable = bool(_URL.fullmatch(text) and parts.scheme in ("http", "https") and host)
        if "@" in parts.netloc:
            raise ConfigError("a URL without user and password: whoever sees it would know them")
        if usable and parts.port != 0:
            return text
    except ValueError:
        pass
    raise ConfigError("a URL such as https://host/path, over https or http")


_READERS: Mapping[Kind, Callable[[str], Value]] = {
    "seconds": seconds,
    "number": number,
    "size": size,
    "room": room,
    "rate": rate,
    "bool": truth,
    "url": url,
    "http": http,
    "list": lambda text: (text,),
    "windows": lambda text: (text,),
}


def read(field: Field, text: str, folder: Path) -> Value:
    """Return the value of a field's text; paths are relative to `folder`.

    Raises ConfigError whose text is what would be needed instead, without what was found.
    """
    if field.kind == "text":
        return text
    if field.kind in ("path", "secret_file"):
        return folder / text
    if field.kind == "choice":
        return _choice(field, text)
    if sized(field):
        return size(text)
    return _READERS[field.kind](text)


def default(field: Field, folder: Path) -> Value:
    """Return the value of a field that is not given."""
    if field.default is None:
        return () if field.many else None
    return read(field, field.default, folder)


def _choice(field: Field, text: str) -> str:
    if text not in field.choices:
        raise ConfigError(f"one of {', '.join(field.choices)}{closest(text, field.choices)}")
    return text


def closest(word: str, choices: Collection[str]) -> str:
    """Return `, did you mean "x"?` for the choice most like the word, or nothing."""
    found = difflib.get_close_matches(word, choices, n=1)
    return f', did you mean "{found[0]}"?' if found else ""
