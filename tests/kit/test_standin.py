"""Stand-ins for an integrator's own procedure, driven by the real channels."""

from __future__ import annotations

import json
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from lxml import etree

from broker.channels.channel import Declared, Found, Mark, Prepared
from broker.channels.directory import Directory
from broker.channels.rest import Rest
from broker.channels.soap import Soap
from broker.channels.table import Table
from broker.cli import standin as commands
from broker.errors import BrokerError, Busy, ConfigError, DeliveryUnclear, Refused
from broker.message import reference
from broker.standins.clerk import Folder, Rows
from broker.standins.desk import STRANGER
from broker.standins.script import Fault, Script
from broker.standins.service import RestService, SoapService
from broker.standins.template import Template, fields, referred
from tests.needs import ROOT

KEY = "019c0f00-0000-7000-8000-000000000001"
REF = reference(KEY)
BODY = json.dumps({"Referenz": REF, "antrag": {"vorhaben": 'ein "Carport"', "zahl": 7}}).encode()
WSDL = ROOT / "adapters/wolfsburg/bau/bau.wsdl"
SAMPLES = ROOT / "adapters/wolfsburg/bau/samples/einfach"


def template(folder: Path, name: str, text: str) -> Template:
    (folder / name).write_text(text, "utf-8")
    return Template(folder / name)


class Marks:
    """Counts the marks that a channel sets."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self) -> None:
        self.count += 1


def mark() -> Mark:
    return Marks()


@pytest.fixture
def rest(tmp_path: Path) -> Iterator[RestService]:
    with RestService(tmp_path / "verfahren") as made:
        made.answer = template(
            tmp_path, "a.json", '{"id": "$reference", "az": "$number", "was": "$vorhaben"}'
        )
        yield made


def channel(made: RestService, **values: str) -> Rest:
    address = {"address": f"{made.address}/antraege", "reply": "body", "deadline": 5.0}
    return Rest(Declared("fv", "rest", address | values))


def send(made: RestService, body: bytes = BODY, **values: str) -> bytes | None:
    with closing(channel(made, **values)) as to:
        return to.send(Prepared(KEY, REF, "antrag", body), mark()).reply


def test_a_rest_procedure_answers_with_the_template(rest: RestService) -> None:
    said = json.loads(send(rest) or b"")

    assert said["id"] == REF
    assert said["az"].endswith("-00001")
    assert said["was"] == 'ein "Carport"'


def test_a_repeat_keeps_its_file(rest: RestService) -> None:
    assert send(rest) == send(rest)
    assert rest.effects() == {REF: 1}
    assert rest.calls() == {REF: 2}


def test_a_procedure_that_forgets_makes_a_second_file(rest: RestService) -> None:
    rest.recognises = False

    assert send(rest) != send(rest)
    assert rest.effects() == {REF: 2}


def test_without_a_field_the_key_tells_the_reference(rest: RestService) -> None:
    assert json.loads(send(rest, b"any text") or b"")["id"] == REF


def test_it_can_be_asked_whether_a_key_came(rest: RestService) -> None:
    ask = f"{rest.address}/by-key/{{key}}"
    with closing(channel(rest, ask=ask, reply="none")) as to:
        assert to.find(KEY) is Found.NOT_THERE
        send(rest)
        assert to.find(KEY) is Found.THERE


@pytest.mark.parametrize(
    ("fault", "error", "filed"),
    [
        (Fault.BUSY, Busy, {}),
        (Fault.ERROR, DeliveryUnclear, {}),
        (Fault.REFUSE, Refused, {}),
        (Fault.RESET, DeliveryUnclear, {REF: 1}),
        (Fault.LOST, DeliveryUnclear, {REF: 1}),
    ],
)
def test_each_fault_meets_the_broker_as_it_would_in_life(
    rest: RestService, fault: Fault, error: type[BrokerError], filed: dict[str, int]
) -> None:
    rest.stage.play(Script((fault,)))

    with pytest.raises(error):
        send(rest)

    assert rest.effects() == filed


def test_after_the_script_all_is_well(rest: RestService) -> None:
    rest.stage.play(Script((Fault.BUSY,)))
    with pytest.raises(Busy):
        send(rest)

    assert send(rest)


def test_a_stranger_answers_under_another_reference(rest: RestService) -> None:
    rest.stage.play(Script((Fault.STRANGER,)))

    assert json.loads(send(rest) or b"")["id"] == STRANGER


def test_a_late_answer_comes_all_the_same(rest: RestService) -> None:
    rest.stage.play(Script((Fault.LATE,), late=0.0))

    assert send(rest)


def test_what_hangs_files_nothing_until_it_is_stopped(rest: RestService) -> None:
    rest.stage.play(Script((Fault.HANG,)))
    with (
        closing(Rest(Declared("fv", "rest", {"address": rest.address, "deadline": 0.2}))) as to,
        pytest.raises(DeliveryUnclear),
    ):
        to.send(Prepared(KEY, REF, "antrag", BODY), mark())

    assert rest.effects() == {}


@pytest.fixture
def soap(tmp_path: Path) -> Iterator[SoapService]:
    made = SoapService(tmp_path / "verfahren")
    made.wsdl, made.element = WSDL, "AntragAnlegen"
    made.answer = template(
        tmp_path,
        "a.xml",
        '<?xml version="1.0"?><AntragAngelegt xmlns="urn:wolfsburg:bauantrag:1"><Referenz>'
        "$reference</Referenz><Aktenzeichen>$number</Aktenzeichen><Status>ANGENOMMEN</Status>"
        "<Datum>$date</Datum></AntragAngelegt>",
    )
    with made:
        yield made


def call(made: SoapService, body: bytes) -> bytes | None:
    values = {"wsdl": WSDL, "address": made.address, "deadline": 5.0}
    with closing(Soap(Declared("fv", "soap", values))) as to:
        return to.send(Prepared(KEY, REF, "antrag", body), mark()).reply


def test_a_soap_procedure_answers_with_the_element_of_its_template(soap: SoapService) -> None:
    reply = call(soap, (SAMPLES / "2-request.legacy.xml").read_bytes())

    root = etree.fromstring(reply or b"")
    assert root.findtext("{*}Referenz") == "0123456789ABC"
    assert (root.findtext("{*}Aktenzeichen") or "").endswith("-00001")


def test_a_call_that_breaks_the_wsdl_is_refused(soap: SoapService) -> None:
    with pytest.raises(Refused):
        call(soap, b'<AntragAnlegen xmlns="urn:wolfsburg:bauantrag:1"/>')

    assert soap.effects() == {}


def test_a_refusal_is_a_fault(soap: SoapService) -> None:
    soap.stage.play(Script((Fault.REFUSE,)))

    with pytest.raises(Refused):
        call(soap, (SAMPLES / "2-request.legacy.xml").read_bytes())


def test_a_wsdl_that_cannot_be_read_is_reported(tmp_path: Path) -> None:
    made = SoapService(tmp_path)
    made.wsdl = tmp_path / "none.wsdl"

    with pytest.raises(ConfigError, match=r"none\.wsdl: cannot be used"):
        made.start()


def folder(tmp_path: Path, *texts: str, faults: tuple[Fault, ...] = ()) -> Folder:
    made = Folder(tmp_path / "fv", Script(faults), pause=0.0)
    made.answers = [template(tmp_path, f"{n}.xml", text) for n, text in enumerate(texts)]
    made.prepare()
    return made


def deliver(made: Folder, body: bytes = b"<a><Referenz>0123456789ABC</Referenz></a>") -> None:
    values = {"out": made.folder / "eingang", "suffix": ".xml"}
    Directory(Declared("fv", "directory", values)).send(Prepared(KEY, REF, "a", body), mark())


def answers(made: Folder) -> list[str]:
    return [file.read_text("utf-8") for file in sorted((made.folder / "ausgang").glob("[!.]*"))]


def test_a_procedure_with_folders_answers_each_template_in_order(tmp_path: Path) -> None:
    made = folder(tmp_path, "<e>$reference</e>", "<b>$number</b>")
    deliver(made)
    made.look()

    first, second = answers(made)
    assert first == "<e>0123456789ABC</e>"
    assert second.endswith("-00001</b>")
    assert made.effects() == {"0123456789ABC": 1}


def test_the_name_of_a_file_of_another_format_is_its_reference(tmp_path: Path) -> None:
    made = folder(tmp_path, "<e>$reference</e>")
    deliver(made, b"K0815 fixed width")
    made.look()

    assert answers(made) == [f"<e>{REF}</e>"]


@pytest.mark.parametrize(
    ("fault", "given", "filed"),
    [(Fault.LOST, 0, 1), (Fault.ERROR, 0, 0), (Fault.HANG, 0, 0), (Fault.TWICE, 2, 1),
     (Fault.STRANGER, 2, 1)],
)  # fmt: skip
def test_folders_know_the_faults_too(tmp_path: Path, fault: Fault, given: int, filed: int) -> None:
    made = folder(tmp_path, "<e>$reference</e>", faults=(fault,))
    deliver(made)
    made.look()

    assert len(answers(made)) == given
    assert sum(made.effects().values()) == filed


DDL = """CREATE TABLE ANTRAG (REFERENZ VARCHAR(13) PRIMARY KEY, NAME VARCHAR(20));
CREATE TABLE PERSON (REFERENZ VARCHAR(13), NAME VARCHAR(20));
CREATE TABLE AUSGANG (ID INTEGER PRIMARY KEY, REFERENZ VARCHAR(13), TEXT VARCHAR(99),
    ABGEHOLT_AM TIMESTAMP);"""


def rows(tmp_path: Path, answer: str = "REFERENZ=$reference\n# no\nTEXT = für $NAME\n") -> Rows:
    (tmp_path / "t.sql").write_text(DDL, "utf-8")
    made = Rows(tmp_path / "fv", tmp_path / "t.sql")
    made.replies = "AUSGANG"
    made.answers = [template(tmp_path, "a.txt", answer)]
    return made


def test_a_procedure_with_tables_takes_rows_and_answers_with_rows(tmp_path: Path) -> None:
    made = rows(tmp_path)
    made.prepare()
    values = {"url": f"sqlite:///{made.database}", "out": ("ANTRAG", "PERSON"),
              "replies": "AUSGANG"}  # fmt: skip
    body = (f"<z><ANTRAG><REFERENZ>{REF}</REFERENZ><NAME>Tilda</NAME></ANTRAG>"
            f"<PERSON><REFERENZ>{REF}</REFERENZ></PERSON></z>").encode()  # fmt: skip
    with closing(Table(Declared("fv", "table", values))) as to:
        to.send(Prepared(KEY, REF, "antrag", body), mark())
        made.look()
        found = [etree.fromstring(one.body) for one in to.receive()]

    assert [(one.findtext("REFERENZ"), one.findtext("TEXT")) for one in found] == [
        (REF, "für Tilda")
    ]
    with closing(sqlite3.connect(made.database)) as connection:
        assert connection.execute("SELECT * FROM ANTRAG").fetchall() == []
        assert connection.execute("SELECT * FROM PERSON").fetchall() == []
    assert made.effects() == {REF: 1}


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"table": "NONE"}, 'no table "NONE" with a column REFERENZ'),
        ({"replies": "NONE"}, 'no table "NONE" for answers'),
        ({"field": "KENNUNG"}, "with a column KENNUNG"),
    ],
)
def test_what_does_not_fit_the_tables_is_said_at_the_start(
    tmp_path: Path, change: dict[str, str], text: str
) -> None:
    made = rows(tmp_path)
    for name, value in change.items():
        setattr(made, name, value)

    with pytest.raises(ConfigError, match=text):
        made.prepare()


def test_an_answer_with_an_unknown_column_is_said_at_the_start(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match='table "AUSGANG" has no column NONE'):
        rows(tmp_path, "NONE=1\n").prepare()


def test_a_template_with_a_lonely_dollar_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"a \$ without a name"):
        template(tmp_path, "a.xml", "<a>5 $ </a>")


def test_values_are_escaped_by_the_ending_of_the_template(tmp_path: Path) -> None:
    values = {"x": 'a<b>"\n'}

    assert template(tmp_path, "a.xml", "$x").fill(values) == "a&lt;b&gt;&quot;\n"
    assert template(tmp_path, "a.json", "$x").fill(values) == 'a<b>\\"\\n'
    assert template(tmp_path, "a.txt", "$x").fill(values) == 'a<b>"'


def test_what_is_not_there_is_left_empty(tmp_path: Path) -> None:
    assert template(tmp_path, "a.txt", "[$none] $$").fill({}) == "[] $"


def test_fields_are_found_at_any_depth() -> None:
    assert fields(b'<a xmlns="u"><b><c> 1 </c></b><c>2</c></a>')["c"] == "1"
    assert fields(b'{"a": [{"b": null}, {"c": true}]}') == {"b": "", "c": "True"}
    assert fields(b"<not xml") == fields(b"{no json") == fields(b"K0815") == {}


def test_the_reference_comes_from_its_field_else_from_the_key() -> None:
    assert referred({"referenz": "R"}, "Referenz", KEY) == "R"
    assert referred({}, "Referenz", KEY) == REF
    assert referred({}, "Referenz", "something") == ""


COMMAND = "import sys; from typer import Typer; from broker.cli import standin as s; t = Typer();\
[t.command(f.__name__)(f) for f in (s.soap, s.rest, s.directory, s.table)]; t(sys.argv[1:])"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["rest", "fv", "--answer", "a.json", "--fault", "500"], "rest http://127.0.0.1:"),
        (["soap", "fv", "--wsdl", str(WSDL)], "soap http://127.0.0.1:"),
        (["directory", "fv", "--answer", "a.json"], "directory fv/eingang → fv/ausgang"),
        (["table", "fv", "--ddl", "t.sql"], "table sqlite:///fv/verfahren.sqlite ANTRAG → nothing"),
    ],
)
def test_each_command_says_where_it_is_and_ends_in_order(
    tmp_path: Path, words: list[str], said: str
) -> None:
    (tmp_path / "a.json").write_text("{}", "utf-8")
    (tmp_path / "t.sql").write_text(DDL, "utf-8")
    line = [sys.executable, "-c", COMMAND, *words]
    environ = {"PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "utf-8"}
    with subprocess.Popen(
        line, cwd=tmp_path, stdout=subprocess.PIPE, text=True, encoding="utf-8", env=environ
    ) as process:
        assert process.stdout is not None
        first = process.stdout.readline()
        process.send_signal(signal.SIGTERM)

        assert process.wait(60) == 0
    assert first.startswith(said)


def test_an_unknown_fault_is_refused_with_those_that_are_known(tmp_path: Path) -> None:
    with pytest.raises(
        BrokerError, match=r'unknown fault "slow"; known are none, hang, .*500, 503'
    ):
        commands.rest(tmp_path, fault=["slow"])
