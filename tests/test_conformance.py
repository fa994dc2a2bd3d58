"""What every strategy, dataset loader and provider table must hold; a new file or entry is picked up by itself."""

import inspect
import json
import random
from collections import Counter
from pathlib import Path
from typing import Any, get_args

import jinja2
import pytest

from blocks.endpoint import PROVIDER_HOSTS, ModelEndpoint, Provider
from blocks.errors import TABLES, BadRequest, CallError, Rule, Transient, UsageError, classify
from blocks.records import AttemptRow
from tasks import prompts
from tasks.attempts import strategies, strategy
from tasks.datasets.load import DatasetError, load, loaders
from tasks.session import ASKED_AGAIN
from tasks.strategy_parameters import chosen_parameters, parameters_of
from tests.attempting import attempted, calls_of, lines_of

STRATEGIES = strategies()
LOADERS = loaders()

# One reply for every stage, in all the forms that strategies read. Where a new strategy reads another form, add it.
REPLY = """
<think>Let me think. Plan Modification Needed? ```python</think>
### Understanding
A number is to be doubled.
{exemplars}
<algorithm>arithmetic</algorithm>
<confidence>90</confidence>
[Status]: {status}
[Analysis]: by hand
[Feedback]: {verdict}
### Plan
1. Multiply by two.

**{verdict}.**

```python
def double(n):
    return {result}


def check(candidate):
    assert candidate(2) == 4
    assert double(5) == 10
```

Input:
2
Output:
4
"""
EXEMPLAR = (
    "<problem><description>Triple it.</description><code>def f(n): return 3 * n</code>"
    "<planning>Multiply.</planning></problem>"
)
EASY = REPLY.format(exemplars=EXEMPLAR * 3, status="PASS", verdict="No Need to Modify Plan", result="2 * n")
HARD = REPLY.format(exemplars=EXEMPLAR * 3, status="FAIL", verdict="Plan Modification Needed", result="n")
NONSENSE = {
    "nothing": "",
    "blanks": " \n\t\n",
    "an apology": "I'm sorry, but I can't help with that.",
    "a word": "Sorry",
    "thinking that is cut off": "<think>" + EASY.replace("</think>", ""),
    "thinking alone": "<think>hm</think>",
    "an empty fence": "```python\n```",
    "a fence alone": "```",
    "another language": "```c\nint main() { return 0; }\n```",
    "half a tag": "<problem><description>",
    "braces": "{{ problem }} {% for %} {0}",
    "JSON": '{"plan": null}',
    "a null byte": "a\x00b",
}
PROGRAMS = {
    "a syntax error": "```python\ndef double(n:\n```",
    "no entry point": "```python\ndef other(n):\n    return 2 * n\n```",
    "an early end": "```python\nraise SystemExit(0)\n```",
    "recursion": "```python\ndef double(n):\n    return double(n)\n```",
    "another type": "```python\ndouble = 7\n```",
}


def optional_of(name: str) -> dict[str, dict[str, Any]]:
    """The stages of a strategy that are asked only with other parameters than the usual, with such parameters."""
    optional: dict[str, dict[str, Any]] = getattr(strategy(name), "OPTIONAL_STAGES", {})
    return optional


# Strategies


@pytest.mark.parametrize("name", STRATEGIES)
def test_a_strategy_says_what_it_needs(name: str):
    module = strategy(name)
    assert inspect.iscoroutinefunction(module.solve)
    problem, session, *own = inspect.signature(module.solve).parameters.values()
    assert (problem.name, session.name) == ("problem", "session")
    assert problem.kind == session.kind == inspect.Parameter.POSITIONAL_OR_KEYWORD
    assert all(parameter.kind == inspect.Parameter.KEYWORD_ONLY for parameter in own)
    assert module.__doc__
    assert module.solve.__doc__
    assert isinstance(module.STAGES, tuple)
    assert len(set(module.STAGES)) == len(module.STAGES) > 0
    assert 1 <= module.FEWEST_CALLS <= module.MOST_CALLS
    assert optional_of(name).keys() < set(module.STAGES)


@pytest.mark.parametrize(
    ("name", "parameter"), [(name, own) for name in STRATEGIES for own in parameters_of(strategy(name))]
)
def test_a_parameter_is_told_and_takes_its_usual_value(name: str, parameter: str):
    module = strategy(name)
    assert f"    {parameter}\n        " in module.solve.__doc__
    usual = parameters_of(module)[parameter]
    assert chosen_parameters(module, {parameter: str(usual)}) == {}
    with pytest.raises(UsageError, match=rf"--param\.{parameter} ''"):
        chosen_parameters(module, {parameter: ""})


@pytest.mark.parametrize(("name", "stage"), [(name, stage) for name in STRATEGIES for stage in strategy(name).STAGES])
async def test_every_stage_can_be_given_to_the_second_model(tmp_path: Path, name: str, stage: str):
    param = optional_of(name).get(stage, {})
    options: dict[str, Any] = {"param": param, "model2": "recorded:{recording}", "assign": {stage: "2"}}
    ended = await attempted(tmp_path, name, {"content": HARD}, **options)
    numbers = {call.stage: call.model_number for call in ended.calls}
    assert numbers.pop(stage) == 2
    assert set(numbers.values()) <= {1}


@pytest.mark.parametrize("name", STRATEGIES)
def test_every_stage_has_a_template_and_none_is_left_over(name: str):
    assert set(prompts.stages_of(name)) == set(strategy(name).STAGES)
    assert set(prompts.texts_of(name)) == set(strategy(name).STAGES)


@pytest.mark.parametrize(
    "path", sorted(prompts.FOLDER.glob("*/*")), ids=lambda path: f"{path.parent.name}-{path.name}"
)
def test_every_file_of_prompts_is_a_template(path: Path):
    assert path.suffix == ".jinja"
    assert jinja2.Environment().parse(path.read_text(encoding="utf-8")).body
    assert max(len(line) for line in path.read_text(encoding="utf-8").splitlines()) < 1000


@pytest.mark.parametrize(
    "path",
    [path for path in sorted(prompts.FOLDER.glob("*/*.jinja")) if "entry_point" in path.read_text(encoding="utf-8")],
    ids=lambda path: f"{path.parent.name}-{path.stem}",
)
def test_a_template_that_names_the_function_has_words_for_a_whole_program(path: Path):
    template = jinja2.Environment().from_string(path.read_text(encoding="utf-8"))
    function, whole = ({"entry_point": name, "statement": "?"} for name in ("double", ""))
    if "`double`" in template.render(problem=function):
        assert "``" not in template.render(problem=whole).replace("```", "")
        assert "standard input" in template.render(problem=whole)


@pytest.mark.parametrize("name", STRATEGIES)
async def test_the_fewest_calls_where_everything_goes_well(tmp_path: Path, name: str):
    ended = await attempted(tmp_path, name, {"content": EASY})
    assert ended.attempt.solved
    assert len(ended.calls) == strategy(name).FEWEST_CALLS == ended.paid


@pytest.mark.parametrize("name", STRATEGIES)
async def test_the_most_calls_where_nothing_does_and_every_stage_is_asked(tmp_path: Path, name: str):
    ended = await attempted(tmp_path, name, {"content": HARD})
    assert (ended.attempt.solved, ended.attempt.outcome) == (False, "wrong_answer")
    assert ended.attempt.program is not None
    assert len(ended.calls) == strategy(name).MOST_CALLS == ended.paid
    assert {call.stage for call in ended.calls} == set(strategy(name).STAGES) - optional_of(name).keys()
    ordinals = Counter(call.stage for call in ended.calls)
    for stage, count in ordinals.items():
        assert [call.ordinal for call in ended.calls if call.stage == stage] == list(range(1, count + 1))
    for call in ended.calls:
        assert call.messages
        for message in call.messages:
            assert "{{" not in message.content
            assert "{%" not in message.content


@pytest.mark.parametrize("name", STRATEGIES)
async def test_a_second_time_everything_is_replayed(tmp_path: Path, name: str):
    """What a strategy asks follows from the replies alone, so that a crash costs nothing that was paid for."""
    for number, content in enumerate((HARD, EASY)):
        folder = tmp_path / str(number)
        folder.mkdir()
        first = await attempted(folder, name, {"content": content})
        again = await attempted(folder, name, {"content": content})
        assert again.paid == 0
        assert again.attempt == first.attempt
        assert again.calls == first.calls


@pytest.mark.parametrize("name", STRATEGIES)
@pytest.mark.parametrize("reply", NONSENSE.values(), ids=NONSENSE)
async def test_nonsense_at_every_stage_is_unsolved_and_no_crash(tmp_path: Path, name: str, reply: str):
    ended = await attempted(tmp_path, name, {"content": reply})
    assert not ended.attempt.solved
    assert (ended.attempt.error_kind, ended.attempt.outcome) == ("bad_reply", "bad_reply")
    assert 1 + ASKED_AGAIN <= len(ended.calls) <= strategy(name).MOST_CALLS * (1 + ASKED_AGAIN)
    row = AttemptRow.model_validate_json(lines_of(tmp_path, "attempts")[-1])
    assert (row.solved, row.error_kind) == (False, "bad_reply")
    assert row.error


@pytest.mark.parametrize("name", STRATEGIES)
@pytest.mark.parametrize("program", PROGRAMS.values(), ids=PROGRAMS)
async def test_a_program_that_cannot_be_run_is_unsolved_and_no_crash(tmp_path: Path, name: str, program: str):
    ended = await attempted(tmp_path, name, {"content": HARD[: HARD.rindex("```python")] + program})
    assert (ended.attempt.solved, ended.attempt.error_kind) == (False, None)
    assert ended.attempt.program is not None
    assert strategy(name).FEWEST_CALLS <= len(ended.calls) <= strategy(name).MOST_CALLS * (1 + ASKED_AGAIN)


@pytest.mark.parametrize("name", STRATEGIES)
@pytest.mark.parametrize("seed", range(3))
async def test_any_mixture_of_replies_comes_to_an_end(tmp_path: Path, name: str, seed: int):
    chance = random.Random(seed)
    contents = [*NONSENSE.values(), *PROGRAMS.values(), HARD, HARD, HARD, HARD, HARD]
    replies = [
        {"stage": stage, "n": n, "content": chance.choice(contents)}
        for stage in strategy(name).STAGES
        for n in range(1, 30)
    ]
    ended = await attempted(tmp_path, name, *replies)
    assert not ended.attempt.solved
    assert len(ended.calls) <= strategy(name).MOST_CALLS * (1 + ASKED_AGAIN)


@pytest.mark.parametrize("name", STRATEGIES)
async def test_a_call_that_fails_ends_the_attempt_as_an_error(tmp_path: Path, name: str):
    """It raises, so that nothing caches it, and the next execution tries it again from its last finished call."""
    last = strategy(name).STAGES[-1]
    with pytest.raises(BadRequest):
        await attempted(tmp_path, name, {"content": HARD}, {"stage": last, "status": 400})
    row = AttemptRow.model_validate_json(lines_of(tmp_path, "attempts")[-1])
    assert (row.outcome, row.solved, row.error_kind) == ("error", None, "bad_request")
    paid = len([call for call in calls_of(tmp_path) if call.error_kind is None])
    assert [call.error_kind for call in calls_of(tmp_path)][paid:] == ["bad_request"]


# Datasets


def example_of(name: str) -> dict[str, Any]:
    """The example row in a loader's docstring."""
    text = LOADERS[name].__doc__ or ""
    row, _ = json.JSONDecoder(strict=False).raw_decode(text[text.index("{") :])
    assert isinstance(row, dict)
    return row


def test_there_are_loaders():
    files = Path(inspect.getfile(LOADERS["humaneval"])).parent.glob("*.py")
    assert set(LOADERS) == {path.stem for path in files} - {"__init__", "load", "fields", "calls"}


@pytest.mark.parametrize("name", LOADERS)
def test_a_loader_shows_a_row_that_it_alone_recognises(name: str):
    row = example_of(name)
    assert [other for other, loader in LOADERS.items() if loader.recognises(row)] == [name]
    for field, kind in LOADERS[name].FIELDS.items():
        assert isinstance(row[field], kind)
    assert not LOADERS[name].recognises({})
    assert not LOADERS[name].recognises({"unheard": "of"})


@pytest.mark.parametrize("name", LOADERS)
def test_a_row_without_one_of_its_fields_is_refused_by_line_and_field(name: str, tmp_path: Path):
    row = example_of(name)
    path = tmp_path / "mine.jsonl"
    for field in LOADERS[name].FIELDS:
        for broken in ({k: v for k, v in row.items() if k != field}, {**row, field: None}):
            path.write_text(f"\n{json.dumps(broken)}\n")
            with pytest.raises(DatasetError) as caught:
                load(str(path))
            assert f"{path}, line 2: field {field!r}" in str(caught.value)
            assert len(str(caught.value).splitlines()) == 1


# Providers

RULES = [
    pytest.param(provider, number, id=f"{provider}-{number}-{rule.error.__name__}")
    for provider, rules in TABLES.items()
    for number, rule in enumerate(rules)
]


def test_there_is_a_table_for_every_provider():
    assert set(TABLES) == set(get_args(Provider))
    assert set(PROVIDER_HOSTS.values()) <= set(TABLES)
    for host, provider in PROVIDER_HOSTS.items():
        for url in (f"https://{host}/v1", f"https://some.{host}:8443/v1"):
            assert ModelEndpoint(base_url=url, model="m").spoken_provider == provider
        assert ModelEndpoint(base_url=f"https://not{host}/v1", model="m").spoken_provider == "vllm"


@pytest.mark.parametrize(("provider", "number"), RULES)
def test_every_rule_decides_something(provider: str, number: int):
    """No rule stands behind one that takes all of its failures."""
    rule = TABLES[provider][number]
    decided = []
    for status in rule.status or (302,):
        for code in rule.codes or (None,):
            body = {
                "code": code.replace("*", ".X") if code else None,
                "param": rule.params[0] if rule.params else None,
                "message": rule.says[0].upper() if rule.says else "",
            }
            problem = classify(provider, status, {}, {"error": body}, endpoint="m")
            decided.append((type(problem), problem.scope))
    assert (rule.error, rule.scope) in decided


@pytest.mark.parametrize(("provider", "number"), RULES)
def test_a_rule_is_written_as_rules_are_read(provider: str, number: int):
    rule: Rule = TABLES[provider][number]
    assert issubclass(rule.error, CallError)
    assert all(phrase == phrase.lower() for phrase in rule.says)
    assert all(100 <= status < 600 for status in rule.status)


@pytest.mark.parametrize("provider", TABLES)
def test_every_failure_of_a_provider_means_something(provider: str):
    for status in (*range(300, 600), None):
        assert isinstance(classify(provider, status, {}, "", endpoint="m"), CallError)
    assert type(classify(provider, 599, {}, "", endpoint="m")) is Transient
