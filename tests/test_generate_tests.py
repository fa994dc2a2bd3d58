"""`flows/generate_tests.py` as users run it: bundled and real programs, rotation, kills, resuming, verifying."""

import contextlib
import csv
import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import duckdb
import pytest
from prefect.utilities.callables import parameter_schema

from flows.generate_tests import generate_tests
from tests.conftest import Run
from tests.processes import CHECKOUT, heed_interrupts, post, recorded_server, stats, until

SAMPLES = CHECKOUT / "data" / "c_programs"
REPLIES = CHECKOUT / "data" / "recorded" / "c_programs.jsonl"
FLOW = CHECKOUT / "flows" / "generate_tests.py"
SUM = """#include <stdio.h>
int main(void) { int a = 0, b = 0; scanf("%d %d", &a, &b); printf("%d\\n", a + b); return 0; }
"""
WORDS = """#include <stdio.h>
int main(int n, char **v) { for (int i = 1; i < n; i++) printf("[%s]", v[i]); return 0; }
"""
BLOCK = "----INPUT {n}----\n```\n{text}\n```\n----END INPUT {n}----"


def generating(
    folder: Path, *more: object, sources: object = SAMPLES, models: object = f"recorded:{REPLIES}"
) -> list[object]:
    return [
        FLOW, "--sources", sources, "--models", models, "--tests", folder / "tests", "--output", folder / "out", *more
    ]  # fmt: skip


def rows_of(folder: Path) -> list[dict[str, str]]:
    """All lines of all logs, the oldest first."""
    found = []
    for path in sorted((folder / "tests" / "logs").glob("generation_log_*.csv")):
        with path.open(newline="") as file:
            found += list(csv.DictReader(file))
    return found


def results_of(folder: Path) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((folder / "tests" / "logs" / "generation_results.json").read_text())
    return loaded


def made_in(folder: Path) -> dict[str, list[dict[str, str]]]:
    root = folder / "tests"
    found = {str(path.relative_to(root)): path for path in root.rglob("*.c.json")}
    return {name: json.loads(path.read_text()) for name, path in sorted(found.items())}


def write_sources(path: Path, count: int, *, text: str = SUM) -> Path:
    """Programs that differ in a comment; one is named like an error."""
    names = [f"p{number:03}/C/p{number:03}.c" for number in range(count - 1)] + ["p999/C/403_quota.c"]
    rows = [{"path": name, "source": f"{text}/* {name}: rate limit */\n"} for name in names]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def write_replies(path: Path, *inputs: str, first: dict[str, Any] | None = None, **more: object) -> Path:
    """One reply with these inputs for every program; `first` is the file's first line."""
    said = "\n".join(BLOCK.format(n=number, text=text) for number, text in enumerate(inputs, start=1))
    reply = {"stage": "test_inputs", "content": said, "prompt_tokens": 10, "completion_tokens": 5, **more}
    path.write_text("".join(json.dumps(line) + "\n" for line in ([first] if first else []) + [reply]))
    return path


@contextmanager
def serving(file: Path, port: int) -> Iterator[str]:
    """A recorded-reply server on a port of one's own, so that another may take its place."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tasks.models.recorded", file, "--port", str(port)],
        cwd=CHECKOUT, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert process.stdout is not None
        process.stdout.readline()
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        process.kill()
        process.communicate()


@pytest.fixture(scope="module")
def made(flow: Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Tests of the bundled programs, with coverage."""
    folder = tmp_path_factory.mktemp("made")
    ended = flow(*generating(folder, "--coverage"))
    assert ended.returncode == 0, ended.stderr
    return folder


def test_the_bundled_programs_take_every_path(made: Path) -> None:
    tests = made_in(made)
    assert {name: len(found) for name, found in tests.items()} == {f"p00{n}/C/p00{n}.c.json": 8 for n in range(1, 5)}
    assert tests["p002/C/p002.c.json"][1] == {"input": "", "output": "lines 0, stanzas 0"}
    assert tests["p002/C/p002.c.json"][2]["input"] == "The snow is late\n\nand so are we"
    assert tests["p001/C/p001.c.json"][5] == {"input": "-3", "output": "no readings"}
    results = results_of(made)
    totals = results["totals"]
    assert (totals["files"], totals["complete"], totals["short"], totals["left"], totals["tests"]) == (4, 4, 0, 0, 32)
    assert (totals["calls"], totals["inputs_tried"]) == (8, 39)
    assert results["rejected"] == {"sanitizer": 4, "runtime_error": 2, "nondeterministic": 1}
    assert results["recorded"] is True
    model = results["models"]["c_programs"]
    assert (model["files"], model["calls"], model["exhausted_at"]) == (4, 8, None)
    assert 80 < model["line_coverage"] <= 100
    assert 80 < model["branch_coverage"] <= 100


def test_the_log_has_a_line_for_each_file(made: Path) -> None:
    rows = {row["c_file"]: row for row in rows_of(made)}
    assert set(rows) == {f"p00{n}.c" for n in range(1, 5)}
    row = rows["p003.c"]
    assert (row["problem_dir"], row["c_file_path"], row["success"]) == ("p003", "p003/C/p003.c", "True")
    assert (row["test_count"], row["success_rate"], row["error"], row["model"]) == ("8", "61.5", "", "c_programs")
    assert float(row["processing_time"]) > 0
    assert 90 < float(row["line_coverage"]) < 100


def test_the_next_round_is_shown_what_happened_and_what_is_not_reached(made: Path) -> None:
    with duckdb.connect(str(made / "out" / "consort.duckdb"), read_only=True) as store:
        asked = store.execute(
            "SELECT messages FROM calls WHERE problem_id = 'p003/C/p003.c' AND stage = 'test_inputs' ORDER BY ordinal"
        ).fetchall()
        inputs = store.execute(
            "SELECT number, outcome FROM test_inputs WHERE problem_id = 'p003/C/p003.c' ORDER BY number"
        ).fetchall()
        files = store.execute(
            "SELECT outcome, tests, wanted, rejected FROM test_files ORDER BY problem_id"
        ).fetchall()
        attempts = store.execute("SELECT count(*) FILTER (solved), count(*) FROM attempts").fetchall()
    first, second, third = (json.loads(messages)[0]["content"] for (messages,) in asked)
    assert "Write 4 inputs that" in first  # half of them: coverage needs a next round
    assert "What happened: UndefinedBehaviorSanitizer: index 4 out of bounds" in second
    assert '39:             printf("unknown: %s\\n", word);' in second
    assert "----INPUT 1----\n```\npush 2 push 3 add print\n```\n----END INPUT 1----" in second
    assert "exit code 1" in third
    assert "Write 1 input that" in third
    assert [number for number, _ in inputs] == list(range(13))
    assert [outcome for _, outcome in inputs].count("accepted") == 8
    assert files[2] == ("complete", 8, 8, '{"sanitizer":4,"runtime_error":1}')
    assert attempts == [(4, 4)]


def test_the_same_command_again_does_nothing(made: Path, flow: Run) -> None:
    before = {path: path.stat().st_mtime_ns for path in (made / "tests").rglob("*.c*.json")}
    ended = flow(*generating(made, "--coverage"))
    assert ended.returncode == 0, ended.stderr
    assert "complete already, skipped: 4" in ended.stdout
    assert "complete 4 of 4 files, 32 tests" in ended.stdout
    assert {path: path.stat().st_mtime_ns for path in (made / "tests").rglob("*.c*.json")} == before


def test_a_program_verified_against_its_tests(made: Path, flow: Run, tmp_path: Path) -> None:
    for number in (1, 2, 3, 4):
        source = SAMPLES / f"p00{number}" / "C" / f"p00{number}.c"
        subprocess.run(["gcc", "-w", "-o", tmp_path / f"p00{number}", source], check=True)
    command = [FLOW, "verify", "--tests", made / "tests", "--junit", tmp_path / "junit.xml"]
    ended = flow(*command, "--target-command", f"{tmp_path}/{{stem}}")
    assert ended.returncode == 0, ended.stderr
    assert "passed 32 of 32 tests; programs: 4" in ended.stdout
    ended = flow(*command, "--target-command", tmp_path / "p001")
    assert ended.returncode == 1
    assert ended.stderr == "passed 8 of 32 tests; programs: 4\n"
    assert "passed 8 of" not in ended.stdout
    root = ElementTree.parse(tmp_path / "junit.xml").getroot()
    assert (root.get("tests"), root.get("failures")) == ("32", "24")
    ended = flow(*command, "--target-command", tmp_path / "nothing")
    assert (ended.returncode, ended.stderr.count("\n")) == (2, 1)
    assert "there is no program" in ended.stderr


def test_verifying_is_refused_in_one_line(made: Path, flow: Run, tmp_path: Path) -> None:
    usual = {"--tests": made / "tests", "--target-command": "/bin/cat", "--junit": tmp_path / "junit.xml"}
    for more, said in (
        (
            {"--problems": ","},
            "--problems ',': it names no program; give paths such as p001/C/p001.c, or leave it out",
        ),
        ({"--problems": ""}, "--problems '': it names no program; give"),
        ({"--problems": "p009.c"}, "--problems 'p009.c'"),
        ({"--junit": tmp_path}, f"--junit {tmp_path}: that is a folder; name a file"),
        ({"--junit": FLOW / "junit.xml"}, "its folder cannot be made ("),
        ({"--junit": "/proc/nothing/junit.xml"}, "its folder cannot be made ("),
        ({"--target-command": "'"}, "target command"),
    ):
        flags = [part for pair in {**usual, **more}.items() for part in pair]
        ended = flow(FLOW, "verify", *flags)
        assert (ended.returncode, ended.stderr.count("\n")) == (2, 1), (more, ended.stderr)
        assert said in ended.stderr
        assert ended.stdout == ""


def test_a_table_that_is_not_to_be_lost_with_the_xml(made: Path, flow: Run, tmp_path: Path) -> None:
    (tmp_path / ".junit.xml.part").mkdir()
    command = [FLOW, "verify", "--tests", made / "tests", "--junit", tmp_path / "junit.xml", "--problems"]
    ended = flow(*command, "p001/C/p001.c", "--target-command", "/bin/cat")
    assert ended.returncode == 1
    assert re.search(r"p001/C/p001\.c +│ +8 │", ended.stdout)
    assert ended.stderr == (
        f"passed 0 of 8 tests; programs: 1; --junit {tmp_path / 'junit.xml'}: cannot be written (Is a directory)\n"
    )


def test_tests_that_were_deleted_or_are_from_another_text_are_made_again(flow: Run, tmp_path: Path) -> None:
    sources, replies = write_sources(tmp_path / "s.jsonl", 3), write_replies(tmp_path / "r.jsonl", "1 2", "3 4")
    with recorded_server(replies) as url:
        command = generating(tmp_path, "--num-tests", "2", sources=sources, models=f"{url}#any")
        assert flow(*command).returncode == 0
        assert stats(url)["total_replies"] == 3
        (tmp_path / "tests" / "p000" / "C" / "p000.c.json").unlink()
        assert flow(*command).returncode == 0
        assert stats(url)["total_replies"] == 3  # what had been paid for is replayed
        assert made_in(tmp_path)["p000/C/p000.c.json"] == [
            {"input": "1 2", "output": "3"},
            {"input": "3 4", "output": "7"},
        ]
        rows = [json.loads(line) for line in sources.read_text().splitlines()]
        rows[0]["source"] = rows[0]["source"].replace("a + b", "a * b")
        sources.write_text("".join(json.dumps(row) + "\n" for row in rows))
        assert flow(*command).returncode == 0
        assert stats(url)["total_replies"] == 4
        assert made_in(tmp_path)["p000/C/p000.c.json"][1] == {"input": "3 4", "output": "12"}
    assert len(list((tmp_path / "out" / "s" / "generate_tests").glob("*/*/Run-*"))) == 1


def test_other_flags_make_the_tests_anew_from_the_inputs_that_are_there(flow: Run, tmp_path: Path) -> None:
    sources = write_sources(tmp_path / "s.jsonl", 2, text=SUM.replace("a + b", "FACTOR * a"))
    with recorded_server(write_replies(tmp_path / "r.jsonl", "2 2", "3 4")) as url:
        command = generating(tmp_path, "--num-tests", "2", sources=sources, models=f"{url}#any")
        for factor in (5, 7):
            assert flow(*command, f"--cflags=-DFACTOR={factor}").returncode == 0
            assert [test["output"] for test in made_in(tmp_path)["p000/C/p000.c.json"]] == [
                str(2 * factor), str(3 * factor),
            ]  # fmt: skip
        whole = made_in(tmp_path)
        assert flow(*command, "--cflags=-DFACTOR=").returncode == 0
        assert results_of(tmp_path)["totals"]["does_not_compile"] == 2
        assert made_in(tmp_path) == whole, "what does not compile takes nobody's place"
        assert stats(url)["total_replies"] == 2


def test_fewer_tests_of_the_same_text_take_nobodys_place(flow: Run, tmp_path: Path) -> None:
    text = "#include <string.h>\nstatic char big[100 << 20];\n" + SUM.replace(
        "scanf", "memset(big, 1, sizeof big); scanf"
    )
    sources = write_sources(tmp_path / "s.jsonl", 1, text=text)
    replies = write_replies(tmp_path / "r.jsonl", "1 2", "3 4")
    command = generating(tmp_path, sources=sources, models=f"recorded:{replies}")
    assert flow(*command, "--num-tests", "2").returncode == 0
    whole = made_in(tmp_path)
    assert flow(*command, "--num-tests", "3", "--memory-limit", "64").returncode == 0  # too little for it
    assert results_of(tmp_path)["totals"]["short"] == 1
    assert made_in(tmp_path) == whole
    ended = flow(*command, "--num-tests", "3", "--feed", "args")
    assert (ended.returncode, ended.stderr.count("\n")) == (2, 1)
    assert "are for --feed stdin; name another folder" in ended.stderr
    assert made_in(tmp_path) == whole


def test_where_all_is_complete_there_is_nothing_to_say_of_what_was_solved(flow: Run, tmp_path: Path) -> None:
    sources, replies = write_sources(tmp_path / "s.jsonl", 1), write_replies(tmp_path / "r.jsonl", "1 2")
    command = generating(tmp_path, "--num-tests", "1", sources=sources, models=f"recorded:{replies}")
    assert flow(*command).returncode == 0
    ended = flow(*command, "--cont", "no")
    assert ended.returncode == 0, ended.stderr
    assert "nothing has been attempted in this run" in ended.stdout
    assert "None" not in ended.stdout


def test_tests_of_a_text_that_is_no_more_go(flow: Run, tmp_path: Path) -> None:
    sources, replies = write_sources(tmp_path / "s.jsonl", 2), write_replies(tmp_path / "r.jsonl", "1 2")
    command = generating(tmp_path, "--num-tests", "1", sources=sources, models=f"recorded:{replies}")
    assert flow(*command).returncode == 0
    rows = [json.loads(line) for line in sources.read_text().splitlines()]
    rows[0]["source"] = rows[0]["source"].replace("return 0", "return 3")
    sources.write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert flow(*command).returncode == 0
    assert list(made_in(tmp_path)) == ["p999/C/403_quota.c.json"]
    assert [path.name for path in (tmp_path / "tests").rglob("*.test_task.json")] == ["403_quota.c.test_task.json"]


def test_what_complete_tests_reach_is_measured_for_nothing(flow: Run, tmp_path: Path) -> None:
    sources = write_sources(tmp_path / "s.jsonl", 2)
    with recorded_server(write_replies(tmp_path / "r.jsonl", "1 2")) as url:
        command = generating(tmp_path, "--num-tests", "1", sources=sources, models=f"{url}#any")
        assert flow(*command).returncode == 0
        for _ in range(2):
            assert flow(*command, "--coverage").returncode == 0
            assert results_of(tmp_path)["line_coverage"] == 100.0
        assert stats(url)["total_replies"] == 2


def test_files_that_cannot_be_used_are_named_and_counted(flow: Run, tmp_path: Path) -> None:
    folder = tmp_path / "sources"
    secret = tmp_path / "secret.h"
    secret.write_text('#define SECRET "found"\n')
    peeks = f'#include "{secret}"\n#include <stdio.h>\nint main(void) {{ puts(SECRET); return 0; }}\n'
    files = {
        "good": SUM,
        "short": "int x;",
        "cpp": "#include <iostream>\n" + SUM,
        "broken": SUM.replace("a + b", "a +"),
    }
    for name, text in {**files, "peeks": peeks, "none": SUM.replace("main", "start"), "open": SUM + "{"}.items():
        (folder / name).mkdir(parents=True)
        (folder / name / f"{name}.c").write_text(text)
    replies = write_replies(tmp_path / "r.jsonl", "1 2")
    ended = flow(*generating(tmp_path, "--num-tests", "1", sources=folder, models=f"recorded:{replies}"))
    assert ended.returncode == 0, ended.stderr
    assert "unusable files: 4" in ended.stdout
    results = results_of(tmp_path)
    assert {each["path"]: each["reason"] for each in results["unusable"]} == {
        "cpp/cpp.c": "C++",
        "none/none.c": "no main",
        "open/open.c": "unbalanced braces",
        "short/short.c": "under 50 characters",
    }
    assert [each["path"] for each in results["does_not_compile"]] == ["broken/broken.c", "peeks/peeks.c"]
    assert results["totals"]["calls"] == 1  # nobody was asked about what does not compile
    rows = {row["c_file"]: row for row in rows_of(tmp_path)}
    assert rows["cpp.c"]["error"] == "unusable: C++"
    assert "error:" in rows["broken.c"]["error"]
    assert re.search(r"broken/broken\.c: compile_error \(broken\.c:\d+:\d+: error: expected", ended.stdout)
    assert (rows["good.c"]["success"], rows["broken.c"]["success"]) == ("True", "False")
    assert list(made_in(tmp_path)) == ["good/good.c.json"]


def test_a_file_name_that_is_no_text_is_told(flow: Run, tmp_path: Path) -> None:
    folder = tmp_path / "sources"
    folder.mkdir()
    (folder / "good.c").write_text(SUM)
    (folder / os.fsdecode(b"\xff.c")).write_text(SUM)
    command = generating(
        tmp_path, "--num-tests", "1", sources=folder, models=f"recorded:{write_replies(tmp_path / 'r.jsonl', '1 2')}"
    )
    ended = flow(*command, PYTHONIOENCODING="utf-8:strict")
    assert ended.returncode == 0, ended.stderr
    assert "  \\udcff.c: its name is not UTF-8 text" in ended.stdout
    assert "complete 1 of 1 files, 1 tests" in ended.stdout
    assert results_of(tmp_path)["unusable"] == [{"path": "\\udcff.c", "reason": "its name is not UTF-8 text"}]


def test_short_tests_are_written_and_none_are_not(flow: Run, tmp_path: Path) -> None:
    text = SUM.replace("return 0", "return a == 13")
    sources, replies = write_sources(tmp_path / "s.jsonl", 2, text=text), tmp_path / "r.jsonl"
    lines = [
        {"problem_id": "p000.c", "content": BLOCK.format(n=1, text="13 1")},
        {"problem_id": "403_quota.c", "content": BLOCK.format(n=1, text="1 1") + BLOCK.format(n=2, text="13 2")},
    ]
    replies.write_text("".join(json.dumps({"stage": "test_inputs", **line}) + "\n" for line in lines))
    with recorded_server(replies) as url:
        command = generating(tmp_path, "--num-tests", "2", sources=sources, models=f"{url}#any")
        ended = flow(*command)
        assert ended.returncode == 0, ended.stderr
        assert stats(url)["total_replies"] == 12  # six rounds each
        assert list(made_in(tmp_path)) == ["p999/C/403_quota.c.json"]
        assert "short: p000/C/p000.c: 0 of 2 tests in 6 rounds; rejected: 1 runtime_error" in ended.stdout
        rows = {row["c_file"]: row for row in rows_of(tmp_path)}
        assert rows["p000.c"]["error"].startswith("short: 0 of 2 tests")
        assert (rows["403_quota.c"]["test_count"], rows["403_quota.c"]["success"]) == ("1", "False")
        totals = results_of(tmp_path)["totals"]
        assert (totals["short"], totals["none"], totals["left"]) == (2, 1, 0)
        assert flow(*command).returncode == 0
        assert stats(url)["total_replies"] == 12
        assert [row["c_file"] for row in rows_of(tmp_path)][2:] == ["p000.c"]  # tried again; the other has ended


def test_arguments(flow: Run, tmp_path: Path) -> None:
    sources = write_sources(tmp_path / "s.jsonl", 2, text=WORDS)
    replies = write_replies(tmp_path / "r.jsonl", "a 'b c'", "a  'b c'", "it's", "")
    more = ("--num-tests", "2", "--feed", "args")
    ended = flow(*generating(tmp_path, *more, sources=sources, models=f"recorded:{replies}"))
    assert ended.returncode == 0, ended.stderr
    assert made_in(tmp_path)["p000/C/p000.c.json"] == [
        {"input": "a 'b c'", "output": "[a][b c]"},
        {"input": "", "output": ""},
    ]
    task = json.loads((tmp_path / "tests" / "p000" / "C" / "p000.c.test_task.json").read_text())[0]
    assert task["command"].endswith("%t 0 --feed args")


def test_flags_of_the_compiler_are_words_of_their_own(flow: Run, tmp_path: Path) -> None:
    text = SUM.replace("a + b", "(int)sqrt(a * FACTOR) + b").replace("int main", "#include <math.h>\nint main")
    replies = write_replies(tmp_path / "r.jsonl", "9 4")
    sources = write_sources(tmp_path / "s.jsonl", 1, text=text)
    more = ("--num-tests", "1", "--coverage", "--cflags", "-DFACTOR=4 -lm")
    ended = flow(*generating(tmp_path, *more, sources=sources, models=f"recorded:{replies}"))
    assert ended.returncode == 0, ended.stderr
    assert made_in(tmp_path)["p999/C/403_quota.c.json"] == [{"input": "9 4", "output": "10"}]
    assert "coverage: lines 100.0 %" in ended.stdout
    schema = parameter_schema(generate_tests).properties["cflags"]
    assert (schema["type"], schema["default"]) == ("string", "-lm")


def test_the_first_that_compiles_of_each_folder(flow: Run, tmp_path: Path) -> None:
    for name, text in (
        ("p1/C/a.c", SUM.replace("a + b", "a +")),
        ("p1/C/b.c", SUM),
        ("p1/C/c.c", SUM),
        ("x/y.c", SUM),
    ):
        (tmp_path / "sources" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "sources" / name).write_text(text)
    replies = write_replies(tmp_path / "r.jsonl", "1 2")
    more = ("--num-tests", "1", "--first-per-folder")
    command = generating(tmp_path, *more, sources=tmp_path / "sources", models=f"recorded:{replies}")
    for _ in range(2):
        assert flow(*command).returncode == 0
        assert list(made_in(tmp_path)) == ["p1/C/b.c.json"]


def test_one_pool_rotates_and_goes_on_after_a_reset(flow: Run, environment: dict[str, str], tmp_path: Path) -> None:
    """A model that is added to a spent pool goes on with the run, and so does a quota that is back."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    sources = write_sources(tmp_path / "s.jsonl", 9)
    few = write_replies(tmp_path / "few.jsonl", "1 2", first={"quota": {"gen-a": 3, "gen-b": 4}}, latency=0.2)
    models = "".join(
        f'[endpoints.gen-{name}]\nmodel = "gen-{name}"\nprovider = "dashscope"\n'
        f'base_url = "http://127.0.0.1:{port}/v1"\n'
        for name in "abc"
    )

    def register(*names: str) -> None:
        pool = f"[pools.gen-pool]\nendpoints = {json.dumps(names)}\n"
        (tmp_path / "models.toml").write_text(models + pool)
        assert flow("-m", "blocks.register", tmp_path / "models.toml").returncode == 0

    register("gen-a", "gen-b")
    command = generating(tmp_path, "--num-tests", "1", "--workers", "3", sources=sources, models="gen-pool")
    with serving(few, port) as url:
        ended = flow(*command)
        assert ended.returncode == 1
        assert "2 of 9 left" in ended.stderr
        assert stats(url)["replies"] == {"gen-a": 3, "gen-b": 4}
        results = results_of(tmp_path)
    assert (results["totals"]["complete"], results["totals"]["left"]) == (7, 2)
    assert results["models"]["gen-a"]["exhausted_at"] < results["models"]["gen-b"]["exhausted_at"]
    assert {row["model"] for row in rows_of(tmp_path)} == {"gen-a", "gen-b"}
    runs = task_runs(environment, "p", "C/p")
    assert 2 in runs  # retried by Prefect, with the next model
    register("gen-a", "gen-b", "gen-c")
    one = write_replies(tmp_path / "one.jsonl", "1 2", first={"quota": {"gen-c": 1}})
    with serving(one, port) as url:
        ended = flow(*command)
        assert (ended.returncode, "1 of 2 left" in ended.stderr) == (1, True)
        assert stats(url)["replies"] == {"gen-c": 1}
    assert flow("-m", "blocks.pool", "reset", "gen-pool").returncode == 0
    with serving(write_replies(tmp_path / "many.jsonl", "1 2"), port) as url:
        assert flow(*command).returncode == 0
        assert stats(url)["total_replies"] == 1
    assert len(made_in(tmp_path)) == 9
    assert results_of(tmp_path)["totals"]["calls"] == 9  # all in one run


def test_a_model_that_is_of_no_use_gives_way_to_the_next(flow: Run, tmp_path: Path) -> None:
    """One refuses every request, one translates in place of answering: a pool as long as the seed's has both."""
    refused = {"error": {"code": "invalid_parameter_error", "message": "translation_options is missing"}}
    said = {"stage": "test_inputs", "prompt_tokens": 10, "completion_tokens": 5}
    lines: list[dict[str, object]] = [
        {"stage": stage, "model": "use-no", "content": "", "status": 400, "body": refused}
        for stage in ("test_inputs", "probe", "")
    ]
    lines += [{**said, "model": "use-mt", "content": "Bonjour"}]
    lines += [{**said, "model": "use-all", "content": BLOCK.format(n=1, text="1 2")}]
    replies = tmp_path / "r.jsonl"
    replies.write_text("".join(json.dumps(line) + "\n" for line in lines))
    sources = write_sources(tmp_path / "s.jsonl", 12)
    with recorded_server(replies) as url:
        names = ("use-no", "use-mt", "use-all")
        models = "".join(f'[endpoints.{name}]\nmodel = "{name}"\nbase_url = "{url}"\n' for name in names)
        (tmp_path / "models.toml").write_text(f"{models}[pools.use-pool]\nendpoints = {json.dumps(names)}\n")
        assert flow("-m", "blocks.register", tmp_path / "models.toml").returncode == 0
        command = generating(tmp_path, "--num-tests", "1", "--workers", "3", sources=sources, models="use-pool")
        ended = flow(*command)
        assert ended.returncode == 0, ended.stderr
        results = results_of(tmp_path)
        assert (results["totals"]["complete"], results["totals"]["errors"]) == (12, 0)
        assert {name: each["state"] for name, each in results["models"].items()} == {
            "use-no": "denied", "use-mt": "denied", "use-all": "fit",
        }  # fmt: skip
        assert results["models"]["use-mt"]["calls"] <= 5 + 3  # those in flight when the fifth said nothing


def test_replies_without_inputs_are_asked_for_again_by_the_next_run(flow: Run, tmp_path: Path) -> None:
    sources, replies = write_sources(tmp_path / "s.jsonl", 2), write_replies(tmp_path / "r.jsonl", "1 2")
    lines = [{"stage": "test_inputs", "n": n, "content": "Sorry"} for n in range(1, 7)]
    replies.write_text(
        "".join(json.dumps(line) + "\n" for line in lines) + replies.read_text().replace("{", '{"n": 7, ', 1)
    )
    with recorded_server(replies) as url:
        command = generating(tmp_path, "--num-tests", "1", sources=sources, models=f"{url}#any")
        assert flow(*command).returncode == 0
        assert (results_of(tmp_path)["totals"]["none"], stats(url)["total_replies"]) == (2, 12)
        assert flow(*command).returncode == 0
        assert (results_of(tmp_path)["totals"]["complete"], stats(url)["total_replies"]) == (2, 14)


def task_runs(environment: dict[str, str], start: str, inside: str) -> list[int]:
    """How often the task runs of some names ran, of those that ended well."""
    url = environment["PREFECT_API_URL"]
    body = {"task_runs": {"name": {"like_": f"{start}%{inside}"}, "state": {"type": {"any_": ["COMPLETED"]}}}}
    return [each["run_count"] for each in post(f"{url}/task_runs/filter", {**body, "limit": 200})]


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT], ids=["killed", "interrupted"])
def test_no_half_file_and_nothing_paid_twice(
    environment: dict[str, str], flow: Run, tmp_path: Path, how: signal.Signals
) -> None:
    sources = write_sources(tmp_path / "s.jsonl", 12)
    replies = write_replies(tmp_path / "r.jsonl", "1 2", "1 2", "3 4", latency=0.3)
    with recorded_server(replies) as url:
        more = ("--num-tests", "3", "--workers", "2")  # two in the first round, none in the five after it
        command = generating(tmp_path, *more, sources=sources, models=f"{url}#any")
        process = subprocess.Popen(
            [sys.executable, *map(str, command)], env=environment, cwd=CHECKOUT,
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, preexec_fn=heed_interrupts,
        )  # fmt: skip
        until(lambda: bool(stats(url)["total_replies"] > 20), 120)
        process.send_signal(how)
        _, said = process.communicate(timeout=60)
        if how == signal.SIGINT:
            assert process.returncode == 130
            assert "resume with: python" in said
            assert results_of(tmp_path)["totals"]["left"] > 0
        for path in (tmp_path / "tests").rglob("*.json"):
            json.loads(path.read_text())
        ended = flow(*command)
        assert ended.returncode == 0, ended.stderr
        assert 72 <= stats(url)["total_replies"] <= 72 + 2  # what was in flight when it ended
    assert {name: len(found) for name, found in made_in(tmp_path).items()}.items() >= {
        "p000/C/p000.c.json": 2,
        "p999/C/403_quota.c.json": 2,
    }.items()
    assert len(made_in(tmp_path)) == 12


def test_a_terminal_has_a_live_bar(environment: dict[str, str], tmp_path: Path) -> None:
    ours, theirs = os.openpty()
    process = subprocess.Popen(
        [sys.executable, *map(str, generating(tmp_path))],
        env={**environment, "TERM": "xterm", "COLUMNS": "200"}, cwd=CHECKOUT, stdout=theirs, stderr=theirs,
    )  # fmt: skip
    os.close(theirs)
    shown = b""
    with contextlib.suppress(OSError):  # EIO: the other side has ended
        while part := os.read(ours, 65536):
            shown += part
    os.close(ours)
    assert process.wait() == 0
    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown.decode())
    assert "4/4" in text
    assert re.search(r"0 left, c_programs, [\d,]+ tokens", text)
    assert "4 complete" in text


def test_wrong_usage_is_one_line(flow: Run, tmp_path: Path) -> None:
    usual = {"--sources": SAMPLES, "--models": f"recorded:{REPLIES}", "--tests": tmp_path / "tests"}
    for more, said in (
        ({"--num-tests": "0"}, "--num-tests 0: give a number"),
        ({"--feed": "pipe"}, "pipe"),
        ({"--time-limit": "0"}, "--time-limit 0.0"),
        ({"--timeout": "-1"}, "--timeout -1.0"),
        ({"--cflags": "'"}, "--cflags"),
        ({"--cflags": "-lm '"}, "No closing quotation"),
        ({"--tests": FLOW}, "that is no folder"),
        ({"--sources": tmp_path / "nothing"}, "no such folder or file"),
        ({"--models": "recorded:nothing.jsonl"}, "there is no file"),
    ):
        flags = [part for pair in {**usual, **more}.items() for part in pair]
        ended = flow(FLOW, *flags, "--output", tmp_path / "out")
        assert ended.returncode == 2, (more, ended.stderr)
        assert said in ended.stderr
        assert "Traceback" not in ended.stderr
    assert not list(tmp_path.iterdir())


def test_the_sixty_real_programs(flow: Run, data: Path, tmp_path: Path) -> None:
    replies = data / "recorded" / "c_programs_sample_inputs.jsonl"
    sources = data / "c_programs_60.jsonl"
    ended = flow(*generating(tmp_path, "--num-tests", "1", sources=sources, models=f"recorded:{replies}"))
    assert ended.returncode == 0, ended.stderr
    totals = results_of(tmp_path)["totals"]
    assert (totals["complete"], totals["short"], totals["none"], totals["does_not_compile"]) == (56, 4, 4, 0)
    short = {each["path"]: each["reason"] for each in results_of(tmp_path)["short"]}
    assert set(short) == {f"p{number}/C/p{number}.c" for number in ("002", "015", "025", "034")}
    assert all("rejected: " in reason and reason in ended.stdout for reason in short.values())
    found = made_in(tmp_path)
    assert len(found) == 56
    programs = {row["path"]: row["source"] for row in map(json.loads, sources.read_text().splitlines())}
    for name, tests in found.items():
        (tmp_path / "by_hand.c").write_text(programs[name.removesuffix(".json")])
        subprocess.run(["gcc", "-O1", "-w", "-o", tmp_path / "by_hand", tmp_path / "by_hand.c", "-lm"], check=True)
        ran = subprocess.run(
            [tmp_path / "by_hand"], input=tests[0]["input"].encode(), capture_output=True, check=True
        )
        printed = (ran.stdout + ran.stderr).decode().splitlines()
        assert tests[0]["output"].split("\n") == [line.rstrip() for line in printed]
