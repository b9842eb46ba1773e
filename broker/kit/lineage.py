"""Where every value of a sample goes: each is replaced in turn, and the outputs are compared.

A value that changes the output *reaches* it; one that makes fields come and go *steers* it; one
that changes nothing is lost.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence

from lxml import etree

from broker import samples
from broker.adapter import Adapter
from broker.catalog import Catalog
from broker.document import Document, split
from broker.errors import BrokerError
from broker.kit import leaves
from broker.kit.experiment import BACK, FORTH, Experiment, Setup, Trace, steps
from broker.kit.leaves import Leaf
from broker.message import Facts
from broker.samples import Sample
from broker.step import Chain, Step
from broker.xoev.standards import Standards

#: Heads are read by the broker: routes, journal and answers come from there.
_HEADS = ("nachrichtenkopf.g2g", "nachrichtenkopf", "Kopf")


def traces(catalog: Catalog, name: str, standards: Standards) -> tuple[Trace, ...]:
    """Trace all samples of an adapter both ways; those that are refused on purpose give nothing."""
    adapter = catalog.get(name)
    known: dict[str, set[str]] = {}
    made = [
        experiment
        for sample in samples.find(catalog, name)
        for experiment in _experiments(adapter, sample, standards)
    ]
    for experiment in made:
        for leaf in experiment.setup.leaves:
            known.setdefault(f"{experiment.setup.direction} {leaf.path}", set()).add(leaf.value)
    return tuple(experiment.run(known) for experiment in made)


def _experiments(adapter: Adapter, sample: Sample, standards: Standards) -> Iterator[Experiment]:
    """Yield the conversions of a sample that succeed."""
    request = standards.parse((sample.folder / "1-request.xoev.xml").read_bytes())
    envelope = standards.envelope(request)
    out = forth(adapter, sample, request, standards)
    if out.baseline is not None:
        yield out
    for file in sorted(sample.folder.glob("3-reply.legacy.*")):
        for reply in _replies(adapter, file.read_bytes()):
            facts = samples.reply_facts(envelope, request.raw, reply)
            back = _back(adapter, sample, reply, facts)
            if back is not None and back.baseline is not None:
                yield back


def _replies(adapter: Adapter, batch: bytes) -> tuple[bytes, ...]:
    """Return the replies of a file; a sample may hold one that is refused on purpose."""
    try:
        return adapter.replies(batch)
    except BrokerError:
        return ()


def forth(
    adapter: Adapter,
    sample: Sample,
    request: Document,
    standards: Standards,
    found: Sequence[Leaf] | None = None,
) -> Experiment:
    """Return the conversion of a request that can be repeated; default: with all its values."""
    envelope = standards.envelope(request)
    head = str(request.root[0].tag).rpartition("}")[2] if len(request.root) else ""

    def kept(leaf: Leaf) -> bool:
        first = leaf.path.partition("/")[0].rpartition(":")[2]
        if first.startswith("@") or (head in _HEADS and first == head):
            return True
        try:
            return standards.envelope(request) != envelope
        except BrokerError:
            return True

    return Experiment(Setup(
        adapter, sample.folder.name, FORTH, request.kind,
        tuple(leaves.of_tree(request.root, adapter.prefixes)) if found is None else tuple(found),
        lambda facts: adapter.to_legacy(_as_is(adapter, request), facts),
        samples.facts(envelope), kept,
    ))  # fmt: skip


def _as_is(adapter: Adapter, request: Document) -> Document:
    """Return the request with bytes that say what its tree says, for a method that reads them."""
    if steps(adapter, FORTH):
        return request
    return Document(etree.tostring(request.root, encoding="UTF-8"), request.root)


def _back(adapter: Adapter, sample: Sample, reply: bytes, facts: Facts) -> Experiment | None:
    """Return the conversion of a reply; None where it cannot be read."""
    try:
        kind, found, convert = _reply(adapter, reply)
    except BrokerError:
        return None

    def kept(leaf: Leaf) -> bool:
        return leaf.path.rpartition("/")[2].rpartition(":")[2] in (
            adapter.reference,
            adapter.number,
        )

    name = sample.folder.name
    return Experiment(Setup(adapter, name, BACK, kind, tuple(found), convert, facts, kept))


def _reply(adapter: Adapter, reply: bytes) -> tuple[str, list[Leaf], Callable[[Facts], bytes]]:
    """Return kind and leaves of a reply, and how to convert what they were made into."""
    way = steps(adapter, BACK)
    if way:
        root = way[0].read(reply)
        reads = type(way[0]).read is not Step.read
        rest = Chain(*way[1:]) if reads and len(way) > 1 else Chain(*way)
        document = Document(reply, root)
        return document.kind, list(leaves.of_tree(root, {})), lambda facts: rest(document, facts)
    if reply.lstrip()[:1] in (b"{", b"["):
        value = json.loads(reply)
        found = list(leaves.of_json(value))
        return "", found, lambda facts: adapter.to_xoev(json.dumps(value).encode(), facts)
    try:
        root = etree.fromstring(reply, etree.XMLParser(resolve_entities=False, no_network=True))
    except etree.XMLSyntaxError:
        return "", [], lambda facts: adapter.to_xoev(reply, facts)
    found = list(leaves.of_tree(root, {}))
    return (
        split(str(root.tag))[1],
        found,
        lambda facts: adapter.to_xoev(etree.tostring(root), facts),
    )
