"""The routing table: which envelope goes where, and why not."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.channels.channel import Declared
from broker.config.model import Match, Party, Route, Table
from broker.errors import ConfigError, NoRoute, SenderNotAllowed
from broker.message import Authority, Envelope
from broker.routes import SHOWN, RoutingTable

WOLFSBURG = "bab:03103000"
ENVELOPE = Envelope(
    standard="xbau",
    version="2.6",
    kind="baugenehmigung.antrag.0200",
    namespace="http://www.xleitstelle.de/xbau/2/6",
    sender=Authority("bap:03000001"),
    recipient=Authority(WOLFSBURG),
)
PARTIES = {
    "bauportal": Party("bauportal", keys=("bap:03000001",), answer="portal-return"),
    "other": Party("other", keys=("bap:03000002",)),
}
CHANNELS = {name: Declared(name, "directory") for name in ("wolfsburg-bau", "portal-return")}


def route(name: str, line: int = 1, answer: str | None = None, **match: object) -> Route:
    wanted = replace(Match(recipient=WOLFSBURG), **match)  # type: ignore[arg-type]
    return Route(name, name, wanted, "wolfsburg/bau", "wolfsburg-bau", answer=answer, line=line)


def table(*routes: Route) -> RoutingTable:
    return RoutingTable(Table(PARTIES, CHANNELS, routes, "", Path("routes.yaml")))


BAU = route(
    "bau",
    standard="xbau",
    versions=("2.6",),
    kinds=("baugenehmigung.antrag.0200",),
    senders=("bauportal",),
)


def test_a_message_finds_its_route() -> None:
    assert table(route("x", recipient="bab:03101000"), BAU).match(ENVELOPE, "bauportal") is BAU


@pytest.mark.parametrize(
    "change",
    [
        {"standard": "xmeld"},
        {"version": "2.5"},
        {"kind": "baugenehmigung.bescheid.0205"},
        {"recipient": Authority("bab:03102000")},
        {"recipient": Authority("")},
    ],
    ids=["standard", "version", "kind", "recipient", "no-recipient"],
)
def test_what_differs_in_one_criterion_has_no_route(change: dict[str, object]) -> None:
    other = replace(ENVELOPE, **change)  # type: ignore[arg-type]

    assert table(BAU).match(other, "bauportal") is None


def test_a_criterion_that_is_not_given_takes_anything() -> None:
    anything = route("anything")

    assert table(anything).match(replace(ENVELOPE, standard="", version=""), "x") is anything


def test_alternatives_are_all_taken() -> None:
    both = route("both", versions=("2.5", "2.6"), kinds=("a.0100", "baugenehmigung.antrag.0200"))

    assert table(both).match(replace(ENVELOPE, version="2.5"), "x") is both


def test_the_first_match_wins_when_the_special_one_comes_first() -> None:
    assert table(BAU, route("all")).match(ENVELOPE, "bauportal") is BAU


def test_the_first_match_wins_when_the_general_one_comes_first() -> None:
    general = route("all")

    assert table(general, BAU).match(ENVELOPE, "bauportal") is general


def test_a_route_of_another_party_is_passed_over() -> None:
    general = route("all")

    assert table(BAU, general).match(ENVELOPE, "other") is general


VALUES = st.sampled_from(["", "a", "b"])
SETS = st.lists(st.sampled_from(["a", "b"]), max_size=2, unique=True).map(tuple)
MATCHES = st.builds(Match, VALUES, SETS, SETS, st.sampled_from(["r", "s"]), SETS)


def simply(routes: list[Route], envelope: Envelope, party: str) -> Route | None:
    """Find the first match by trying one route after the other."""
    for one in routes:
        match = one.match
        pairs = (
            ((match.standard,) if match.standard else (), envelope.standard),
            (match.versions, envelope.version),
            (match.kinds, envelope.kind),
            (match.senders, party),
            ((match.recipient,), envelope.recipient.key),
        )
        if all(not values or actual in values for values, actual in pairs):
            return one
    return None


@given(
    st.lists(MATCHES, max_size=8),
    st.tuples(*[st.sampled_from("abc")] * 4),
    st.sampled_from(["r", "s", "t"]),
)
def test_the_index_finds_what_trying_one_after_the_other_finds(
    matches: list[Match], values: tuple[str, ...], recipient: str
) -> None:
    standard, version, kind, party = values
    routes = [Route(str(i), str(i), match, "a", "c") for i, match in enumerate(matches)]
    envelope = Envelope(standard, version, kind, "", Authority("x"), Authority(recipient))

    assert table(*routes).match(envelope, party) is simply(routes, envelope, party)


def test_judging_returns_the_route() -> None:
    assert table(BAU).judge(ENVELOPE, "bauportal") is BAU


def test_an_unknown_recipient_is_not_served() -> None:
    with pytest.raises(NoRoute) as caught:
        table(BAU).judge(replace(ENVELOPE, recipient=Authority("bab:03101000")), "bauportal")

    assert str(caught.value) == "no route for recipient bab:03101000: not served here"
    assert caught.value.reason == "T080"


def test_a_kind_that_no_route_takes_is_named() -> None:
    with pytest.raises(NoRoute) as caught:
        table(BAU).judge(replace(ENVELOPE, kind="baugenehmigung.bescheid.0205"), "bauportal")

    assert str(caught.value) == (
        f"no route for recipient {WOLFSBURG} takes baugenehmigung.bescheid.0205 of xbau/2.6"
    )


def test_a_recipient_that_is_no_key_is_not_repeated() -> None:
    with pytest.raises(NoRoute) as caught:
        table(BAU).judge(replace(ENVELOPE, recipient=Authority("Erika Musterfrau")), "bauportal")

    assert str(caught.value) == "no route for this recipient: not served here"


def test_a_party_that_may_not_use_the_route_is_told_so() -> None:
    with pytest.raises(SenderNotAllowed) as caught:
        table(BAU).judge(ENVELOPE, "other")

    assert str(caught.value) == 'route "bau" is not open to party "other"'
    assert caught.value.reason == "T070"


def test_the_explanation_starts_with_the_route_that_is_taken() -> None:
    near = route("near", line=7, standard="xbau", versions=("2.5",))
    found = table(near, BAU, route("all", line=9)).explain(ENVELOPE, "bauportal")

    assert [(one.name, reason) for one, reason in found] == [
        ("bau", ""),
        ("all", '"bau" in line 1 comes first'),
        ("near", "takes only version 2.5"),
    ]


def test_the_explanation_names_everything_that_does_not_fit() -> None:
    other = replace(ENVELOPE, standard="xmeld", version="1", kind="k", recipient=Authority("ags:1"))
    ((_, reason),) = table(BAU).explain(other, "other")

    assert reason == (
        f"takes only recipient {WOLFSBURG}, standard xbau, kind baugenehmigung.antrag.0200, "
        "version 2.6, sender bauportal"
    )


def test_the_explanation_is_bounded() -> None:
    routes = [route(f"r{i}", recipient=f"bab:{i}") for i in range(SHOWN * 2)]

    assert len(table(*routes).explain(ENVELOPE, "x")) == SHOWN


def test_a_key_belongs_to_its_party() -> None:
    routing = table(BAU)

    assert routing.party_of_key("bap:03000001") == PARTIES["bauportal"]
    assert routing.owns("bauportal", "bap:03000001")
    assert not routing.owns("other", "bap:03000001")
    assert not routing.owns("other", "bap:unknown")


def test_names_are_looked_up() -> None:
    routing = table(BAU)

    assert routing.route("bau") is BAU
    assert routing.route("gone") is None
    assert routing.party("bauportal") == PARTIES["bauportal"]
    assert routing.channel("portal-return") == CHANNELS["portal-return"]


def test_an_unknown_channel_has_a_suggestion() -> None:
    with pytest.raises(ConfigError) as caught:
        table(BAU).channel("portal-retrun")

    expected = 'routes.yaml: no channel "portal-retrun", did you mean "portal-return"?'
    assert str(caught.value) == expected


def test_answers_go_over_the_return_channel_of_the_party() -> None:
    assert table(BAU).answers(BAU, "bauportal") == "portal-return"


def test_the_return_channel_of_the_route_comes_first() -> None:
    assert table().answers(route("x", answer="special"), "bauportal") == "special"


def test_without_a_route_the_party_still_gets_its_answer() -> None:
    assert table().answers(None, "bauportal") == "portal-return"


def test_an_unknown_party_has_no_return_channel() -> None:
    assert table().answers(None, "nobody") is None
