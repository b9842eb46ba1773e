"""What `kind: soap` promises beyond the contract of all channels."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from lxml import etree

from broker.channels.channel import Declared, Found, Prepared
from broker.channels.soap import Soap
from broker.errors import BrokerError, Busy, DeliveryUnclear, Refused, Unreachable
from tests.servers import http
from tests.servers.http import Server, answer

NS = "urn:example:antrag:1"
SOAP_11 = "http://schemas.xmlsoap.org/soap/envelope/"
SOAP_12 = "http://www.w3.org/2003/05/soap-envelope"
WSDL = """<?xml version="1.0"?>
<definitions xmlns="http://schemas.xmlsoap.org/wsdl/" xmlns:soap="{soap}"
    xmlns:t="urn:example:antrag:1" targetNamespace="urn:example:antrag:1">
  <types><xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema"
      targetNamespace="urn:example:antrag:1" elementFormDefault="qualified">
    {types}
    <xs:element name="Anlegen"><xs:complexType><xs:sequence>
      <xs:element name="Name" type="xs:string"/></xs:sequence></xs:complexType></xs:element>
    <xs:element name="Angelegt" type="xs:string"/>
  </xs:schema></types>
  <message name="In"><part name="p" element="t:Anlegen"/></message>
  <message name="Out"><part name="p" element="t:Angelegt"/></message>
  <portType name="P"><operation name="Anlegen">
    <input message="t:In"/><output message="t:Out"/></operation></portType>
  <binding name="B" type="t:P">
    <soap:binding style="document" transport="http://schemas.xmlsoap.org/soap/http"/>
    <operation name="Anlegen"><soap:operation soapAction="urn:anlegen"/>
      <input><soap:body use="literal"/></input><output><soap:body use="literal"/></output>
    </operation></binding>
  <service name="S"><port name="Q" binding="t:B">
    <soap:address location="http://127.0.0.1:9/elsewhere"/></port></service>
</definitions>"""
V11 = "http://schemas.xmlsoap.org/wsdl/soap/"
V12 = "http://schemas.xmlsoap.org/wsdl/soap12/"
LETTER = Prepared(
    "0190-key",
    "ABCDEFGHJKMNP",
    "antrag",
    f'<Anlegen xmlns="{NS}"><Name>Erika Muster</Name></Anlegen>'.encode(),
)
Build = Callable[..., Soap]


def nothing() -> None:
    """Stand in for a mark that succeeds."""


def envelope(content: str, namespace: str = SOAP_11) -> bytes:
    return f'<s:Envelope xmlns:s="{namespace}"><s:Body>{content}</s:Body></s:Envelope>'.encode()


def fault(code: str, detail: str = "") -> bytes:
    text = "<faultstring>Erika Muster ist unbekannt</faultstring>"
    return envelope(
        f"<s:Fault><faultcode>{code}</faultcode>{text}<detail>{detail}</detail></s:Fault>"
    )


def fault12(code: str, subcode: str) -> bytes:
    return envelope(
        f"<s:Fault><s:Code><s:Value>{code}</s:Value><s:Subcode><s:Value>{subcode}</s:Value>"
        "</s:Subcode></s:Code><s:Reason><s:Text>Erika Muster</s:Text></s:Reason></s:Fault>",
        SOAP_12,
    )


OK = envelope(f'<t:Angelegt xmlns:t="{NS}">AZ-1</t:Angelegt>')


@pytest.fixture
def server() -> Iterator[Server]:
    with Server(answer(200, OK)) as running:
        yield running


@pytest.fixture
def build(server: Server, tmp_path: Path) -> Iterator[Build]:
    made: list[Soap] = []

    def make(soap: str = V11, types: str = "", **values: Any) -> Soap:
        file = tmp_path / "dienst.wsdl"
        file.write_text(WSDL.format(soap=soap, types=types), "utf-8")
        known = {"wsdl": file, "address": server.address, "deadline": 5.0}
        made.append(Soap(Declared("wolfsburg-bau", "soap", known | values)))
        return made[-1]

    yield make
    for channel in made:
        channel.close()


def outcome(channel: Soap) -> type[BrokerError] | str:
    """Return the receipt, or the class of the error, whose text must not show what was said."""
    try:
        return channel.send(LETTER, nothing).receipt
    except BrokerError as error:
        caught = error
    assert "Muster" not in str(caught)
    return type(caught)


def test_the_address_of_the_route_is_called_whatever_the_wsdl_says(
    server: Server, build: Build
) -> None:
    sent = build().send(LETTER, nothing)

    request = server.requests[0]
    assert sent.receipt == "Anlegen: HTTP 200"
    assert request.path == "/dienst"
    assert request.headers["soapaction"] == '"urn:anlegen"'
    assert request.headers["content-type"] == "text/xml; charset=utf-8"
    assert request.headers["idempotency-key"] == "0190-key"
    name = etree.fromstring(request.body).find(f"{{{SOAP_11}}}Body/{{{NS}}}Anlegen/{{{NS}}}Name")
    assert name is not None
    assert name.text == "Erika Muster"


def test_soap_12_has_its_own_envelope_and_action(server: Server, build: Build) -> None:
    server.script = answer(200, envelope("<a/>", SOAP_12))

    build(V12).send(LETTER, nothing)

    request = server.requests[0]
    assert etree.fromstring(request.body).tag == f"{{{SOAP_12}}}Envelope"
    assert request.headers["content-type"].endswith('; action="urn:anlegen"')
    assert "soapaction" not in request.headers


def test_the_element_of_the_response_is_the_reply(build: Build) -> None:
    reply = build().send(LETTER, nothing).reply

    assert reply is not None
    root = etree.fromstring(reply)
    assert (root.tag, root.text) == (f"{{{NS}}}Angelegt", "AZ-1")


def test_a_reply_can_be_left_out(build: Build) -> None:
    assert build(reply="none").send(LETTER, nothing).reply is None


@pytest.mark.parametrize("body", [b"", envelope("")])
def test_an_empty_response_is_a_receipt_without_a_reply(
    server: Server, build: Build, body: bytes
) -> None:
    server.script = answer(200 if body else 202, body)

    assert build().send(LETTER, nothing).reply is None


@pytest.mark.parametrize(
    ("status", "body", "harmful"),
    [
        (500, fault("s:Client"), Refused),
        (500, fault("s:Client.Ungueltig"), Refused),
        (500, fault("s:Server"), Unreachable),
        (200, fault("s:Server"), Unreachable),
        (500, fault("s:Server", f'<t:Ablehnung xmlns:t="{NS}"/>'), Refused),
        (500, fault("Erika Muster, geb. 1.1.1970"), DeliveryUnclear),
        (400, fault12("s:Sender", "x:A"), Refused),
        (500, fault12("s:Receiver", "x:A"), Unreachable),
        (500, fault12("s:Receiver", "x:Ablehnung"), Refused),
        (503, fault("s:Server"), Busy),
        (503, b"", Busy),
        (429, b"", Busy),
        (307, b"", Unreachable),
        (401, b"", Unreachable),
        (404, b"", Unreachable),
        (413, b"", Refused),
        (500, b"<html>Erika Muster</html>", DeliveryUnclear),
        (502, b"", DeliveryUnclear),
        (200, b"", DeliveryUnclear),
        (200, b"<html>Erika Muster", DeliveryUnclear),
        (200, b"<html>Erika Muster</html>", DeliveryUnclear),
        (200, b"<!DOCTYPE a [<!ENTITY b 'Muster'>]><a>&b;</a>", DeliveryUnclear),
    ],
)
def test_faults_and_states_decide_what_follows(
    server: Server, build: Build, status: int, body: bytes, harmful: type[BrokerError]
) -> None:
    server.script = answer(status, body, Location=server.address)
    expected = Unreachable if harmful is DeliveryUnclear else harmful

    assert outcome(build(refusals=("Ablehnung",))) is harmful
    assert outcome(build(refusals=("Ablehnung",), repeats="recognised")) is expected


def test_a_refusal_names_code_and_detail_only(server: Server, build: Build) -> None:
    server.script = answer(
        500, fault("s:Client", f'<t:Ablehnung xmlns:t="{NS}">Erika</t:Ablehnung>')
    )

    with pytest.raises(Refused, match=r"with the SOAP fault Client / Ablehnung$"):
        build().send(LETTER, nothing)


def test_a_redirect_is_not_followed(server: Server, build: Build) -> None:
    with Server(answer(200, OK)) as elsewhere:
        server.script = answer(307, Location=elsewhere.address)

        assert outcome(build()) is Unreachable
        assert elsewhere.requests == []


@pytest.mark.parametrize(
    "script",
    [http.reset, http.hang_up, http.silence, http.drip(b"HTTP/1.1 200 OK\r\n\r\n<s:Envelope")],
)
def test_an_answer_that_does_not_come_whole_is_unclear(
    server: Server, build: Build, script: http.Script
) -> None:
    server.script = script

    assert outcome(build(deadline=0.3)) is DeliveryUnclear
    assert outcome(build(deadline=0.3, repeats="recognised")) is Unreachable


def test_an_element_that_no_operation_takes_is_refused_before_sending(
    server: Server, build: Build
) -> None:
    wrong = Prepared("0190-key", "ABCDEFGHJKMNP", "antrag", b"<Anderes/>")

    with pytest.raises(Refused, match="no operation that takes Anderes"):
        build().send(wrong, nothing)

    assert server.requests == []


def test_what_is_not_xml_is_refused_before_sending(server: Server, build: Build) -> None:
    wrong = Prepared("0190-key", "ABCDEFGHJKMNP", "antrag", b"Erika Muster")

    with pytest.raises(Refused, match="not well-formed") as caught:
        build().send(wrong, nothing)

    assert "Erika" not in str(caught.value)
    assert server.requests == []


def test_nobody_can_be_asked_for_a_key(build: Build) -> None:
    assert build().find("0190-key") is Found.UNKNOWN


def test_imports_beside_the_wsdl_are_read(build: Build, tmp_path: Path) -> None:
    (tmp_path / "typen").mkdir()
    schema = '<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema" targetNamespace="urn:b"/>'
    (tmp_path / "typen" / "b.xsd").write_text(schema, "utf-8")

    channel = build(types='<xs:import namespace="urn:b" schemaLocation="typen/b.xsd"/>')

    assert outcome(channel) == "Anlegen: HTTP 200"


@pytest.mark.parametrize(
    "location", ["{server}", "file:///etc/hostname", "../draussen.xsd", "fehlt.xsd"]
)
def test_a_wsdl_gets_nothing_from_elsewhere(
    server: Server, build: Build, tmp_path: Path, location: str
) -> None:
    (tmp_path.parent / "draussen.xsd").write_text("<a/>", "utf-8")
    where = location.format(server=server.address)
    channel = build(types=f'<xs:import namespace="urn:b" schemaLocation="{where}"/>')

    assert outcome(channel) is Unreachable
    assert server.requests == []


@pytest.mark.parametrize(
    "text",
    [
        "",
        "no xml",
        "<definitions/>",
        "<!DOCTYPE a [<!ENTITY b 'c'>]><a/>",
        WSDL.format(soap="urn:other", types=""),
    ],
)
def test_a_wsdl_that_is_none_is_named(server: Server, build: Build, text: str) -> None:
    channel = build()
    Path(channel.values["wsdl"]).write_text(text, "utf-8")

    with pytest.raises(Unreachable, match=r"dienst\.wsdl"):
        channel.send(LETTER, nothing)

    assert server.requests == []


def test_a_wsdl_that_was_put_right_is_read_again(build: Build) -> None:
    channel = build()
    file = Path(channel.values["wsdl"])
    right = file.read_text("utf-8")
    file.write_text("no xml", "utf-8")
    with pytest.raises(Unreachable):
        channel.probe()
    file.write_text(right, "utf-8")

    assert "1 operation(s)" in channel.probe()


def test_an_unknown_port_is_named(build: Build) -> None:
    with pytest.raises(Unreachable, match="on port 'R'"):
        build(port="R").send(LETTER, nothing)


def test_a_named_port_is_used(build: Build) -> None:
    assert outcome(build(port="Q")) == "Anlegen: HTTP 200"
