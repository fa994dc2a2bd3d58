"""HumanEval (Chen et al. 2021, arXiv 2107.03374): functions to write from a signature and a docstring.

One row, in the original's fields; `sample_io` (a list of assertions) is an addition of later work:

    {"task_id": "HumanEval/0", "prompt": "from typing import List\\n\\n\\ndef has_close_elements(…", "entry_point":
     "has_close_elements", "canonical_solution": "    for idx, …", "test": "def check(candidate):\\n    assert …",
     "sample_io": ["assert has_close_elements([1.0, 2.0, 3.0], 0.5) == False"]}

Without `sample_io` the samples are the docstring's own `>>>` examples.
"""

import ast
import doctest
import re
from collections.abc import Mapping

from tasks.records import Problem

FIELDS = {"task_id": str, "prompt": str, "entry_point": str, "test": str}


def recognises(row: Mapping[str, object]) -> bool:
    """Tell whether a row is of this dataset."""
    return {"task_id", "prompt", "entry_point"} <= row.keys() and "canonical_solution" in row


def problem_of(row: Mapping[str, object]) -> Problem:
    """Return the problem of a row whose FIELDS are there; raises ValueError where their texts do not fit."""
    prompt, entry_point = str(row["prompt"]), str(row["entry_point"])
    signature = re.search(rf"^(async\s+)?def\s+{re.escape(entry_point)}\b", prompt, re.MULTILINE)
    if signature is None:
        raise ValueError(f"field 'prompt' does not define the entry point {entry_point!r}")
    samples = row.get("sample_io")
    if samples is not None and not (isinstance(samples, list) and all(isinstance(sample, str) for sample in samples)):
        raise ValueError("field 'sample_io' is not a list of assertions")
    solution = row.get("canonical_solution")
    return Problem(
        id=str(row["task_id"]),
        statement=prompt,
        entry_point=entry_point,
        context=prompt[: signature.start()],
        samples=_examples(prompt) if samples is None else tuple(samples),
        test=str(row["test"]),
        reference=prompt + solution if isinstance(solution, str) and solution.strip() else None,
    )


def _examples(prompt: str) -> tuple[str, ...]:
    """Turn the docstring's examples into assertions; an example whose result is no literal is left out."""
    samples = []
    for example in doctest.DocTestParser().get_examples(prompt):
        try:
            ast.parse(example.source.strip(), mode="eval")
            ast.literal_eval(example.want.strip())
        except (SyntaxError, ValueError):
            continue
        samples.append(f"assert {example.source.strip()} == {example.want.strip()}")
    return tuple(samples)
