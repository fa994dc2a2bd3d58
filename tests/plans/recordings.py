"""Recorded replies of a planner and two models, for questions of any file."""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

SHAPES: tuple[tuple[tuple[int, int, tuple[int, ...]], ...], ...] = (
    ((1, 2, ()), (2, 4, (1,)), (3, 6, (2,))),
    ((1, 1, ()), (2, 5, (1,)), (3, 3, (1,)), (4, 7, (2, 3))),
    ((1, 2, ()), (2, 3, (1,)), (3, 4, (1,)), (4, 8, (1,)), (5, 4, (2, 3, 4))),
)  # id, difficulty, dependencies


class Recorded(NamedTuple):
    """Files of replies, by who gives them."""

    planner: Path
    small: Path
    large: Path

    def flags(self) -> list[object]:
        return ["--planner", f"recorded:{self.planner}", "--small", f"recorded:{self.small}",
                "--large", f"recorded:{self.large}"]  # fmt: skip


def plan(shape: Sequence[tuple[int, int, tuple[int, ...]]], about: str = "this") -> str:
    """A plan of that shape, as a planner writes it."""
    steps = "\n".join(
        f'  <Step ID="{id}" Task="Step {id} of {about}" Difficulty="{difficulty}" Token="{40 + 10 * id}" '
        f'Rely="{",".join(map(str, rely))}"/>'
        for id, difficulty, rely in shape
    )
    return f"<think>hm</think>\n<Plan>\n{steps}\n</Plan>"


def reply(problem_id: str, stage: str, content: str, n: int = 1, **more: Any) -> dict[str, Any]:
    return {
        "problem_id": problem_id, "stage": stage, "n": n, "content": content,
        "prompt_tokens": 50, "completion_tokens": 20, **more,
    }  # fmt: skip


def record(path: Path, replies: Iterable[dict[str, Any]], model: str | None = None) -> Path:
    """Write a file of replies of one model, named by its file."""
    lines = [json.dumps({"model": model or path.stem, **each}) + "\n" for each in replies]
    path.write_text("".join(lines), encoding="utf-8")
    return path


def recorded(folder: Path, answers: Sequence[tuple[str, str]], **more: Any) -> Recorded:
    """Replies for (question id, final answer): every third one has a plan of the same shape."""
    planner, small, large = list[dict[str, Any]](), list[dict[str, Any]](), list[dict[str, Any]]()
    for number, (id, answer) in enumerate(answers):
        shape = SHAPES[number % len(SHAPES)]
        planner.append(reply(id, "planning", plan(shape), **more))
        for step, _, _ in shape:
            for size in (small, large):
                size.append(reply(id, "step", f"result {step}", step, **more))
        small.append(reply(id, "aggregation", answer, **more))
        for size in (small, large):
            size.append(reply(id, "direct", answer, **more))
    folder.mkdir(parents=True, exist_ok=True)
    return Recorded(
        record(folder / "planner.jsonl", planner),
        record(folder / "small.jsonl", small),
        record(folder / "large.jsonl", large),
    )
