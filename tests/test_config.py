"""routes.yaml: what is read, what is found, and what a checked table says."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.channels.channel import Channel
from broker.config.findings import Report
from broker.config.load import load
from broker.config.model import Match, Retry, Table
from broker.config.nodes import Block, Text
from broker.config.reader import MAX_BYTES, read
from broker.config.reference import reference
from broker.config.schema import schema
from broker.config.tables import Known
from broker.errors import ConfigError
from broker.fields import Field

FOLDER = Path(__file__).parent / "config"
ENVIRON = {"SECRET": "geheim-1964", "FOLDERS": "/geheim/bin:/bin"}
KNOWN = Known(
    kinds={
        "directory": (
            Field("out", "path", "folder for what is sent", required=True),
            Field("replies", "path", "folder with replies"),
            Field("from", "text", "party that leaves messages here"),
            Field("tables", "list", "names"),
            Field("mode", "choice", "a | b", "quick", choices=("quick", "safe")),
            *Channel.COMMON,
        ),
        "rest": (
            Field("address", "http", "where it is", required=True),
            Field("password_file", "secret_file", "password"),
            *Channel.COMMON,
        ),
    },
    adapters=("wolfsburg/bau", "salzgitter/bau"),
    accepts={"wolfsburg/bau": ("xbau/2.6",), "salzgitter/bau": ("xbau/2.6",)},
    standards=("xbau/2.5", "xbau/2.6", "xbau-kernmodul/1.3.0"),
)
GOOD = """\
parties:
  wolfsburg: {name: Stadt Wolfsburg, ags: 03103000}
  salzgitter: {name: Stadt Salzgitter, ags: 03102000}
  bauportal: {name: Bauportal, key: bap:03000001, answer: portal-return}

channels:
  wolfsburg-bau: {kind: directory, out: out/wolfsburg, deadline: 5m, test: false}
  salzgitter-bau: {kind: rest, address: "${ADDRESS:-https://procedure.example/}", inflight: 2}
  portal-return: {kind: directory, out: /srv/return, tables: [A, B]}
  other-return: {kind: directory, out: other}

routes:
  - name: bau
    for: [wolfsburg, salzgitter]
    match:
      {standard: xbau, version: 2.6, kind: [a.0200, b.0205], recipient: "bab:{ags}",
       sender: bauportal}
    adapter: "{city}/bau"
    channel: "{city}-bau"
    order: case
    retry: {first: 10s, factor: 1.5, longest: 2h, give_up: 1d}
    answer: other-return
  - name: rest
    match: {standard: xbau, version: 2.6, recipient: bab:03101000}
    adapter: wolfsburg/bau
    channel: wolfsburg-bau
"""


def write(folder: Path, text: str | bytes) -> Path:
    file = folder / "routes.yaml"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    return file


def good(folder: Path, text: str = GOOD) -> Table:
    return load(write(folder, text), KNOWN, ENVIRON)


def findings(folder: Path, text: str | bytes) -> list[str]:
    file = write(folder, text)
    with pytest.raises(ConfigError) as caught:
        load(file, KNOWN, ENVIRON)
    return [str(finding).replace(f"{file}:", "") for finding in caught.value.findings]


def expected(file: Path) -> list[str]:
    lines = file.read_text(encoding="utf-8").splitlines()
    return [line.removeprefix("#: ") for line in lines if line.startswith("#: ")]


@pytest.mark.parametrize("file", sorted(FOLDER.glob("*.yaml")), ids=lambda file: file.stem)
def test_everything_wrong_in_a_file_is_found_with_its_place(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(FOLDER)
    try:
        table = load(Path(file.name), KNOWN, ENVIRON)
        found = [f"warning: {warning}" for warning in table.warnings]
    except ConfigError as error:
        found = [str(finding) for finding in error.findings]

    assert [line.replace(f"{file.name}:", "") for line in found] == expected(file)


def test_every_broken_file_says_what_it_expects() -> None:
    silent = [file.name for file in FOLDER.glob("*.yaml") if not expected(file)]

    assert silent == []


def test_no_finding_shows_a_value_from_the_environment() -> None:
    for name in ("variable-value-not-shown", "url-from-environment"):
        with pytest.raises(ConfigError) as caught:
            load(FOLDER / f"{name}.yaml", KNOWN, ENVIRON)

        assert "geheim" not in str(caught.value)


def test_no_finding_shows_a_literal_secret() -> None:
    for name in ("secret-literal", "secret-in-url"):
        with pytest.raises(ConfigError) as caught:
            load(FOLDER / f"{name}.yaml", KNOWN, ENVIRON)

        assert "geheim" not in str(caught.value)


def test_a_secret_points_to_its_twin(tmp_path: Path) -> None:
    text = GOOD.replace("inflight: 2", "password: geheim")

    assert findings(tmp_path, text) == [
        '8:83: channel "salzgitter-bau": "password": secrets are never in this file,'
        ' use "password_file"'
    ]


def test_the_error_names_the_file_and_the_number_of_findings(tmp_path: Path) -> None:
    file = write(tmp_path, GOOD.replace("03103000", "3103000"))
    with pytest.raises(ConfigError) as caught:
        load(file, KNOWN, ENVIRON)

    assert str(caught.value).startswith(f"{file} has 1 finding and is not used\n{file}:2:43: ")


def test_an_entry_makes_one_route_for_each_party(tmp_path: Path) -> None:
    names = [(route.name, route.entry, route.line) for route in good(tmp_path).routes]

    assert names == [
        ("bau/wolfsburg", "bau", 13),
        ("bau/salzgitter", "bau", 13),
        ("rest", "rest", 23),
    ]


def test_placeholders_are_filled_in(tmp_path: Path) -> None:
    route = good(tmp_path).routes[1]

    assert (route.match.recipient, route.adapter, route.channel) == (
        "bab:03102000",
        "salzgitter/bau",
        "salzgitter-bau",
    )


def test_a_route_has_all_its_values(tmp_path: Path) -> None:
    route = good(tmp_path).routes[0]

    assert route.match == Match(
        "xbau", ("2.6",), ("a.0200", "b.0205"), "bab:03103000", ("bauportal",)
    )
    assert route.retry == Retry(10.0, 1.5, 7200.0, 86400.0)
    assert (route.order_by_case, route.answer) == (True, "other-return")


def test_a_route_without_a_timetable_has_the_default_one(tmp_path: Path) -> None:
    route = good(tmp_path).routes[2]

    assert (route.retry, route.order_by_case, route.answer) == (Retry(), False, None)


def test_a_timetable_keeps_the_defaults_of_what_it_leaves_out(tmp_path: Path) -> None:
    text = GOOD.replace("{first: 10s, factor: 1.5, longest: 2h, give_up: 1d}", "{first: 10s}")

    assert good(tmp_path, text).routes[0].retry == Retry(first=10.0)


def test_keys_keep_their_leading_zero(tmp_path: Path) -> None:
    assert good(tmp_path).parties["wolfsburg"].ags == "03103000"


def test_a_party_has_its_keys_and_its_return_channel(tmp_path: Path) -> None:
    party = good(tmp_path).parties["bauportal"]

    assert (party.title, party.keys, party.answer) == (
        "Bauportal",
        ("bap:03000001",),
        "portal-return",
    )


def test_channel_values_have_the_types_of_their_fields(tmp_path: Path) -> None:
    channels = good(tmp_path).channels

    assert channels["wolfsburg-bau"].kind == "directory"
    assert channels["wolfsburg-bau"].values == {
        "out": tmp_path / "out/wolfsburg",
        "replies": None,
        "from": None,
        "tables": (),
        "mode": "quick",
        "test": False,
        "inflight": 4,
        "deadline": 300.0,
        "recipient": None,
        "maintenance": (),
    }
    assert channels["portal-return"].values["out"] == Path("/srv/return")
    assert channels["portal-return"].values["tables"] == ("A", "B")


@pytest.mark.parametrize(
    ("environ", "address"),
    [
        ({}, "https://procedure.example/"),
        ({"ADDRESS": ""}, "https://procedure.example/"),
        ({"ADDRESS": "https://other.example/"}, "https://other.example/"),
    ],
)
def test_a_variable_is_filled_in_or_has_its_default(
    tmp_path: Path, environ: dict[str, str], address: str
) -> None:
    table = load(write(tmp_path, GOOD), KNOWN, environ)

    assert table.channels["salzgitter-bau"].values["address"] == address


def test_a_value_from_the_environment_is_only_text(tmp_path: Path) -> None:
    environ = {"ADDRESS": "https://x.example/#a,_inflight:_99}"}
    table = load(write(tmp_path, GOOD), KNOWN, environ)

    assert table.channels["salzgitter-bau"].values["inflight"] == 2


def test_the_digest_is_over_the_file_before_variables_are_filled_in(tmp_path: Path) -> None:
    digests = [
        load(write(tmp_path, GOOD), KNOWN, {"ADDRESS": address}).digest
        for address in ("https://a.example/", "https://b.example/")
    ]

    assert digests == [hashlib.sha256(GOOD.encode()).hexdigest()] * 2


def test_a_good_file_has_no_warnings(tmp_path: Path) -> None:
    text = GOOD.replace("    answer: other-return\n", "").replace(
        "  other-return: {kind: directory, out: other}\n", ""
    )

    assert good(tmp_path, text).warnings == ()


def test_a_table_may_have_no_routes(tmp_path: Path) -> None:
    assert good(tmp_path, "parties:\nchannels:\nroutes: []\n").routes == ()


def test_a_secret_that_others_may_read_is_a_warning(tmp_path: Path) -> None:
    secret = tmp_path / "portal.token"
    secret.write_text("0" * 64)
    secret.chmod(0o644)
    text = GOOD.replace(
        "answer: portal-return}", "answer: portal-return, token_file: portal.token}"
    )
    warnings = good(tmp_path, text).warnings

    assert [w.partition(": ")[2] for w in warnings if "token_file" in w] == [
        'party "bauportal": others may read the file of "token_file", set its mode to 0600'
    ]


def test_a_secret_with_the_right_mode_is_no_warning(tmp_path: Path) -> None:
    secret = tmp_path / "portal.token"
    secret.write_text("0" * 64)
    secret.chmod(0o600)
    text = GOOD.replace(
        "answer: portal-return}", "answer: portal-return, token_file: portal.token}"
    )
    table = good(tmp_path, text)

    assert table.parties["bauportal"].token_file == secret
    assert not [warning for warning in table.warnings if "token_file" in warning]


def test_a_missing_file_is_a_finding(tmp_path: Path) -> None:
    file = tmp_path / "routes.yaml"
    with pytest.raises(ConfigError) as caught:
        load(file, KNOWN, {})

    assert [str(finding) for finding in caught.value.findings] == [
        f"{file}: cannot be read: no such file or directory"
    ]


def test_a_pipe_is_refused_without_waiting_for_it(tmp_path: Path) -> None:
    file = tmp_path / "routes.yaml"
    os.mkfifo(file)
    with pytest.raises(ConfigError) as caught:
        load(file, KNOWN, {})

    assert [str(finding) for finding in caught.value.findings] == [f"{file}: not a file"]


@pytest.mark.parametrize(
    ("data", "finding"),
    [
        (b"parties: {}\nroutes: \xe4", "2:9: not UTF-8, save the file as UTF-8"),
        ("routes: []".encode("utf-16"), "1:1: not UTF-8, save the file as UTF-8"),
        (b"routes: []\n\x1b[2J", "2:1: character U+001B is not allowed"),
        (b"routes: []\n" + b"#" * MAX_BYTES, "1:1: the file is larger than 32 MB"),
        (b"", "1:1: needs a mapping with parties, channels, routes"),
        (b"routes\n", "1:1: needs a mapping with parties, channels, routes"),
        (
            b"routes: [",
            "2:1: not YAML: did not find expected node content",
        ),
        (b"routes:\n\t- a", "2:1: not YAML: found character that cannot start any token"),
        (b"? *a\n: b\n", "1:3: aliases (*) are not allowed, write the text again"),
    ],
    ids=["latin", "utf-16", "control", "large", "empty", "text", "open", "tabulator", "alias-key"],
)
def test_what_is_no_table_at_all_is_one_finding(tmp_path: Path, data: bytes, finding: str) -> None:
    assert findings(tmp_path, data) == [finding]


def test_a_byte_order_mark_is_no_harm(tmp_path: Path) -> None:
    assert good(tmp_path, "\ufeff" + GOOD).routes == good(tmp_path).routes


def test_an_alias_bomb_is_refused_without_growing(tmp_path: Path) -> None:
    lines = ["a0: &a0 [x, x]"] + [f"a{i}: &a{i} [*a{i - 1}, *a{i - 1}]" for i in range(1, 40)]
    found = findings(tmp_path, "\n".join(lines))

    assert len([text for text in found if "aliases" in text]) == 78


def test_very_deep_nesting_is_refused(tmp_path: Path) -> None:
    assert findings(tmp_path, "[" * 100_000) == ["1:17: nested deeper than 16 levels"]


def test_a_broken_table_of_all_towns_lists_every_finding(tmp_path: Path) -> None:
    cities = ", ".join(f"town{i}" for i in range(2_000))
    found = findings(tmp_path, GOOD.replace("[wolfsburg, salzgitter]", f"[{cities}]"))

    assert len(found) == 2_000


def test_scalars_are_the_text_as_written() -> None:
    report = Report("routes.yaml")
    texts = ["03103000", "2.10", "no", "12:30", "~", "1_000", "0x1F", "2026-07-01", "null", ".inf"]
    root = read("".join(f"k{i}: {t}\n" for i, t in enumerate(texts)).encode(), report, {})

    assert isinstance(root, Block)
    assert [node.text for node in root.entries.values() if isinstance(node, Text)] == texts


@given(st.binary(max_size=300))
def test_no_bytes_break_the_reader(data: bytes) -> None:
    report = Report("routes.yaml")
    node = read(data, report, {})

    assert node is None or len(report) or node.line >= 1


@given(st.text(alphabet="ab:{}[]-,&*!|>'\"#%? \n$", max_size=60))
def test_any_text_is_a_table_or_a_config_error(text: str) -> None:
    report = Report("routes.yaml")
    read(text.encode(), report, {})
    with contextlib.suppress(ConfigError):
        report.settle()
        assert not len(report)


def test_the_schema_is_plain_json_and_names_every_field() -> None:
    text = json.dumps(schema(KNOWN.kinds))

    for name in ("token_file", "recipient", "give_up", "password_file", "inflight", "order", "for"):
        assert f'"{name}"' in text


def test_the_schema_demands_what_the_broker_demands() -> None:
    route = schema(KNOWN.kinds)["properties"]["routes"]["items"]

    assert route["required"] == ["name", "adapter", "channel", "match"]
    assert route["properties"]["match"]["required"] == ["recipient"]
    assert route["additionalProperties"] is False


def test_the_schema_knows_the_fields_of_each_kind_of_channel() -> None:
    channel = schema(KNOWN.kinds)["properties"]["channels"]["additionalProperties"]
    kinds = {rule["if"]["properties"]["kind"]["const"]: rule["then"] for rule in channel["allOf"]}

    assert sorted(kinds) == ["directory", "rest"]
    assert kinds["rest"]["required"] == ["address"]


def test_the_reference_has_a_row_for_every_field() -> None:
    page = reference(KNOWN.kinds)

    assert "| `first` | duration | `30s` | wait before the second attempt |" in page
    assert "### kind: directory" in page
    assert "| `mode` | `quick` or `safe` | `quick` | a \\| b |" in page
    assert "| `out` | path | **required** | folder for what is sent |" in page
