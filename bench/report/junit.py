"""A stored run as JUnit XML for a CI server: one testsuite a target, one testcase a requirement.

A missed requirement is a ``failure``; one that is undecided or not measured is an ``error``. Nothing is ever
``skipped``, because CI servers pass over what is skipped: a build fails exactly when the exit code is not 0.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from bench.report import evidence, values
from bench.report.rows import Row, rows, targets
from bench.report.text import clean
from bench.results import CaseResult, Outcome, StoredRun

NS_PER_S = 1_000_000_000
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_KIND = {Outcome.MISSED: "failure", Outcome.UNDECIDED: "error", Outcome.NOT_MEASURED: "error"}


def render(run: StoredRun) -> str:
    """The XML document, with its declaration."""
    every = rows(run)
    root = Element(
        "testsuites", {"name": _xml(f"{run.info.model} {run.info.model_version}"), **_totals(every, run.cases)}
    )
    for target in targets(run):
        _suite(root, run, target, [row for row in every if row.target == target])
    if not every:
        _nothing_required(root)
    indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + tostring(root, encoding="unicode") + "\n"


def _nothing_required(root: Element) -> None:
    """A run that judged nothing has an exit code other than 0, so a CI server must see an error."""
    for counted in (root, SubElement(root, "testsuite", name="benchpact", failures="0", skipped="0", time="0")):
        counted.set("tests", "1")
        counted.set("errors", "1")
    case = SubElement(counted, "testcase", classname="benchpact", name="requirements", time="0")
    SubElement(case, "error", type="not measured", message="nothing was required, so nothing is shown")


def _suite(root: Element, run: StoredRun, target: str, own: Sequence[Row]) -> None:
    cases = [case for case in run.cases if case.target == target]
    suite = SubElement(root, "testsuite", {"name": _xml(target), **_totals(own, cases)})
    if run.info.started:
        suite.set("timestamp", _xml(run.info.started.removesuffix("Z").partition("+")[0]))
    properties = SubElement(suite, "properties")
    SubElement(properties, "property", name="run", value=_xml(run.info.run))
    for notice in run.info.notices:
        SubElement(properties, "property", name="notice", value=_xml(clean(notice)))
    for case in cases:
        SubElement(properties, "property", name=_xml(f"{case.scenario} ran"), value=_xml(evidence.ran([case])))
        SubElement(properties, "property", name=_xml(f"{case.scenario} how"), value=_xml(evidence.how(case)))
    for row in own:
        _case(suite, row)
    told = [line for case in cases for one in evidence.warnings(case) for line in (one.text, *one.lines)]
    if told:
        SubElement(suite, "system-err").text = _xml("\n".join(clean(line) for line in told))


def _case(suite: Element, row: Row) -> None:
    verdict = row.verdict
    classname = ".".join(part for part in (row.target, verdict.block) if part)
    case = SubElement(suite, "testcase", classname=_xml(classname), name=_xml(verdict.requirement), time="0")
    found = f"{values.measured(verdict.figure)} against {values.limit(verdict)}"
    kind = _KIND.get(verdict.outcome)
    if kind is None:
        SubElement(case, "system-out").text = _xml(f"{found}\n{verdict.reason}" if verdict.caveat else found)
        return
    reason = verdict.reason or verdict.figure.why_not or verdict.outcome.value
    SubElement(case, kind, type=verdict.outcome.value, message=_xml(f"{verdict.outcome.value}: {reason}")).text = _xml(
        found
    )


def _totals(own: Sequence[Row], cases: Sequence[CaseResult]) -> dict[str, str]:
    kinds = Counter(_KIND.get(row.verdict.outcome) for row in own)
    seconds = sum(case.duration_ns for case in cases) / NS_PER_S
    return {
        "tests": str(len(own)),
        "failures": str(kinds["failure"]),
        "errors": str(kinds["error"]),
        "skipped": "0",
        "time": f"{seconds:.3f}",
    }


def _xml(text: str) -> str:
    """``text`` without escapes, control characters and what XML 1.0 cannot hold; line ends stay."""
    return "\n".join(_NOT_XML.sub("", clean(line)) for line in text.split("\n"))
