"""What a vendored WSDL says about the operations of a service, read once with zeep."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from broker.channels.secret import name
from broker.errors import Unreachable

SOAP_11 = "http://schemas.xmlsoap.org/soap/envelope/"
SOAP_12 = "http://www.w3.org/2003/05/soap-envelope"
MAX = 10_000_000


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation: its name, the envelope namespace of its SOAP version, and its action."""

    name: str
    envelope: str
    action: str

    @property
    def headers(self) -> tuple[tuple[str, str], ...]:
        """Return the HTTP headers that this SOAP version asks for."""
        if self.envelope == SOAP_11:
            return ("Content-Type", "text/xml; charset=utf-8"), ("SOAPAction", f'"{self.action}"')
        return (("Content-Type", f'application/soap+xml; charset=utf-8; action="{self.action}"'),)


def operations(file: Path, port: str | None = None) -> Mapping[str, Operation]:
    """Return the document/literal operations of a WSDL by the tag of the element they take.

    `port` names the port to use; without it the first SOAP port decides. Files are read from the
    folder of the WSDL and below, never from elsewhere and never from the network; `soap:address` is
    not looked at. Raises Unreachable, so that deliveries wait until the file is put right.
    """
    if not file.is_file():
        raise Unreachable(
            f"{file} is not there; the WSDL of the service belongs beside its adapter"
        )
    found = {
        element: operation
        for binding in _bindings(_load(file), port)
        for element, operation in _of(binding)
    }
    if not found:
        raise Unreachable(
            f"{file} has no document/literal operation" + (f" on port {port!r}" if port else "")
        )
    return found


def _load(file: Path) -> Any:
    import zeep
    from lxml import etree
    from requests import RequestException
    from zeep.exceptions import Error

    client: Any = zeep.Client
    settings = zeep.Settings(
        strict=True, forbid_dtd=True, forbid_entities=True, forbid_external=True
    )
    try:
        return client(
            str(file.resolve()), transport=_folder(file.resolve().parent), settings=settings
        )
    except OSError as error:
        if isinstance(error, RequestException):
            raise Unreachable(
                f"{file} cannot be used: it wants something from the network"
            ) from None
        raise Unreachable(f"{file} or a file it imports cannot be read ({name(error)})") from None
    except (
        Error,
        etree.LxmlError,
        LookupError,
        ValueError,
        TypeError,
        AttributeError,
        NotImplementedError,
    ) as error:
        # zeep meets a broken WSDL with whatever its code runs into
        raise Unreachable(
            f"{file} cannot be used as a WSDL ({type(error).__name__}): {error}"
        ) from error


def _folder(folder: Path) -> Any:
    """Return a zeep transport that reads files of one folder and never speaks to a network."""
    import requests
    import zeep

    class Folder(zeep.Transport):
        def load(self, url: str) -> bytes:
            path = Path(str(url).removeprefix("file://")).resolve()
            if not path.is_relative_to(folder):
                raise ValueError(f"it imports {url}, which is not in its own folder")
            with path.open("rb") as file:
                return file.read(MAX)

        def post(self, address: str, message: bytes, headers: Mapping[str, str]) -> Any:
            raise ValueError("sending is the channel's work")

        get = post

    session = requests.Session()
    session.trust_env = False
    session.adapters.clear()
    kind: Any = Folder
    return kind(session=session)


def _bindings(client: Any, port: str | None) -> list[Any]:
    from zeep.wsdl.bindings.soap import SoapBinding

    ports = [
        (key, each.binding)
        for service in client.wsdl.services.values()
        for key, each in service.ports.items()
        if isinstance(each.binding, SoapBinding)
    ]
    return [binding for key, binding in ports if port in (None, key)][:1]


def _of(binding: Any) -> list[tuple[str, Operation]]:
    envelope = binding.nsmap["soap-env"]
    return [
        (str(operation.input.body.qname), Operation(key, envelope, operation.soapaction or ""))
        for key, operation in binding.all().items()
        if operation.style == "document" and getattr(operation.input, "body", None) is not None
    ]
