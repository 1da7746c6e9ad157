"""The properties of a test in pytest's JUnit XML."""

from __future__ import annotations

from xml.etree import ElementTree

from _pytest.junitxml import bin_xml_escape
from hypothesis import given
from hypothesis import strategies as st
from sample_results import result

from pytest_gradcheck.records.buffer import ResultBuffer
from pytest_gradcheck.reports.junit import properties


@given(st.text(st.characters()), st.text(st.characters()))
def test_no_name_breaks_the_xml(one: str, other: str) -> None:
    recorder = ResultBuffer()
    for name in (one, other):
        recorder.add("t.py::a", result("fail", name=name))
    records = recorder.drain()
    case = ElementTree.Element("testcase")
    for name, value in properties(records):
        # As pytest's own report does it.
        case.append(ElementTree.Element("property", name=str(name), value=bin_xml_escape(value)))
    found = ElementTree.fromstring(ElementTree.tostring(case, encoding="utf-8"))
    assert len(found) == sum(4 + (record["culprit"] is not None) for record in records)
