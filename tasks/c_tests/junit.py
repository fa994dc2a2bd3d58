"""What became of tests as JUnit XML, which CI systems read: a suite for each program, a case for each test."""

import re
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from xml.etree import ElementTree

from tasks.c_tests.verify import Verified

_UNFIT = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def write_junit(path: Path, results: Sequence[Verified]) -> None:
    """Write the file, whole or not at all."""
    root = ElementTree.Element("testsuites", _counts("generated tests", results))
    for name, found in groupby(results, key=lambda each: each.path):
        mine = list(found)
        suite = ElementTree.SubElement(root, "testsuite", _counts(name, mine))
        for each in mine:
            about = {"classname": _fit(name), "name": f"test {each.number}", "time": f"{each.seconds:.6f}"}
            case = ElementTree.SubElement(suite, "testcase", about)
            if each.outcome != "passed":
                kind = "failure" if each.outcome == "failed" else "error"
                said = ElementTree.SubElement(case, kind, {"message": _fit(each.reason)})
                said.text = _fit(each.detail)
    ElementTree.indent(root)
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.part")
    ElementTree.ElementTree(root).write(part, encoding="utf-8", xml_declaration=True)
    part.replace(path)


def _counts(name: str, results: Sequence[Verified]) -> dict[str, str]:
    return {
        "name": _fit(name),
        "tests": str(len(results)),
        "failures": str(sum(each.outcome == "failed" for each in results)),
        "errors": str(sum(each.outcome == "error" for each in results)),
        "time": f"{sum(each.seconds for each in results):.6f}",
    }


def _fit(text: str) -> str:
    """The text without what XML cannot hold."""
    return _UNFIT.sub("�", text)
