"""Where rows come from (files, folders, the release of APPS, the hub), and problems that are made late."""

import gc
import gzip
import hashlib
import json
import os
import subprocess
import sys
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import datasets  # type: ignore[import-untyped]
import pyarrow  # type: ignore[import-untyped]
import pyarrow.parquet  # type: ignore[import-untyped]
import pytest

from tasks.datasets.load import Dataset, DatasetError, load
from tasks.datasets.reading.hub import Reference, reference_of
from tasks.datasets.reading.problems import Problems
from tasks.records import Problem
from tasks.solving import Options, chosen
from tests.datasets.given import ROW, outcome, told, written
from tests.datasets.hub import hub_at
from tests.processes import CHECKOUT

SECOND = {**ROW, "task_id": "second"}
ROWS = [ROW, SECOND, {**ROW, "task_id": "third"}]
ECHO: dict[str, Any] = {
    "name": "1_A. Echo",
    "description": "Print it.",
    "public_tests": {"input": ["1\n"], "output": ["1\n"]},
    "private_tests": {"input": ["7\n", "8\n"], "output": ["7\n", "8\n"]},
    "time_limit": {"seconds": 2, "nanos": 0},
}


def ids(dataset: Dataset) -> list[str]:
    return [problem.id for problem in dataset.problems]


def parquet(path: Path, rows: list[dict[str, Any]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), path)


# Files

FILES: dict[str, Callable[[Path], object]] = {
    "mine.jsonl": lambda path: path.write_text("\n".join(map(json.dumps, ROWS))),
    "mine.jsonl.gz": lambda path: path.write_bytes(gzip.compress("\n".join(map(json.dumps, ROWS)).encode())),
    "mine.json": lambda path: path.write_text(json.dumps(ROWS, indent=2)),
    "mine.parquet": lambda path: parquet(path, ROWS),
    "mine.txt": lambda path: path.write_text("\n".join(map(json.dumps, ROWS))),
}


@pytest.mark.parametrize("name", FILES)
def test_a_file_of_every_kind(tmp_path: Path, name: str):
    FILES[name](tmp_path / name)
    dataset, lines = load(str(tmp_path / name)), load(str(written(tmp_path, *ROWS, name="lines.jsonl")))
    assert (dataset.name, dataset.path) == ("mine", tmp_path / name)
    assert dataset.hash == hashlib.sha256((tmp_path / name).read_bytes()).hexdigest()
    assert list(dataset.problems) == list(lines.problems)
    for at in (2, 0, -1, 1):
        assert dataset.problems[at] == lines.problems[at]


@pytest.mark.parametrize(
    "content",
    [
        {"data": ROWS},
        {"rows": ROWS, "features": []},
        {"rows": [{"row_idx": number, "row": row} for number, row in enumerate(ROWS)]},
        {row["task_id"]: row for row in ROWS},
        {row["task_id"]: {key: row[key] for key in row if key != "task_id"} for row in ROWS},
    ],
    ids=["data", "rows", "rows of the hub", "by id", "by an id that is no field"],
)
def test_other_forms_of_json(tmp_path: Path, content: object):
    (tmp_path / "mine.json").write_text(json.dumps(content))
    assert ids(load(str(tmp_path / "mine.json"))) == ["HumanEval/0", "second", "third"]


def test_json_lines_with_the_name_of_json(tmp_path: Path):
    for rows in (ROWS, ROWS[:1]):
        assert ids(load(str(written(tmp_path, *rows, name="mine.json")))) == [row["task_id"] for row in rows]


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.json", b"[1, 2]", "a.json: neither a list of JSON objects nor an object of them by id"),
        ("a.json", b"7", "a.json: neither a list of JSON objects nor an object of them by id"),
        ("a.json", b"[{]", "a.json: not JSON ("),
        ("a.json", b"\xff", "a.json is not UTF-8 text"),
        ("a.json", b"[]", "a.json holds no rows"),
        ("a.json", b'[{"task_id": "\\ud83c"}]', "a.json: not JSON ("),
        ("a.jsonl.gz", b"{}", "a.jsonl.gz cannot be read (Not a gzipped file"),
        ("a.jsonl.gz", gzip.compress(b"{}\n" * 99, mtime=0)[:-9], "a.jsonl.gz, line 1: field "),
        ("a.jsonl.gz", gzip.compress(b"{", mtime=0)[:-9], "a.jsonl.gz cannot be read (Compressed file ended"),
        ("a.jsonl.gz", gzip.compress(json.dumps(ROW).encode() + b"\n{", mtime=0), "a.jsonl.gz, line 2: not JSON ("),
        ("a.parquet", b"PAR1", "a.parquet: not parquet ("),
    ],
)
def test_a_file_that_cannot_be_read(tmp_path: Path, name: str, content: bytes, said: str):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DatasetError) as caught:
        load(str(tmp_path / name))
    assert told(str(caught.value)).startswith(str(tmp_path / said))


def test_a_name_is_found_whatever_the_kind_of_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("CONSORT_DATA", str(tmp_path))
    FILES["mine.jsonl.gz"](tmp_path / "Zipped.jsonl.gz")
    FILES["mine.parquet"](tmp_path / "Table.parquet")
    assert (load("zipped").name, load("TABLE").name) == ("Zipped", "Table")


# Folders


def test_a_folder_of_files(tmp_path: Path):
    folder = tmp_path / "Mine"
    folder.mkdir()
    written(folder, ROWS[1], name="b.jsonl")
    FILES["mine.jsonl"](folder / "c.jsonl")
    parquet(folder / "a.parquet", ROWS[2:])
    written(folder, "not a row", name=".hidden.jsonl")
    (folder / "README.md").write_text("# Mine")
    dataset = load(str(folder))
    assert (dataset.name, ids(dataset)) == ("Mine", ["third", "second", "HumanEval/0"])
    assert dataset.skipped == (
        "c.jsonl, line 2: second repeats b.jsonl, line 1",
        "c.jsonl, line 3: third repeats a.parquet, row 1",
    )
    assert load(f"{folder}/.").name == "Mine"
    (folder / "b.jsonl").rename(folder / "bb.jsonl")
    assert load(str(folder)).hash != dataset.hash
    written(folder, {**ROW, "task_id": 7}, name="z.jsonl")
    with pytest.raises(DatasetError) as caught:
        load(str(folder))
    assert told(str(caught.value)).startswith(f"{folder}, z.jsonl, line 1: field 'task_id' is not a non-empty str")


def test_a_folder_of_nothing_is_no_dataset(tmp_path: Path):
    for name in ("empty", "other/deep"):
        (tmp_path / name).mkdir(parents=True)
        with pytest.raises(DatasetError, match="no such file, and no dataset of that name"):
            load(str(tmp_path / name))


def released(folder: Path, name: str, **files: str) -> None:
    (folder / name).mkdir(parents=True)
    for file, content in files.items():
        ending = {"question": "txt", "starter_code": "py"}.get(file, "json")
        (folder / name / f"{file}.{ending}").write_text(content)


async def test_the_release_of_apps(tmp_path: Path):
    tests = json.dumps({"inputs": ["2\n"], "outputs": ["4\n"]})
    called = json.dumps({"fn_name": "f", "inputs": [[3]], "outputs": [6]})
    folder = tmp_path / "APPS" / "test"
    released(folder, "0000", question="Double it.", input_output=tests, solutions='["print(2 * int(input()))"]')
    released(folder, "0001", question="Double it.", input_output=called, starter_code="def f(n):", metadata="{}")
    released(folder, "0002", question="Double it.")
    dataset = load(str(folder))
    assert (dataset.name, ids(dataset)) == ("test", ["0", "1"])
    assert dataset.skipped == ("0002: 2: it has no tests",)
    assert dataset.problems[0].reference == "print(2 * int(input()))"
    assert await outcome(dataset.problems[0], dataset.problems[0].reference or "") == "passed"
    assert await outcome(dataset.problems[0], "print(2)") == "wrong_answer"
    assert "def f(n):" in dataset.problems[1].statement
    assert await outcome(dataset.problems[1], "def f(n): return n + 3") == "passed"
    with pytest.raises(DatasetError, match=r"APPS holds several parts of APPS; give one of its folders: test$"):
        load(str(tmp_path / "APPS"))
    (folder / "0001" / "input_output.json").write_text("{")
    assert load(str(folder)).skipped[0].startswith("0001: 1: field 'input_output' is not JSON")
    (folder / "0001" / "question.txt").write_bytes(b"\xff")
    with pytest.raises(DatasetError, match=r"0001 cannot be read \('utf-8' codec"):
        load(str(folder))


# The hub


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder in the hub's layout; the library keeps its tables in a folder of this test, and asks nobody."""
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
    folder = tmp_path / "OWNER" / "name"
    (folder / "full").mkdir(parents=True)
    (folder / "README.md").write_text(
        "---\nconfigs:\n- config_name: full\n  data_files:\n  - split: train\n    path: full/train-*\n"
        "  - split: test\n    path: full/test-*\n- config_name: small\n  data_files:\n  - split: validation\n"
        "    path: small/*\n---\n"
    )
    parquet(folder / "full" / "test-00000-of-00002.parquet", ROWS[:2])
    parquet(folder / "full" / "test-00001-of-00002.parquet", ROWS[2:])
    parquet(folder / "full" / "train-00000-of-00001.parquet", ROWS[:1])
    parquet(folder / "small" / "validation-00000-of-00001.parquet", [ECHO])
    yield folder
    gc.collect()


async def test_a_dataset_of_the_hub(hub: Path):
    dataset = load(f"hub:{hub}:full@test")
    assert (dataset.name, ids(dataset)) == ("name-full", ["HumanEval/0", "second", "third"])
    assert (str(dataset.path), len(dataset.hash)) == (f"hub:{hub}:full@test", 64)
    assert await outcome(dataset.problems[1], dataset.problems[1].reference or "") == "passed"
    assert ids(load(f"hub:{hub}:full@train")) == ["HumanEval/0"]
    again = load(f"hub:{hub}:full")
    assert (again.hash, ids(again)) == (dataset.hash, ids(dataset))
    assert load(f"hub:{hub}:full@train").hash != dataset.hash


async def test_the_only_split_of_a_dataset_of_the_hub(hub: Path):
    dataset = load(f"hub:{hub}:small")
    (problem,) = dataset.problems
    assert (problem.id, problem.time_limit, problem.hidden.size) == ("1_A. Echo", 2.0, 3)
    assert await outcome(problem, "print(input())") == "passed"
    assert await outcome(problem, "print(7)") == "wrong_answer"


@pytest.mark.parametrize(
    ("reference", "said"),
    [
        ("hub:{hub}", "onfig name is missing"),
        ("hub:{hub}:none@test", "BuilderConfig 'none' not found"),
        ("hub:{hub}:full@dev", 'Unknown split "dev"'),
        ("hub:", "names no dataset"),
        ("hub:@test", "names no dataset"),
        ("hub:nobody/nothing", "nobody/nothing"),
    ],
)
def test_what_the_hub_does_not_have(hub: Path, reference: str, said: str):
    with pytest.raises(DatasetError) as caught:
        load(reference.format(hub=hub))
    message = told(str(caught.value))
    assert message.startswith(f"dataset {reference.format(hub=hub)!r}")
    assert said in message
    assert "give hub:OWNER/NAME[:CONFIG][@SPLIT]" in message


def test_a_program_that_makes_a_dataset_is_never_run(hub: Path):
    made = hub / "made"
    (hub / "name.py").write_text(f"open({str(made)!r}, 'w')\n")
    with pytest.raises(DatasetError) as caught:
        load(f"hub:{hub / 'name.py'}")
    assert "a program of its own makes its rows, which is never run; download its files" in told(str(caught.value))
    assert not made.exists()


def test_the_hub_itself_over_http(tmp_path: Path):
    """The library asks a hub on loopback, in a process of its own, as it asks the real one; no program is run."""
    root = tmp_path / "hub"
    parquet(root / "owner" / "plain" / "main" / "data" / "test-00000-of-00001.parquet", ROWS[:2])
    for config, rows in (("all", ROWS[2:]), ("few", ROWS[:1])):
        parquet(root / "owner" / "made" / "refs~convert~parquet" / config / "test" / "0000.parquet", rows)
    program = root / "owner" / "made" / "main" / "made.py"
    program.parent.mkdir()
    program.write_text("raise SystemExit('run')")
    asked = "import sys\nfrom tasks.datasets.load import load\n"
    asked += "for name in sys.argv[1:]: print(*load(name).problems.ids)"
    home = {"HF_HOME": str(tmp_path / "home"), "HF_HUB_DISABLE_TELEMETRY": "1"}
    with hub_at(root) as url:
        ended = subprocess.run(
            [
                sys.executable,
                "-c",
                asked,
                "hub:owner/plain",
                "hub:owner/plain@test",
                "hub:owner/made:all@test",
                "hub:owner/made:few",
            ],
            cwd=CHECKOUT,
            env={**os.environ, **home, "HF_ENDPOINT": url},
            capture_output=True,
            text=True,
            check=False,
        )
    assert ended.stdout.split("\n") == ["HumanEval/0 second", "HumanEval/0 second", "third", "HumanEval/0", ""], (
        ended.stderr
    )


def test_the_parts_of_a_reference(tmp_path: Path):
    assert reference_of("hub:a/b") == Reference("a/b", None, None)
    assert reference_of("hub:a/b:c@d") == Reference("a/b", "c", "d")
    assert reference_of("hub:a/b@d") == Reference("a/b", None, "d")
    odd = tmp_path / "a:b@c"
    odd.mkdir()
    assert reference_of(f"hub:{odd}") == Reference(str(odd), None, None)


@pytest.mark.parametrize(
    ("library", "reference"), [("datasets", "hub:openai/openai_humaneval@test"), ("pyarrow", "mine.parquet")]
)
def test_without_the_extra_one_line_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, library: str, reference: str
):
    FILES["mine.parquet"](tmp_path / "mine.parquet")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(sys.modules, library, None)  # as Python has it where a module cannot be imported
    with pytest.raises(DatasetError) as caught:
        load(reference)
    assert told(str(caught.value)).endswith("pip install 'consort[hub]'")


@pytest.mark.parametrize(
    ("name", "reference"),
    [
        ("HumanEval", "openai/openai_humaneval@test"),
        ("HumanEval+", "evalplus/humanevalplus@test"),
        ("mbpp", "google-research-datasets/mbpp:full@test"),
        ("MBPPPlus", "evalplus/mbppplus@test"),
        ("mbpp+", "evalplus/mbppplus@test"),
        ("apps", "codeparrot/apps:all@test"),
        ("CodeContests", "deepmind/code_contests@test"),
        ("code_contests", "deepmind/code_contests@test"),
        ("LiveCodeBench", "livecodebench/code_generation@test"),
        ("xCodeEval", "NTU-NLP-sg/xCodeEval:program_synthesis@validation"),
    ],
)
def test_a_name_that_is_not_here_is_on_the_hub(monkeypatch: pytest.MonkeyPatch, name: str, reference: str):
    monkeypatch.delenv("CONSORT_DATA", raising=False)
    with pytest.raises(DatasetError) as caught:
        load(name)
    assert f"take it from the hub: --dataset hub:{reference} (pip install 'consort[hub]')" in told(str(caught.value))


# Problems that are made late


def test_problems_are_a_sequence(tmp_path: Path):
    problems = load(str(written(tmp_path, *ROWS))).problems
    assert isinstance(problems, Problems)
    assert (len(problems), problems.ids) == (3, ("HumanEval/0", "second", "third"))
    assert [problem.id for problem in problems[1:]] == ["second", "third"]
    assert problems[-1].id == problems.by_id["third"].id == "third"
    assert ("second" in problems.by_id, "fourth" in problems.by_id) == (True, False)
    assert problems.only(["third", "HumanEval/0"]).ids == ("third", "HumanEval/0")
    (first, *_) = problems.listed
    assert (first.id, first.entry_point, first.statement) == ("HumanEval/0", "area", ROW["prompt"])
    assert (first.hidden, first.extended) == (1, 0)
    with pytest.raises(IndexError):
        problems[3]


def test_problems_that_are_made_already(tmp_path: Path):
    made = tuple(load(str(written(tmp_path, *ROWS))).problems)
    problems = Problems.of(made)
    assert problems.ids == ("HumanEval/0", "second", "third")
    assert problems[1] is made[1]
    assert Problems.of(problems) is problems


@pytest.mark.parametrize("change", ["another row", "cut off", "no row"])
def test_a_file_that_changes_is_noticed(tmp_path: Path, change: str):
    path = written(tmp_path, *ROWS)
    problems, text = load(str(path)).problems, path.read_text()
    changed = {"another row": text.replace('"second"', '"fourth"'), "cut off": text[:99], "no row": " " * len(text)}
    path.write_text(changed[change])
    with pytest.raises(DatasetError) as caught:
        problems[1]
    assert told(str(caught.value)).startswith(f"{path}, line 2: second has changed since the run began")


def test_a_file_that_is_gone_is_kept(tmp_path: Path):
    for name in ("mine.jsonl", "mine.parquet", "mine.jsonl.gz"):
        FILES[name](tmp_path / name)
        problems = load(str(tmp_path / name)).problems
        (tmp_path / name).unlink()
        assert problems[2].id == "third"


def test_the_problems_that_options_choose(tmp_path: Path):
    dataset = load(str(written(tmp_path, *ROWS)))

    def named(**given: Any) -> tuple[str, ...]:
        return chosen(dataset, Options(flow="solve", dataset="mine", **given)).ids

    assert named() == ("HumanEval/0", "second", "third")
    assert named(limit=2) == ("HumanEval/0", "second")
    assert named(problems="third, second,third", limit=5) == ("third", "second")


def held(path: Path) -> int:
    """The bytes that a loaded dataset holds."""
    gc.collect()
    before = tracemalloc.get_traced_memory()[0]
    problems: Any = load(str(path)).problems
    problem: Problem = problems[0]
    assert problem.hidden.size
    del problem
    gc.collect()
    return tracemalloc.get_traced_memory()[0] - before


@pytest.mark.parametrize("kind", ["jsonl", "jsonl.gz"])
def test_problems_hold_no_tests(tmp_path: Path, kind: str):
    """A thousand problems with 20 kB of tests each take less than two kilobytes each."""
    tests = {"input": ["1 " * 5_000], "output": ["2 " * 5_000]}
    rows = "\n".join(json.dumps({**ECHO, "name": f"p{number}", "private_tests": tests}) for number in range(1_000))
    path = tmp_path / f"mine.{kind}"
    path.write_bytes(gzip.compress(rows.encode(), 1) if kind.endswith("gz") else rows.encode())
    tracemalloc.start()
    try:
        assert held(path) < 2_000_000
    finally:
        tracemalloc.stop()
