"""Rows of one execution of one run, as attempts leave them in the spool; what no test looks at is filled in."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from blocks.records import AttemptRow, CallRow, ExecutionRow, Message, ProgramRow, Row, RunRow, TestRow
from blocks.spool import Spool

START = datetime(2026, 1, 2, 3, 0, tzinfo=UTC)
RUN = "aaaa1111-0000-4000-8000-000000000001"


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


class Execution:
    """Writes rows; `at` is when it began, in seconds, so that rows of a later execution are later."""

    def __init__(self, output: Path, name: str = "first", *, began: float = 0) -> None:
        self.name, self.began, self.calls = name, began, 0
        self.spool = Spool(output, RUN, name)

    def __enter__(self) -> "Execution":
        return self

    def __exit__(self, *_: object) -> None:
        end = at(self.began + 60)
        self.write(
            ExecutionRow, **self._execution(), written_at=end, status="done", wall_seconds=60.0, finished_at=end
        )
        self.spool.close()

    def run(self, *, samples: int = 1, configuration: str = "{}", flow: str = "solve", **more: Any) -> None:
        fields: dict[str, Any] = {
            "dataset": "mini",
            "strategy": "codesim",
            "models": ["small"],
            "language": "Python3",
            "problems": 3,
        }
        fields |= {"temperature": 0.8, "top_p": None, "folder": "results/mini/Run-1", "created_at": START}
        self.write(RunRow, **{**fields, "flow": flow, "samples": samples, "configuration": configuration, **more})
        self.write(ExecutionRow, **self._execution(), status="running")

    def call(self, problem_id: str, stage: str, second: float, *, sample: int = 0, **more: Any) -> None:
        self.calls += 1
        fields: dict[str, Any] = {
            "call_key": f"{self.name}-{self.calls}",
            "ordinal": 1,
            "pool": "pool",
            "model_number": 1,
        }
        fields |= {"endpoint": "endpoint", "model": "served", "prompt_tokens": 100, "completion_tokens": 10}
        fields |= {"seconds": 1.0, "cost": 0.25, "currency": "USD", "reply": f"reply to {stage} of {problem_id}"}
        fields |= {"messages": [Message(role="user", content=f"{stage} of {problem_id}")]}
        fields |= {"started_at": at(self.began + second), "finished_at": at(self.began + second + 1)}
        self._attempted(CallRow, problem_id, sample, **{**fields, "stage": stage, "execution_id": self.name, **more})

    def round(self, problem_id: str, number: int, program: str, *, sample: int = 0, **more: Any) -> None:
        fields: dict[str, Any] = {"stage": "coding", "samples": 1, "samples_passed": 0, "report": ""}
        self._attempted(ProgramRow, problem_id, sample, **{**fields, "round": number, "program": program, **more})

    def attempt(self, problem_id: str, solved: bool | None, *, sample: int = 0, **more: Any) -> None:
        outcome = {True: "passed", False: "wrong_answer", None: "error"}[solved]
        fields: dict[str, Any] = {
            "task_run_id": None,
            "tests": 4,
            "tests_passed": 4 if solved else 1,
            "outcome": outcome,
        }
        fields |= {"started_at": at(self.began), "finished_at": at(self.began + 50), "program": f"# {problem_id}\n"}
        self._attempted(
            AttemptRow, problem_id, sample, **{**fields, "solved": solved, "execution_id": self.name, **more}
        )

    def test(self, problem_id: str, number: int, outcome: str, *, sample: int = 0, **more: Any) -> None:
        fields: dict[str, Any] = {"suite": "hidden", "isolation": "process", "execution_id": self.name}
        self._attempted(TestRow, problem_id, sample, **{**fields, "test": number, "outcome": outcome, **more})

    def write(self, row: type[Row], **fields: Any) -> None:
        when = {"run_id": RUN, "written_at": at(self.began)}
        self.spool.append(row.model_validate({**when, **fields}))

    def _attempted(self, row: type[Row], problem_id: str, sample: int, **fields: Any) -> None:
        self.write(row, problem_id=problem_id, sample=sample, **fields)

    def _execution(self) -> dict[str, Any]:
        fields: dict[str, Any] = {
            "execution_id": self.name,
            "flow_run_id": None,
            "flow_run_name": None,
            "isolation": "process",
        }
        return {**fields, "workers": 16, "eval_workers": 2, "started_at": at(self.began)}
