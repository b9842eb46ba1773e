"""Code lists of our own for tests: invented codes, in the forms that official lists have."""

from __future__ import annotations

from pathlib import Path

from broker.xoev.codelists import CodeLists

COLOURS = "urn:example:codeliste:farben"
MARK = '<Annotation><AppInfo><x:recommendedKeyColumn xmlns:x="urn:x"/></AppInfo></Annotation>'


def key(column: str, mark: str = "") -> str:
    return f'<Key Id="{column}Key">{mark}<ShortName>k</ShortName><ColumnRef Ref="{column}"/></Key>'


def row(*values: str) -> str:
    cells = (
        f'<Value ColumnRef="{name}"><SimpleValue>{value}</SimpleValue></Value>'
        for name, value in zip(("code", "name"), values, strict=False)
    )
    return f"<Row>{''.join(cells)}</Row>"


def genericode(
    uri: str = COLOURS,
    version: str = "1.0",
    keys: str = key("code"),
    rows: str = row("rot", "Rot") + row("blau", "Blau"),
) -> str:
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        '<gc:CodeList xmlns:gc="http://docs.oasis-open.org/codelist/ns/genericode/1.0/">'
        '<Annotation><Description><x:validFrom xmlns:x="urn:x">2026-05-01</x:validFrom>'
        "</Description></Annotation><Identification><ShortName>farben</ShortName>"
        f"<LongName>Farben</LongName><Version>{version}</Version>"
        f"<CanonicalUri>{uri}</CanonicalUri>"
        f"<CanonicalVersionUri>{uri}_{version}</CanonicalVersionUri></Identification>"
        f'<ColumnSet><Column Id="code" Use="required"/><Column Id="name" Use="optional"/>{keys}'
        f"</ColumnSet><SimpleCodeList>{rows}</SimpleCodeList></gc:CodeList>"
    )


def written(folder: Path, text: str = genericode(), name: str = "farben_1.0.xml") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def lists(folder: Path, *versions: str) -> CodeLists:
    for version in versions or ("1.0",):
        written(folder, genericode(version=version), f"farben_{version}.xml")
    return CodeLists.of(folder)
