"""The rows of training data in the formats of LLaMA-Factory, and its description of them (dataset_info.json).

alpaca: {"instruction": question, "input": "", "output": plan, "system": instructions}
sharegpt: {"conversations": [{"from": "human", "value": question}, {"from": "gpt", "value": plan}], "system": …}
preference: {"instruction": question, "input": "", "chosen": plan, "rejected": plan, "system": instructions}

LLaMA-Factory reads the columns that dataset_info.json names and no others: a system column that is not named there is
left out without a word. Source: the README of its data folder, and its parser and converter of datasets.
"""

from typing import NamedTuple

from pydantic import JsonValue

from tasks.planner_data.candidates import Candidate
from tasks.planner_data.recipe import Format

Row = dict[str, JsonValue]

COLUMNS: dict[Format, dict[str, str]] = {
    "alpaca": {"prompt": "instruction", "query": "input", "response": "output", "system": "system"},
    "sharegpt": {"messages": "conversations", "system": "system"},
    "preference": {
        "prompt": "instruction", "query": "input", "chosen": "chosen", "rejected": "rejected", "system": "system",
    },
}  # fmt: skip
TAGS = {
    "role_tag": "from",
    "content_tag": "value",
    "user_tag": "human",
    "assistant_tag": "gpt",
    "observation_tag": "observation",
    "function_tag": "function_call",
    "system_tag": "system",
}  # all of them: where there are tags, LLaMA-Factory has no defaults


class Pair(NamedTuple):
    """A right plan and a wrong one of the same question."""

    chosen: Candidate
    rejected: Candidate


def supervised(format: Format, plan: Candidate, system: str, thinking: bool) -> Row:
    """Return the row of a plan, as alpaca or sharegpt."""
    question, output = plan.question.text, plan.output if thinking else plan.text
    if format == "sharegpt":
        turns: list[JsonValue] = [{"from": "human", "value": question}, {"from": "gpt", "value": output}]
        return {"conversations": turns, "system": system}
    return {"instruction": question, "input": "", "output": output, "system": system}


def preferred(pair: Pair, system: str, thinking: bool) -> Row:
    """Return the row of a pair."""
    chosen, rejected = (each.output if thinking else each.text for each in pair)
    return {
        "instruction": pair.chosen.question.text,
        "input": "",
        "chosen": chosen,
        "rejected": rejected,
        "system": system,
    }


def description(format: Format, file_name: str) -> Row:
    """Return what dataset_info.json says of a file."""
    said: Row = {"file_name": file_name, "formatting": "sharegpt" if format == "sharegpt" else "alpaca"}
    if format == "preference":
        said["ranking"] = True
    said["columns"] = dict(COLUMNS[format])
    if format == "sharegpt":
        said["tags"] = dict(TAGS)
    return said
