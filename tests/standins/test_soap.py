"""Wolfsburg's stand-in: a SOAP service that can be counted and can misbehave."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.client import HTTPConnection, HTTPException
from pathlib import Path

import pytest
from lxml import etree

from broker.standins.desk import STRANGER
from broker.standins.script import Fault, Script
from broker.standins.soap import PATH, SPACE, Soap
from tests.needs import ROOT

WSDL = ROOT / "adapters/wolfsburg/bau/bau.wsdl"
SAMPLE = ROOT / "adapters/wolfsburg/bau/samples/einfach/2-request.legacy.xml"
REFERENCE = "0123456789ABC"


@pytest.fixture
def soap(tmp_path: Path) -> Iterator[Soap]:
    with Soap(tmp_path, WSDL) as standin:
        yield standin


def call(standin: Soap, project: str = "Anbau", key: str = "k") -> tuple[int, etree._Element]:
    """Return the status and the element in the body of the answer."""
    status, body = post(standin, envelope(project), key)
    found = etree.fromstring(body).find(".//{*}Body/*")
    assert found is not None
    return status, found


def envelope(project: str) -> bytes:
    element = etree.parse(SAMPLE).getroot()
    named = element.find(f"{{{SPACE}}}Vorhaben")
    assert named is not None
    named.text = project
    head = b'<e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/"><e:Body>'
    return head + etree.tostring(element) + b"</e:Body></e:Envelope>"


def post(standin: Soap, body: bytes, key: str = "k") -> tuple[int, bytes]:
    connection = HTTPConnection("127.0.0.1", standin.port, timeout=30)
    try:
        connection.request("POST", PATH, body, {"Idempotency-Key": key})
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def text(element: etree._Element, name: str) -> str:
    return element.findtext(f".//{{{SPACE}}}{name}") or ""


def test_the_wsdl_names_the_address_where_it_is(soap: Soap) -> None:
    connection = HTTPConnection("127.0.0.1", soap.port, timeout=30)
    connection.request("GET", f"{PATH}?wsdl")
    body = connection.getresponse().read().decode()
    connection.close()

    assert f'location="{soap.address}"' in body


def test_an_application_is_filed_once_and_gets_its_number(soap: Soap) -> None:
    status, answer = call(soap)

    assert (status, text(answer, "Referenz"), text(answer, "Status")) == (
        200,
        REFERENCE,
        "ANGENOMMEN",
    )
    assert text(answer, "Aktenzeichen").startswith("63-WOB-00001-")
    assert soap.effects() == {REFERENCE: 1}


@pytest.mark.parametrize(
    ("project", "state"),
    [
        ("Neubau eines Einfamilienhauses", "GENEHMIGT"),
        ("Neubau eines Hochhauses", "ABGELEHNT"),
        ("Errichtung einer Werkstatt", "REGISTRIERT"),
    ],
)
def test_the_name_of_the_project_decides(soap: Soap, project: str, state: str) -> None:
    assert text(call(soap, project)[1], "Status") == state


def test_a_repeat_gets_the_same_number_and_no_second_file(soap: Soap) -> None:
    numbers = {text(call(soap)[1], "Aktenzeichen") for _ in range(3)}

    assert len(numbers) == 1
    assert (soap.effects(), soap.calls()) == ({REFERENCE: 1}, {REFERENCE: 3})


def test_one_that_forgets_files_a_repeat_again(tmp_path: Path) -> None:
    with Soap(tmp_path, WSDL, recognises=False) as standin:
        call(standin)
        call(standin)

    assert standin.effects() == {REFERENCE: 2}


def test_what_was_filed_can_be_counted_after_the_end(tmp_path: Path, soap: Soap) -> None:
    call(soap)
    soap.stop()

    assert Soap(tmp_path, WSDL).effects() == {REFERENCE: 1}


def test_a_project_that_is_not_its_own_is_refused_and_not_filed(soap: Soap) -> None:
    status, fault = call(soap, "Errichtung eines Windrads")

    assert (status, fault.findtext("faultcode")) == (500, "s:Client")
    assert text(fault, "Referenz") == REFERENCE
    assert soap.effects() == {}


def test_what_the_wsdl_does_not_allow_is_a_fault(soap: Soap) -> None:
    body = envelope("x").replace(b"<Art>ERRICHTUNG</Art>", b"<Art>ANDERES</Art>")

    assert post(soap, body)[0] == 500
    assert soap.calls() == {}


def test_what_is_no_xml_is_a_fault(soap: Soap) -> None:
    assert post(soap, b"no")[0] == 500


def test_faults_are_played_in_order_and_then_all_is_well(tmp_path: Path) -> None:
    script = Script((Fault.ERROR, Fault.BUSY, Fault.REFUSE))
    with Soap(tmp_path, WSDL, script) as standin:
        statuses = [post(standin, envelope("Anbau"))[0] for _ in range(4)]

    assert statuses == [500, 503, 500, 200]
    assert standin.effects() == {REFERENCE: 1}


def test_the_last_fault_may_go_on_for_ever(tmp_path: Path) -> None:
    with Soap(tmp_path, WSDL, Script((Fault.BUSY,), forever=True)) as standin:
        assert [post(standin, envelope("Anbau"))[0] for _ in range(3)] == [503, 503, 503]


def test_a_reset_comes_after_the_effect(tmp_path: Path) -> None:
    with Soap(tmp_path, WSDL, Script((Fault.RESET,))) as standin:
        with pytest.raises((HTTPException, OSError)):
            post(standin, envelope("Anbau"))

        assert standin.effects() == {REFERENCE: 1}


def test_a_stranger_is_answered_under_another_reference(tmp_path: Path) -> None:
    with Soap(tmp_path, WSDL, Script((Fault.STRANGER,))) as standin:
        assert text(call(standin)[1], "Referenz") == STRANGER


def test_a_call_that_hangs_ends_when_it_is_stopped(tmp_path: Path) -> None:
    standin = Soap(tmp_path, WSDL, Script((Fault.HANG,)))
    standin.start()
    ended = threading.Event()

    def hang() -> None:
        with pytest.raises((HTTPException, OSError)):
            post(standin, envelope("Anbau"))
        ended.set()

    thread = threading.Thread(target=hang)
    thread.start()
    while not standin.calls():
        threading.Event().wait(0.01)
    standin.stop()
    thread.join()

    assert ended.is_set()
    assert standin.effects() == {}


def test_a_connection_carries_many_calls(soap: Soap) -> None:
    connection = HTTPConnection("127.0.0.1", soap.port, timeout=30)
    for _ in range(3):
        connection.request("POST", PATH, envelope("Anbau"))
        answer = connection.getresponse()
        answer.read()
        assert not answer.will_close
    connection.close()
