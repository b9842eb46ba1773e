"""Settings from the environment."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from broker.errors import ConfigError
from broker.settings import FIELDS, Settings, reference, variable


def findings(**environ: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        Settings.load({variable(name): value for name, value in environ.items()})
    return [str(finding) for finding in caught.value.findings]


def test_a_fresh_checkout_needs_no_settings() -> None:
    assert Settings.load({}) == Settings(
        routes=Path("routes.yaml"),
        adapters=(Path("adapters"),),
        schemas=Path("schemas/xoev"),
        state=Path("var"),
        store="sqlite:///var/broker.sqlite",
        store_file=None,
        queue="",
        queue_file=None,
        queue_ca=None,
        queue_name="xoev-broker",
        site_key=Path("var/site.key"),
        origin="xoev-broker",
        journal_key=Path("var/journal.key"),
        seal_entries=1000,
        seal_seconds=60.0,
        seal_limit=4 * 3600.0,
        checkpoint_file=Path("var/checkpoints"),
        checkpoint_places=(),
        checkpoint_syslog="",
        timestamp_url="",
        timestamp_ca=None,
        timestamp_seconds=3600.0,
        listen="127.0.0.1:8017",
        listen_certificate=None,
        listen_key=None,
        listen_client_ca=None,
        listen_plain="refused",
        staff_file=None,
        security_txt=None,
        max_message=64 * 1024 * 1024,
        xml_threads=0,
        senders=32,
        batch=200,
        site_key_command="",
        site_key_write_command="",
        encryption="on",
        retention_payload=90 * 86400.0,
        retention_metadata=365 * 86400.0,
        retention_standards="",
        ending_weeks=8,
        repository="https://www.xrepository.de/api/xrepository/",
        held_limit=30 * 86400.0,
        zone="Europe/Berlin",
        poll=1.0,
        lease=60.0,
        renew_memory=1500 * 1024 * 1024,
        drain=20.0,
        log_level="info",
        log_format="json",
        telemetry_url="",
        disk_stop=500 * 1024 * 1024,
        disk_warn=2 * 1024**3,
        depth=100_000,
        store_silence=30.0,
        alert_command="",
        alert_mail="",
        alert_mail_from="xoev-broker@localhost",
        alert_mail_server="smtp://localhost:25",
        alert_mail_password_file=None,
        alert_webhook="",
        alert_webhook_key_file=None,
        alert_ca=None,
        alert_waiting=3600.0,
        alert_disturbed=900.0,
        alert_ending=30 * 86400.0,
        alert_over=300.0,
        alert_repeat=0.0,
    )


def test_every_field_is_a_setting() -> None:
    assert [field.name for field in FIELDS] == list(Settings.__slots__)


def test_other_variables_are_left_alone() -> None:
    assert Settings.load({"PATH": "/bin", "XOEV": "x"}) == Settings.load({})


def test_the_store_and_the_key_lie_in_the_state_folder() -> None:
    settings = Settings.load({"XOEV_BROKER_STATE": "/srv/broker"})

    assert settings.store == "sqlite:////srv/broker/broker.sqlite"
    assert settings.site_key == Path("/srv/broker/site.key")


def test_several_folders_hold_adapters() -> None:
    settings = Settings.load(
        {"XOEV_BROKER_ADAPTERS": os.pathsep.join(["adapters", "/srv/private"])}
    )

    assert settings.adapters == (Path("adapters"), Path("/srv/private"))


def test_an_empty_address_turns_http_off() -> None:
    assert Settings.load({"XOEV_BROKER_LISTEN": ""}).address is None


@pytest.mark.parametrize(
    ("listen", "address"),
    [
        ("127.0.0.1:8017", ("127.0.0.1", 8017)),
        ("[::1]:0", ("::1", 0)),
        ("localhost:80", ("localhost", 80)),
    ],
)
def test_the_address_is_host_and_port(listen: str, address: tuple[str, int]) -> None:
    assert Settings.load({"XOEV_BROKER_LISTEN": listen}).address == address


@pytest.mark.parametrize("listen", ["8017", "localhost", "localhost:70000", "::1:80", "a b:80"])
def test_an_address_without_a_port_is_a_finding(listen: str) -> None:
    assert findings(listen=listen) == [
        f'XOEV_BROKER_LISTEN: is "{listen}", needed is an address with a port such as'
        " 127.0.0.1:8017"
    ]


def test_threads_are_as_set() -> None:
    assert Settings.load({"XOEV_BROKER_XML_THREADS": "3"}).threads == 3


def test_threads_follow_the_cores() -> None:
    assert Settings.load({}).threads == len(os.sched_getaffinity(0))


def test_all_findings_come_at_once() -> None:
    assert findings(batch="many", poll="soon", senders="0", log_level="inof", btach="1") == [
        'XOEV_BROKER_BTACH: unknown setting, did you mean "XOEV_BROKER_BATCH"?',
        'XOEV_BROKER_BATCH: is "many", needed is a whole number',
        'XOEV_BROKER_POLL: is "soon", needed is a duration such as 30s, 5m, 1h or 3d',
        'XOEV_BROKER_LOG_LEVEL: is "inof", needed is one of debug, info, warning, error,'
        ' did you mean "info"?',
        "XOEV_BROKER_SENDERS: must be at least 1",
    ]


def test_sizes_have_a_unit_or_are_bytes() -> None:
    sizes = [
        Settings.load({"XOEV_BROKER_MAX_MESSAGE": text}).max_message
        for text in ("2 GB", "2MB", "4 KB", "5000")
    ]

    assert sizes == [2 << 30, 2 << 20, 4096, 5000]


def test_a_size_without_a_number_is_a_finding() -> None:
    assert findings(max_message="large") == [
        'XOEV_BROKER_MAX_MESSAGE: is "large", needed is a size such as 64 MB'
    ]


def test_a_name_of_queues_that_cannot_be_typed_is_a_finding() -> None:
    assert findings(queue_name="a b") == [
        "XOEV_BROKER_QUEUE_NAME: needed are letters, digits and . _ -, at most 100"
    ]


def test_an_empty_setting_is_a_finding() -> None:
    assert findings(batch="") == ["XOEV_BROKER_BATCH: is empty, unset it to get the default"]


def test_a_time_zone_is_one_that_exists() -> None:
    assert Settings.load({variable("zone"): "Europe/Vienna"}).zone == "Europe/Vienna"
    assert findings(zone="Europe/Berln") == [
        'XOEV_BROKER_ZONE: is "Europe/Berln", needed is a time zone such as '
        'Europe/Berlin, did you mean "Europe/Berlin"?'
    ]


def test_the_store_url_can_come_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "store.url"
    file.write_text("postgresql+psycopg://broker:geheim@localhost/broker\n")
    settings = Settings.load({"XOEV_BROKER_STORE_FILE": str(file)})

    assert settings.database() == "postgresql+psycopg://broker:geheim@localhost/broker"


def test_without_a_file_the_store_url_is_as_set() -> None:
    assert Settings.load({}).database() == "sqlite:///var/broker.sqlite"


def test_a_missing_store_file_is_an_error_without_its_content(tmp_path: Path) -> None:
    settings = Settings.load({"XOEV_BROKER_STORE_FILE": str(tmp_path / "gone")})
    with pytest.raises(ConfigError) as caught:
        settings.database()

    assert str(caught.value) == "XOEV_BROKER_STORE_FILE: the file cannot be read, check the path"


def test_two_places_for_the_store_url_are_one_too_many() -> None:
    assert findings(store="sqlite:///a", store_file="b") == [
        "XOEV_BROKER_STORE_FILE: cannot be set together with XOEV_BROKER_STORE"
    ]


def test_the_reference_has_a_row_for_every_setting() -> None:
    page = reference()

    for field in FIELDS:
        assert f"| `{variable(field.name)}` | {field.help} |" in page
    assert "| `XOEV_BROKER_BATCH` | how many messages" in page
    assert "number | `200` |" in page


@pytest.mark.parametrize("address", ["0.0.0.0:8017", "[::]:8017", "10.1.2.3:8017", "broker:8017"])
def test_nobody_else_reaches_it_without_tls_unless_that_is_said(address: str) -> None:
    (found,) = findings(listen=address)

    assert f'is "{address}", which others can reach without TLS' in found
    assert "XOEV_BROKER_LISTEN_PLAIN=allowed" in found
    Settings.load({"XOEV_BROKER_LISTEN": address, "XOEV_BROKER_LISTEN_PLAIN": "allowed"})


@pytest.mark.parametrize("address", ["127.0.0.1:1", "127.8.8.8:1", "[::1]:1", "localhost:1"])
def test_this_machine_needs_no_tls(address: str) -> None:
    assert Settings.load({"XOEV_BROKER_LISTEN": address}).listen == address


def test_certificate_and_key_belong_together() -> None:
    assert "XOEV_BROKER_LISTEN_KEY: is missing" in findings(listen_certificate="a.pem")[0]
    assert "XOEV_BROKER_LISTEN_CERTIFICATE: is missing" in findings(listen_key="a.key")[0]
    assert "over TLS only" in findings(listen_client_ca="ca.pem")[0]


def test_with_a_certificate_it_may_listen_anywhere() -> None:
    found = Settings.load(
        {
            "XOEV_BROKER_LISTEN": "0.0.0.0:443",
            "XOEV_BROKER_LISTEN_CERTIFICATE": "a.pem",
            "XOEV_BROKER_LISTEN_KEY": "a.key",
        }
    )

    assert found.listen_certificate == Path("a.pem")


@pytest.mark.parametrize(
    ("text", "room"), [("1 GB", 1 << 30), ("5%", 0.05), ("2.5 %", 0.025), ("0", 0)]
)
def test_room_on_a_disk_is_a_size_or_a_share(text: str, room: float) -> None:
    assert Settings.load({"XOEV_BROKER_DISK_STOP": text}).disk_stop == room


def test_room_that_is_neither_is_a_finding() -> None:
    assert findings(disk_stop="much") == [
        'XOEV_BROKER_DISK_STOP: is "much", needed is a size such as 500 MB, or a share such as 5%'
    ]


_ADDRESSES = ("timestamp_url", "repository", "telemetry_url", "alert_webhook")


@pytest.mark.parametrize("name", _ADDRESSES)
@pytest.mark.parametrize(
    "url",
    ["ftp://amt.example/x", "file:///etc/passwd", "https://", "https:amt.example", "amt.example"],
)
def test_an_address_is_one_over_http_or_https(name: str, url: str) -> None:
    assert findings(**{name: url}) == [
        f'{variable(name)}: is "{url}", needed is a URL such as https://host/path, over https or'
        " http"
    ]


@pytest.mark.parametrize("name", _ADDRESSES)
@pytest.mark.parametrize("login", ["erika:geheim", "erika", ":geheim"])
def test_a_login_in_an_address_is_refused_and_not_repeated(name: str, login: str) -> None:
    (said,) = findings(**{name: f"https://{login}@amt.example/x"})

    assert said.startswith(f"{variable(name)}: cannot be used, needed is a URL without user and")
    assert "erika" not in said
    assert "geheim" not in said


def test_an_address_that_is_wrong_otherwise_does_not_show_its_login_either() -> None:
    (said,) = findings(alert_mail_server="smtp erika:geheim@mail.example")

    assert said.startswith("XOEV_BROKER_ALERT_MAIL_SERVER: cannot be used, needed is a URL")
