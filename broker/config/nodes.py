"""What a YAML file is made of here: texts, lists and mappings, each with its place."""

from __future__ import annotations

from typing import NamedTuple


class Text(NamedTuple):
    """A scalar, exactly as written; `filled` where a part of it came from the environment."""

    text: str
    line: int
    column: int
    filled: bool = False

    @property
    def shown(self) -> str:
        """The text for a finding, without what came from the environment: that may be a secret."""
        return "from the environment" if self.filled else f'"{self.text}"'


class Items(NamedTuple):
    """A list. None stands for a node that was refused and is reported already."""

    items: list[Node | None]
    line: int
    column: int


class Block(NamedTuple):
    """A mapping: values and the places of their keys, both by the key's text."""

    entries: dict[str, Node | None]
    keys: dict[str, Text]
    line: int
    column: int


Node = Text | Items | Block


def texts(node: Node | None) -> list[Text]:
    """Return the texts of a field that is a text or a list of texts, without empty ones."""
    nodes = node.items if isinstance(node, Items) else [node]
    return [text for text in nodes if isinstance(text, Text) and text.text]
