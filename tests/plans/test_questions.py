"""Files of questions: what is read, what is refused and how, and the samples of them."""

import json
from pathlib import Path

import pytest

from blocks.errors import UsageError
from tasks.models import recording
from tasks.plans.checking.answers import decide
from tasks.plans.parse import PlanError, plan_of
from tasks.plans.questions import read_questions, sampled
from tasks.plans.records import Plan, Question
from tests.processes import CHECKOUT

RECORDED = CHECKOUT / "data" / "recorded" / "plan_execute"
MODELS = ("planner", "small", "large")
BUNDLED = read_questions(CHECKOUT / "data" / "questions.jsonl").questions

ROWS = [
    {"problem": "How many?", "answer": 3, "subject": "counting", "difficulty": 4},
    {"id": "b", "task_id": "never", "problem": "Which?\n\nA. this\nB. that", "answer": "that"},
    {"task_id": 7, "problem": "Why?"},
    {"problem": "Is it?", "answer": True, "subject": ""},
    {"id": 0, "problem": "How much?", "answer": 2.5, "subject": None},
]
READ = (
    Question(id="1", text="How many?", answer="3", subject="counting"),
    Question(id="b", text="Which?\n\nA. this\nB. that", answer="that"),
    Question(id="7", text="Why?"),
    Question(id="4", text="Is it?", answer="True"),
    Question(id="0", text="How much?", answer="2.5"),
)


def written(folder: Path, text: str | bytes, name: str = "mine.json") -> Path:
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


@pytest.mark.parametrize(
    "text",
    [
        json.dumps(ROWS),
        json.dumps(ROWS, indent=2),
        "\n".join(json.dumps(row) for row in ROWS),
        "\ufeff\r\n" + "\r\n\r\n".join(json.dumps(row) for row in ROWS) + "\r\n",
        "\ufeff  " + json.dumps(ROWS),
    ],
    ids=["list", "list over lines", "lines", "lines with a mark, blank ones, CRLF", "list with a mark"],
)
def test_lists_and_lines(tmp_path: Path, text: str):
    found = read_questions(written(tmp_path, text))
    assert found.questions == READ
    assert (found.name, found.path) == ("mine", tmp_path / "mine.json")
    assert len(found.hash) == 64
    assert read_questions(str(found.path)) == found


def test_the_hash_is_of_the_bytes(tmp_path: Path):
    first, second = json.dumps(ROWS), json.dumps(ROWS, indent=1)
    assert read_questions(written(tmp_path, first)).hash != read_questions(written(tmp_path, second)).hash


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('[{"problem": "a"}, {"question": "b"}]', "row 2: no `problem`"),
        ('{"problem": "a"}\n\n{"problem": " "}', "row 2: no `problem`"),
        ('[{"problem": null}]', "row 1: no `problem`"),
        ('[{"problem": ["a"]}]', "row 1: `problem` is neither a text nor a number"),
        ('[{"problem": "a", "answer": {"is": 1}}]', "row 1: `answer` is neither a text nor a number"),
        ('[{"problem": "a", "subject": []}]', "row 1: `subject` is neither a text nor a number"),
        ('["a"]', "row 1: not a JSON object"),
        ("[1", "is not JSON (Expecting"),
        ("[" * 100_000, "is not JSON ("),
        ('{"problem": "a"}\nno', "row 2: not JSON (Expecting"),
        ("[]", "holds no rows"),
        ("", "holds no rows"),
        (" \n\n", "holds no rows"),
        (b"\xff\xfe", "is not UTF-8 text"),
        ('[{"problem": "\\ud83d"}]', "row 1: "),
        ('[{"id": "x", "problem": "a"}, {"id": "x", "problem": "b"}]', "row 2: the id 'x' is that of row 1 too"),
        ('[{"id": 2, "problem": "a"}, {"problem": "b"}]', "row 2: the id '2' is that of row 1 too"),
        ('[{"id": 1, "problem": "a"}, {"task_id": "1", "problem": "b"}]', "row 2: the id '1' is that of row 1 too"),
    ],
)
def test_what_is_refused_is_named_in_one_line(tmp_path: Path, text: str | bytes, says: str):
    path = written(tmp_path, text)
    with pytest.raises(UsageError) as caught:
        read_questions(path)
    assert says in str(caught.value)
    assert str(caught.value).startswith(str(path))
    assert len(str(caught.value).splitlines()) == 1


def test_a_file_that_is_missing_or_a_folder(tmp_path: Path):
    for path in (tmp_path / "none.json", tmp_path):
        with pytest.raises(UsageError, match=r"cannot be read \(.*\); give a JSON or JSONL file"):
            read_questions(path)


@pytest.mark.parametrize("value", [True, False, None, "", "  ", 1.5, ["a"]])
def test_what_is_no_id_is_passed_over(tmp_path: Path, value: object):
    path = written(tmp_path, json.dumps([{"id": value, "problem": "a"}]))
    assert read_questions(path).questions[0].id == "1"


def test_a_sample_is_the_same_for_a_seed_and_in_the_order_of_the_file():
    questions = [Question(id=str(number), text="?") for number in range(300)]
    first = sampled(questions, 50, 0)
    assert first == sampled(questions, 50, 0) != sampled(questions, 50, 1)
    numbers = [int(question.id) for question in first]
    assert numbers == sorted(set(numbers))
    assert len(numbers) == 50
    assert max(numbers) > 200  # not the first ones


def test_a_larger_sample_holds_the_smaller_one():
    questions = [Question(id=str(number), text="?") for number in range(40)]
    for limit in range(1, 40):
        assert set(sampled(questions, limit, 3)) < set(sampled(questions, limit + 1, 3))


@pytest.mark.parametrize("limit", [None, 5, 6, 1000])
def test_without_a_limit_or_with_a_large_one_all_are_taken(limit: int | None):
    assert sampled(READ, limit, 0) == READ


@pytest.mark.parametrize("limit", [0, -1])
def test_a_limit_that_leaves_nothing_is_refused(limit: int):
    with pytest.raises(UsageError, match=f"limit {limit}: give a number of 1 or more"):
        sampled(READ, limit, 0)


def test_the_bundled_questions():
    assert len(BUNDLED) == 13
    assert all(question.answer and question.subject for question in BUNDLED)


def replies(model: str, problem_id: str, stage: str) -> dict[int, str]:
    """The bundled replies of a model to one stage of a question, by ordinal."""
    found = recording.load(RECORDED / f"{model}.jsonl").replies
    assert {each.model for each in found} == {model}
    return {
        each.n: each.content
        for each in found
        if (each.problem_id, each.stage) == (problem_id, stage) and each.n and each.content is not None
    }


@pytest.mark.parametrize("question", BUNDLED, ids=lambda question: question.id)
def test_every_bundled_question_finds_replies_whatever_the_routing(question: Question):
    plans = [reading(text) for text in replies("planner", question.id, "planning").values()]
    assert [type(plan) for plan in plans[:-1]] == [PlanError] * (len(plans) - 1)
    steps = plans[-1].steps if isinstance(plans[-1], Plan) else ()
    assert bool(steps) == (question.id != "weekday")
    assert {step.id for step in steps} <= set(replies("planner", question.id, "scoring"))
    for model in ("small", "large"):
        assert {step.id for step in steps} <= set(replies(model, question.id, "step"))
        assert set(replies(model, question.id, "aggregation")) == ({1} if steps else set())
        assert set(replies(model, question.id, "direct")) == {1}


def reading(text: str) -> Plan | PlanError:
    try:
        return plan_of(text)
    except PlanError as error:
        return error


def test_what_the_bundled_replies_come_to():
    wrong = {
        ("small", "direct"): {"two-urns", "warm-water", "committee", "knights", "coat"},
        ("large", "direct"): {"knights"},
        ("small", "aggregation"): {"committee"},
        ("large", "aggregation"): set(),
    }
    unknown = {("small", "direct"): {"weekday", "stomata"}}
    for (model, stage), expected in wrong.items():
        decided = {
            question.id: decide(question, said[1]).correct
            for question in BUNDLED
            if (said := replies(model, question.id, stage))
        }
        assert {id for id, correct in decided.items() if correct is False} == expected
        assert {id for id, correct in decided.items() if correct is None} == unknown.get((model, stage), {"stomata"})


def test_the_first_bundled_question_can_be_asked_alone_and_no_other():
    found = [each for name in MODELS for each in recording.load(RECORDED / f"{name}.jsonl").replies]
    alone = [each for each in found if each.problem_id == "query"]
    assert len(alone) == len([each for each in found if each.problem_id == BUNDLED[0].id])
    for each in alone:
        assert each.match
        assert [question.id for question in BUNDLED if each.match.search(question.text)] == [BUNDLED[0].id]


def test_real_questions(data: Path):
    found = read_questions(data / "mmlu_stem_300.json").questions
    assert [question.id for question in found] == [str(number) for number in range(1, 301)]
    assert all(question.answer and question.subject for question in found)
    assert "Cooper pairs" in found[0].text
