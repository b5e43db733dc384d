"""Nothing escapes the contract: every part the package has is in `parts.py`."""

from streamframe.formats.base import FileEncoding, FileFormat
from streamframe.plan.node import Node, Scan, Transform
from streamframe.plan.sink import Sink
from streamframe.plan.source import Source
from streamframe.transforms.rejects import Rejects
from tests.contract.parts import SINKS, SOURCES, TRANSFORMS


def kinds(base):
    """Return all classes of the package below `base` that can be made."""
    found = set()
    for kind in base.__subclasses__():
        found |= {kind} | kinds(kind)
    return {kind for kind in found if kind.__module__.startswith("streamframe.") and not kind.__abstractmethods__}


def test_every_node_has_a_line_in_the_contract():
    # Rejects makes nothing of the rows that come in.
    assert {kind.__name__ for kind in kinds(Node) - {Scan, Transform, Rejects}} == set(TRANSFORMS)


def test_every_format_has_a_source_in_the_contract():
    assert {kind.name for kind in kinds(FileFormat)} <= set(SOURCES)


def test_every_encoding_has_a_sink_in_the_contract():
    assert {kind.name for kind in kinds(FileEncoding)} == set(SINKS)


def test_the_kinds_of_source_and_sink_are_those_the_contract_was_written_for():
    assert {kind.__name__ for kind in kinds(Source)} == {"Files", "Batches", "Query"}
    # RejectsAsText hands all to a File.
    assert {kind.__name__ for kind in kinds(Sink)} == {"Delta", "Directory", "File", "RejectsAsText", "Table"}
