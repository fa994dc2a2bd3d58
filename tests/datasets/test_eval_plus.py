"""EvalPlus: the released rows, whose tests are inputs, and the hub's, whose tests are source that uses numpy."""

import ast
import json
from pathlib import Path
from typing import Any

import numpy
import pytest

from tasks.datasets.eval_plus import ARGUMENTS, JUDGED, MATCHES
from tasks.datasets.fields import NEAR, NUMPY
from tasks.datasets.load import DatasetError, load
from tests.datasets.given import outcome, problem, told, written

MEAN: dict[str, Any] = {
    "task_id": "HumanEval/9000",
    "prompt": 'def mean(xs: list) -> float:\n    """The mean.\n    >>> mean([1, 2])\n    1.5\n    """\n',
    "contract": "\n    assert xs\n",
    "canonical_solution": "    return sum(xs) / len(xs)\n",
    "entry_point": "mean",
    "base_input": [[[1, 2]], [[1.0, 1.0, 1.1]]],
    "plus_input": [[[4, 8, 9]]],
    "atol": 0,
}
HUB_MEAN = {key: value for key, value in MEAN.items() if key not in ("base_input", "plus_input", "contract", "atol")}
SHARED: dict[str, Any] = {
    "task_id": "Mbpp/2",
    "prompt": '"""\nShare two tuples.\n'
    'assert set(similar_elements((3, 4, 5, 6), (5, 7, 4, 10))) == set((4, 5))\n"""\n',
    "contract": "",
    "canonical_solution": "\ndef similar_elements(a, b):\n    return tuple({*a} & {*b})\n",
    "entry_point": "similar_elements",
    "base_input": [[[3, 4, 5, 6], [5, 7, 4, 10]]],
    "plus_input": [[[], []], [[1, 9], [9, 1]]],
    "assertion": "assert set(similar_elements((3, 4), (4, 5))) == {4}",
    "atol": 0,
}
HELPERS = """\
import numpy as np

def is_floats(x) -> bool:
    if isinstance(x, float):
        return True
    if isinstance(x, (list, tuple)):
        return all(isinstance(i, float) for i in x)
    if isinstance(x, np.ndarray):
        return x.dtype == np.float64 or x.dtype == np.float32
    return False

def assertion(out, exp, atol):
    exact_match = out == exp
    if atol == 0 and is_floats(exp):
        atol = 1e-6
    if not exact_match and atol != 0:
        assert np.allclose(out, exp, rtol=1e-07, atol=atol)
    else:
        assert exact_match
"""
HUB_TEST = f"""{HELPERS}
def check(candidate):
    inputs = [[[1, 2]], [[1.0, 1.0, 1.1]]]
    results = [1.5, 1.0333333333333334]
    for i, (inp, exp) in enumerate(zip(inputs, results)):
        assertion(candidate(*inp), exp, 0)
"""
HUB_SCRIPT = f"""{HELPERS}

inputs = [[1, 2], [2, 5]]
results = [3, 7]
for i, (inp, exp) in enumerate(zip(inputs, results)):
    assertion(add(*inp), exp, 0)
"""
ROOT: dict[str, Any] = {
    "task_id": "HumanEval/32",
    "prompt": "import math\n\n\ndef poly(xs, x):\n    return sum(c * x**i for i, c in enumerate(xs))\n\n\n"
    'def find_zero(xs: list):\n    """A root."""\n',
    "entry_point": "find_zero",
    "canonical_solution": "    return -xs[0] / xs[1]\n",
}


def test_the_released_form_of_humaneval(tmp_path: Path):
    made = problem(tmp_path, MEAN)
    assert (made.id, made.statement, made.entry_point, made.context) == (MEAN["task_id"], MEAN["prompt"], "mean", "")
    assert made.samples.assertions == ("assert mean([1, 2]) == 1.5",)
    assert made.reference == MEAN["prompt"] + MEAN["canonical_solution"]
    assert (made.hidden.size, made.extended.size) == (1, 1)
    assert json.dumps(MEAN["base_input"]) in made.hidden.setup
    assert json.dumps(MEAN["base_input"] + MEAN["plus_input"]) in made.extended.setup


def test_the_released_form_of_mbpp(tmp_path: Path):
    made = problem(tmp_path, SHARED)
    test = "assert set(similar_elements((3, 4, 5, 6), (5, 7, 4, 10))) == set((4, 5))"
    assert (made.id, made.entry_point, made.samples.assertions) == ("Mbpp/2", "similar_elements", (test,))
    assert made.statement == f"Share two tuples.\n\nThe program must pass this test:\n\n{test}\n"


def test_a_task_without_an_assertion_names_its_function(tmp_path: Path):
    made = problem(tmp_path, {**SHARED, "prompt": '"""Share."""\n'})
    assert (made.statement, made.samples.size) == (
        "Share.\n\nThe program must define the function `similar_elements`.\n",
        0,
    )
    dataset = load(str(written(tmp_path, {**SHARED, "prompt": "'''\nShare.\nassert (\n'''\n"})))
    assert dataset.problems[0].statement.startswith("Share.\nassert (")
    assert dataset.notes[0].startswith("line 1, Mbpp/2: no sample: field 'prompt' is not Python")


@pytest.mark.parametrize(
    ("program", "said"),
    [
        ("def mean(xs): return sum(xs) / len(xs) + 1e-9", "passed"),
        ("def mean(xs): return sum(xs) / len(xs) + 1e-5", "wrong_answer"),
        ("def mean(xs): return [sum(xs) / len(xs) + 1e-9]", "wrong_answer"),
        ("def mean(xs): return str(sum(xs) / len(xs))", "wrong_answer"),
        ("def mean(xs): return float('inf')", "wrong_answer"),
        ("def mean(xs): raise ValueError", "runtime_error"),
        ("def mean(xs):\n    result = sum(xs) / len(xs)\n    xs.clear()\n    return result", "passed"),
        ("class Any:\n    def __eq__(self, other): return True\ndef mean(xs): return Any()", "wrong_answer"),
    ],
)
async def test_floats_are_compared_within_a_millionth(tmp_path: Path, program: str, said: str):
    assert await outcome(problem(tmp_path, MEAN), program, "extended") == said


async def test_the_tolerance_of_a_row(tmp_path: Path):
    row = {**MEAN, "canonical_solution": "    return [1, 1e300, float('inf')]\n", "atol": 0.1}
    made = problem(tmp_path, row)
    for value, said in (
        ("[1.05, 1e300, float('inf')]", "passed"),
        ("[1, 1e300, 5.0]", "wrong_answer"),
        ("[1.2, 1e300, float('inf')]", "wrong_answer"),
        ("(1.05, 1e300, float('inf'))", "wrong_answer"),
        ("[1.05, 1e300]", "wrong_answer"),
    ):
        assert await outcome(made, f"def mean(xs): return {value}") == said, value


@pytest.mark.parametrize(
    ("task", "reference", "rows", "right", "wrong"),
    [
        ("Mbpp/7 find_char_long", "def f(s): return ['a', 'b']", [["ab"]], "['b', 'a', 'b']", "['a']"),
        ("Mbpp/9 check_str", "def f(s): return 'Valid'", [["a"]], "object()", "None"),
        ("Mbpp/9 check_str", "import re\ndef f(s): return re.match(s, 'a')", [["a"]], "re.match('a', 'a')", "False"),
        ("Mbpp/295 sum_div", "def f(n): return n", [[4]], "0", "1"),
        ("Mbpp/581 surface_Area", "def f(b, h): return 33", [[3, 4]], "35", "34"),
        ("Mbpp/558 digit_distance_nums", "def f(a, b): return 9", [[1, 256]], "12", "6"),
        ("Mbpp/75 f", "def f(x, k): return type(x[0]) is tuple and k", [[[[6, 24], [7, 9]], 6]], "6", "True"),
        ("Mbpp/124 f", "def f(a, b): return [a, b]", [["0.0", "1j"]], "[0.0, 1j]", "['0.0', '1j']"),
        ("Mbpp/115 f", "def f(x): return x", [[[[1, 2], []]]], "[{1, 2}, {}]", "[[1, 2], []]"),
        ("Mbpp/580 f", "def f(x): return x", [[[1, [2, [3]]]]], "(1, (2, (3,)))", "[1, [2, [3]]]"),
        ("Mbpp/722 f", "def f(x, n): return x", [[{"a": [1, 2]}, 1]], "{'a': (1, 2)}", "{'a': [1, 2]}"),
        ("Other/75 f", "def f(x, k): return x", [[[[6, 24]], 6]], "[[6, 24]]", "[(6, 24)]"),
    ],
)  # fmt: skip
async def test_what_evalplus_judges_in_its_own_way(
    tmp_path: Path, task: str, reference: str, rows: list[Any], right: str, wrong: str
):
    number, _, name = task.partition(" ")
    solution = reference.replace("def f(", f"def {name}(")
    row = {**SHARED, "task_id": number, "entry_point": name, "canonical_solution": f"\n{solution}\n"}
    made = problem(tmp_path, {**row, "base_input": rows, "plus_input": []})
    assert made.reference is not None
    assert await outcome(made, made.reference) == "passed"
    assert await outcome(made, f"import re\ndef {name}(*given): return {right}") == "passed"
    assert await outcome(made, f"import re\ndef {name}(*given): return {wrong}") == "wrong_answer"


@pytest.mark.parametrize("form", ["released", "hub"])
async def test_a_root_is_judged_by_the_value_of_the_polynomial(tmp_path: Path, form: str):
    loop = "for i, (inp, exp) in enumerate(zip([[[1, 2]]], [-0.5])):"
    poly = "def _poly(xs, x):\n    return sum([c * math.pow(x, i) for i, c in enumerate(xs)])\n"
    published = f"import math\n{poly}\ndef check(candidate):\n    {loop}\n"
    forms: dict[str, dict[str, Any]] = {
        "released": {"base_input": [[[1, 2]], [[3, 1e9]]], "plus_input": [], "atol": 1e-4},
        "hub": {"test": f"{published}        assert _poly(*candidate(*inp), inp) <= 0.0001\n"},
    }
    made = problem(tmp_path, {**ROOT, **forms[form]})
    assert made.reference is not None
    assert await outcome(made, made.reference) == "passed"
    assert await outcome(made, "def find_zero(xs): return -xs[0] / xs[1] * (1 + 1e-6)") == "passed"
    assert await outcome(made, "def find_zero(xs): return -1.5") == "wrong_answer"
    assert await outcome(made, "def find_zero(xs): return None") == "wrong_answer"


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"entry_point": "median"}, "field 'canonical_solution' does not define the entry point 'median'"),
        ({"canonical_solution": "return ("}, "field 'canonical_solution' is not Python"),
        ({"base_input": [1]}, "field 'base_input' is not a list of lists of arguments"),
        ({"plus_input": "{"}, "field 'plus_input' is not JSON"),
        ({"plus_input": "{}"}, "field 'plus_input' is not a list of lists of arguments"),
        ({"atol": -1}, "field 'atol' is not a tolerance: -1"),
        ({"atol": "small"}, "field 'atol' is not a tolerance: 'small'"),
        ({"base_input": []}, "field 'base_input' is not a non-empty list (read as eval_plus)"),
    ],
)
def test_a_row_that_does_not_fit(tmp_path: Path, fields: dict[str, object], said: str):
    with pytest.raises(DatasetError) as caught:
        problem(tmp_path, {**MEAN, **fields})
    assert f"mine.jsonl, line 1: {said}" in told(str(caught.value))


@pytest.mark.parametrize("name", MATCHES)
async def test_a_match_is_a_result_of_the_hub_s_mbpp(tmp_path: Path, name: str):
    """What is found is no plain value; the tests only want to know whether there is any."""
    reference = f"import re\ndef {name}(text): return re.match('a', text)"
    script = (
        f"{HELPERS}\ninputs = [['a'], ['b']]\nresults = [True, False]\n{HUB_SCRIPT[HUB_SCRIPT.rindex('for i') :]}"
    )
    row = {
        "task_id": 9,
        "prompt": "Find it.",
        "code": reference,
        "test_list": [f"assert {name}('b') is None"],
        "test": script.replace("add(", f"{name}("),
    }
    made = problem(tmp_path, row)
    assert await outcome(made, reference, "extended") == "passed"
    assert await outcome(made, f"def {name}(text): return text == 'a'", "extended") == "passed"
    assert await outcome(made, f"def {name}(text): return 'no'", "extended") == "wrong_answer"


def test_tests_that_use_more_of_numpy_are_named(tmp_path: Path):
    with pytest.raises(
        DatasetError, match=r"line 1: HumanEval/9000: its tests use numpy.linalg, which graders do not"
    ):
        problem(tmp_path, {**HUB_MEAN, "test": HUB_TEST.replace("np.allclose", "np.linalg.norm")})
    script = HUB_SCRIPT.replace("np.allclose", "np.isclose")
    mbpp = {"task_id": 7, "prompt": "Add.", "code": "def add(a, b): pass", "test_list": ["assert add(1, 2) == 3"]}
    for test, reason in (
        (script, "its tests use numpy.isclose"),
        (f"{HELPERS}\ninputs = []", "does not end in a loop"),
    ):
        dataset = load(str(written(tmp_path, {**mbpp, "test": test})))
        assert dataset.problems[0].extended.size == 0
        assert dataset.notes[0].startswith("line 1, MBPP/7: left out: field 'test'") and reason in dataset.notes[0]


def test_a_number_that_python_does_not_read_costs_its_row_alone(tmp_path: Path):
    long = {**HUB_MEAN, "task_id": "HumanEval/83", "test": HUB_TEST.replace("1.5,", "1" * 5000 + ",")}
    dataset = load(str(written(tmp_path, long, {**HUB_MEAN, "test": HUB_TEST})))
    assert [each.id for each in dataset.problems] == ["HumanEval/9000"]
    assert dataset.skipped == ("line 1: HumanEval/83: field 'test' holds a number of more digits than Python reads",)


@pytest.mark.parametrize(
    ("got", "expected"),
    [
        (1.0, 1.0 + 1e-9), (1.0, 1.1), ([1.0, 2], [1.0, 2.0]), ([1.0], [1.2]), (float("inf"), float("inf")),
        (5.0, float("inf")), (float("inf"), 5.0), (float("nan"), float("nan")), (1j, 1j + 1e-9), (1j, 2j), (3, 3.0),
        ([[1.0, 2.0], [3.0, 4.0]], [[1.0, 2.0], [3.0, 4.0 + 1e-8]]), (True, 1.0), ((), ()),
    ],
)  # fmt: skip
@pytest.mark.parametrize("within", [{}, {"rtol": 1e-7, "atol": 1e-6}])
def test_the_stand_in_says_what_numpy_says(got: Any, expected: Any, within: dict[str, Any]):
    defined: dict[str, Any] = {}
    exec(NEAR + NUMPY.format(name="np"), defined)
    assert defined["np"].allclose(got, expected, **within) == bool(numpy.allclose(got, expected, **within))


def test_the_published_arguments_of_mbpp_are_made_again(data: Path):
    """Tuples and sets in the assertions of the original, of which JSON has lists; four tasks differ in EvalPlus."""

    def plain(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: plain(each) for key, each in value.items()}
        if isinstance(value, list | tuple | set):
            return [plain(each) for each in value]
        return str(value) if isinstance(value, complex) else value

    source = JUDGED.format(
        near="",
        atol=0,
        reference="",
        entry_point="",
        inputs="[]",
        arguments="row",
        expected="expected",
        oracle="True",
    )
    defined: dict[str, Any] = {}
    exec(source, defined)
    rows = {row["task_id"]: row for row in map(json.loads, (data / "mbpp_974.jsonl").read_text().splitlines())}
    others, same = {70, 143, 596, 617}, 0
    for shape, tasks in ARGUMENTS.items():
        for number in set(tasks) - others:
            functions = {
                each.name for each in ast.parse(rows[number]["code"]).body if isinstance(each, ast.FunctionDef)
            }
            calls = (node for node in ast.walk(ast.parse(rows[number]["test_list"][0])) if isinstance(node, ast.Call))
            call = next(each for each in calls if isinstance(each.func, ast.Name) and each.func.id in functions)
            given = [eval(ast.unparse(each)) for each in call.args]
            assert list(eval(shape, {**defined, "row": plain(given)})) == given, (number, shape)
            same += 1
    assert same == sum(map(len, ARGUMENTS.values())) - len(others)
