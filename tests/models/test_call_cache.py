"""The call cache over real spools: what was paid for is found again, whatever happened to its process."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blocks.records import CallRow, Message, Request, now
from blocks.spool import SEGMENT_BYTES, Spool
from tasks.models.call_cache import CallCache, call_key

CHECKOUT = Path(__file__).parents[2]
REQUEST = Request(
    messages=(Message(role="system", content="s"), Message(role="user", content="u")),
    temperature=0.0,
    top_p=0.95,
    max_tokens=100,
    problem_id="p",
    sample=0,
    stage="coding",
    ordinal=1,
)


def call(key: str, reply: str | None = "hi", *, run_id: str = "run", **more: object) -> CallRow:
    fields = {
        "run_id": run_id,
        "call_key": key,
        "problem_id": "p",
        "sample": 0,
        "stage": "coding",
        "ordinal": 1,
        "execution_id": "one",
        "pool": "pool",
        "model_number": 1,
        "endpoint": "e",
        "model": "m",
        "seconds": 1.0,
        "started_at": now(),
        "finished_at": now(),
        "reply": reply,
        **more,
    }
    return CallRow.model_validate(fields)


def key_of(number: int) -> str:
    return f"{number:064x}"


# Keys


def test_equal_calls_have_equal_keys():
    again = Request.model_validate_json(REQUEST.model_dump_json())
    assert call_key("run", "pool", again) == call_key("run", "pool", REQUEST)
    assert len(call_key("run", "pool", REQUEST)) == 64


@pytest.mark.parametrize(
    "change",
    [
        {"problem_id": "q"},
        {"sample": 1},
        {"stage": "planning"},
        {"ordinal": 2},
        {"temperature": 0.1},
        {"temperature": None},
        {"top_p": None},
        {"max_tokens": None},
        {"messages": (Message(role="user", content="u"),)},
        {"messages": (Message(role="user", content="s"), Message(role="user", content="u"))},
        {"messages": (Message(role="system", content="su"), Message(role="user", content=""))},
    ],
    ids=str,
)
def test_every_part_of_a_call_is_in_its_key(change: dict[str, object]):
    assert call_key("run", "pool", REQUEST.model_copy(update=change)) != call_key("run", "pool", REQUEST)


def test_run_and_pool_are_in_the_key():
    keys = {call_key(run, pool, REQUEST) for run in ("a", "b") for pool in ("a", "b")}
    assert len(keys) == 4


# Finding


def test_a_call_is_found_at_once_and_by_a_later_execution(tmp_path: Path):
    spool = Spool(tmp_path, "run", "one")
    cache = CallCache(spool)
    assert cache.find(key_of(1)) is None
    row = call(key_of(1), "grüße 🎻 \u2028\n\x00", messages=REQUEST.messages, reasoning="hm")
    cache.add(row)
    assert cache.find(key_of(1)) == row
    assert CallCache(Spool(tmp_path, "run", "two")).find(key_of(1)) == row, "before anything is closed"
    spool.close()
    assert CallCache(Spool(tmp_path, "run", "two")).find(key_of(1)) == row
    assert CallCache(Spool(tmp_path, "other run", "two")).find(key_of(1)) is None
    assert cache.paid == 1


def test_a_failed_call_is_recorded_and_found_by_nobody(tmp_path: Path):
    cache = CallCache(Spool(tmp_path, "run", "one"))
    cache.add(call("f" * 32, None, error_kind="transient", status=500))
    cache.add(call(key_of(1)))
    again = CallCache(Spool(tmp_path, "run", "two"))
    assert again.find(key_of(1)) is not None
    assert again.find(call_key("run", "pool", REQUEST)) is None
    assert cache.paid == 1


def test_the_calls_of_a_finished_attempt_are_forgotten_in_memory_alone(tmp_path: Path):
    cache = CallCache(Spool(tmp_path, "run", "one"))
    for number in (1, 2):
        cache.add(call(key_of(number)))
    cache.forget([key_of(1), key_of(3)])
    assert cache.find(key_of(1)) is None
    assert cache.find(key_of(2)) is not None
    assert CallCache(Spool(tmp_path, "run", "two")).find(key_of(1)) is not None


def test_replies_are_found_over_many_segments(tmp_path: Path):
    """Replies without their texts in the store keep them in the spool."""
    large = "x" * (SEGMENT_BYTES * 2 // 3)
    spool = Spool(tmp_path, "run", "one")
    cache = CallCache(spool)
    for number in range(5):
        cache.add(call(key_of(number), f"{number}{large}", keep_text=False))
    assert len(list(spool.folder.glob("calls/one-*.jsonl"))) == 3
    for each in (cache, CallCache(Spool(tmp_path, "run", "two"))):
        for number in range(5):
            row = each.find(key_of(number))
            assert row is not None
            assert row.reply == f"{number}{large}"


@given(st.lists(st.text(), max_size=6), st.integers(0, 400))
def test_whatever_is_torn_off_the_end_the_whole_lines_are_found(
    tmp_path_factory: pytest.TempPathFactory, replies: list[str], torn: int
):
    output = tmp_path_factory.mktemp("output")
    spool = Spool(output, "run", "one")
    cache = CallCache(spool)
    for number, reply in enumerate(replies):
        cache.add(call(key_of(number), reply))
    spool.close()
    whole = len(replies)
    for path in spool.folder.glob("calls/*.jsonl"):
        left = path.read_bytes()[: -torn or None]
        path.write_bytes(left)
        whole = left.count(b"\n")
    again = CallCache(Spool(output, "run", "two"))
    found = [again.find(key_of(number)) for number in range(len(replies))]
    assert [row.reply for row in found if row] == replies[:whole]


@pytest.mark.parametrize(
    "line", [b"\n", b"garbage\n", b"{}\n", b'{"call_key":7}\n', b'\xff\xfe\n{"run_id":"x"}\n', b"\x00" * 9]
)
def test_a_line_that_is_no_call_is_passed_over(tmp_path: Path, line: bytes):
    spool = Spool(tmp_path, "run", "one")
    CallCache(spool).add(call(key_of(1)))
    (path,) = spool.folder.glob("calls/*.jsonl")
    path.with_name("zero-0000.jsonl").write_bytes(line)
    path.with_name("other-0000.jsonl").write_bytes(line + call(key_of(2)).model_dump_json().encode() + b"\n")
    again = CallCache(Spool(tmp_path, "run", "two"))
    assert again.find(key_of(1)) is not None
    assert (again.find(key_of(2)) is not None) == line.endswith(b"\n")
    again.add(call(key_of(2), "again"))
    found = again.find(key_of(2))
    assert found is not None
    assert found.reply == "again"


# What happens to the process

CHILD = """
import resource, sys
from pathlib import Path
from blocks.spool import Spool
from tasks.models.call_cache import CallCache
from tests.models.test_call_cache import call, key_of
"""


def child(script: str, *arguments: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", CHILD + script, *map(str, arguments)],
        cwd=CHECKOUT,
        stdout=subprocess.PIPE,
        text=True,
    )


@pytest.mark.parametrize("size", [10, 400_000])
def test_a_process_that_is_killed_loses_no_reply_that_it_had(tmp_path: Path, size: int):
    script = """
cache = CallCache(Spool(Path(sys.argv[1]), "run", "killed"))
for number in range(10**9):
    cache.add(call(key_of(number), "x" * int(sys.argv[2])))
    print(number, flush=True)
"""
    process = child(script, tmp_path, size)
    assert process.stdout is not None
    said = [int(process.stdout.readline()) for _ in range(20)]
    os.kill(process.pid, signal.SIGKILL)
    said += [int(line) for line in process.stdout.read().splitlines(keepends=True) if line.endswith("\n")]
    process.wait()
    cache = CallCache(Spool(tmp_path, "run", "two"))
    assert said == list(range(len(said)))
    for number in said:
        row = cache.find(key_of(number))
        assert row is not None
        assert row.reply == "x" * size
    assert cache.find(key_of(len(said) + 1)) is None, "at most one that nobody heard of"


def test_a_full_disk_stops_the_writer_and_spoils_no_line(tmp_path: Path):
    """A limit on the size of a file stands in for the full disk: the kernel takes a part of the line."""
    script = """
cache = CallCache(Spool(Path(sys.argv[1]), "run", "one"))
cache.add(call(key_of(1)))
hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
resource.setrlimit(resource.RLIMIT_FSIZE, (3000, hard))
for _ in range(2):
    try:
        cache.add(call(key_of(2), "x" * 5000))
    except OSError as problem:
        print(problem)
resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
cache.add(call(key_of(3)))
print(cache.find(key_of(2)), cache.find(key_of(3)).reply)
"""
    out, _ = child(script, tmp_path).communicate(timeout=60)
    first, second, last = out.splitlines()
    assert "is the disk full?" in first
    assert "is the disk full?" in second
    assert last == "None hi"
    (path,) = tmp_path.glob(".consort/spool/run/calls/*.jsonl")
    assert [json.loads(line)["call_key"] for line in path.read_text().splitlines()] == [key_of(1), key_of(3)]
