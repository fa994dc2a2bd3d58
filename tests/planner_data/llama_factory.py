"""LLaMA-Factory's documented rules for data, checked field by field; what a trainer would see of a row."""

import json
from pathlib import Path
from typing import Any, NamedTuple

KEYS = {"file_name", "formatting", "ranking", "columns", "tags"}
COLUMNS = {
    "alpaca": {"prompt", "query", "response", "history", "system", "tools", "chosen", "rejected"},
    "sharegpt": {"messages", "system", "tools", "chosen", "rejected"},
}
TAGS = {"role_tag", "content_tag", "user_tag", "assistant_tag", "observation_tag", "function_tag", "system_tag"}


class Seen(NamedTuple):
    """What is trained on: the system's text, the prompt, and one response, or the better and the worse one."""

    system: str
    prompt: str
    responses: tuple[str, ...]


def described(folder: Path) -> dict[str, list[Seen]]:
    """Check every dataset that dataset_info.json describes; return its rows by its name."""
    info = json.loads((folder / "dataset_info.json").read_text())
    named = {entry["file_name"] for entry in info.values()}
    assert named == {path.name for path in folder.glob("*_thinking.json")}
    return {name: _rows(folder, entry) for name, entry in info.items()}


def _rows(folder: Path, entry: dict[str, Any]) -> list[Seen]:
    assert set(entry) <= KEYS
    formatting, columns = entry["formatting"], entry["columns"]
    assert set(columns) <= COLUMNS[formatting]
    assert columns["system"] == "system", "an unmapped system is left out"
    rows = json.loads((folder / entry["file_name"]).read_text())
    assert rows
    for row in rows:
        assert set(row) == set(columns.values()), "a column that is not mapped is not read"
    if formatting == "sharegpt":
        assert set(entry["tags"]) == TAGS
        return [_conversation(row, columns, entry["tags"]) for row in rows]
    assert "tags" not in entry
    return [_instruction(row, columns, entry.get("ranking", False)) for row in rows]


def _instruction(row: dict[str, Any], columns: dict[str, str], ranking: bool) -> Seen:
    assert ranking is ("chosen" in columns)
    names = ("chosen", "rejected") if ranking else ("response",)
    responses = tuple(row[columns[name]] for name in names)
    prompt = "\n".join(part for part in (row[columns["prompt"]], row[columns["query"]]) if part)
    return _sound(Seen(row[columns["system"]], prompt, responses))


def _conversation(row: dict[str, Any], columns: dict[str, str], tags: dict[str, str]) -> Seen:
    turns = row[columns["messages"]]
    assert all(set(turn) == {tags["role_tag"], tags["content_tag"]} for turn in turns)
    for number, turn in enumerate(turns, start=1):
        role = turn[tags["role_tag"]]
        odd, even = (tags["user_tag"], tags["observation_tag"]), (tags["assistant_tag"], tags["function_tag"])
        assert role in (odd if number % 2 else even), "people are in odd places, models in even ones"
    assert len(turns) == 2
    first, second = (turn[tags["content_tag"]] for turn in turns)
    return _sound(Seen(row[columns["system"]], first, (second,)))


def _sound(seen: Seen) -> Seen:
    assert all(isinstance(text, str) and text.strip() for text in (seen.system, seen.prompt, *seen.responses))
    return seen
