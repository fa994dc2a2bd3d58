"""Plans are read out of what planners write, in whatever pieces it comes, or refused in a sentence that says why."""

import itertools
import random
import re

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tasks.parsing import BadReply
from tasks.plans.parse import PlanError, PlanReader, plan_of, plan_xml
from tasks.plans.records import Plan, Step
from tests.plans.corpus import accepted, hostile, refused, repaired, valid
from tests.plans.corpus.cases import Case

CASES = [case for file in (valid, accepted, repaired, refused, hostile) for case in file.CASES]
SHORT = [case for case in CASES if len(case.reply) < 2_000]


def named(cases: list[Case]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("case", cases, ids=lambda case: case.name)


def graph(plan: Plan) -> str:
    steps = ((step.id, ",".join(map(str, step.depends_on))) for step in plan.steps)
    return " ".join(f"{id}<{rely}" if rely else str(id) for id, rely in steps)


@named(CASES)
def test_what_a_reply_holds(case: Case):
    if case.error:
        with pytest.raises(PlanError) as refusal:
            plan_of(case.reply)
        assert str(refusal.value) == case.error
        return
    plan = plan_of(case.reply)
    assert (graph(plan), plan.repairs) == (case.graph, case.repairs)
    for expected, found in [
        (case.tasks, [step.task for step in plan.steps]),
        (case.difficulties, [step.difficulty for step in plan.steps]),
        (case.tokens, [step.token_budget for step in plan.steps]),
    ]:
        assert not expected or list(expected) == found


def streamed(pieces) -> tuple[list[Step], PlanReader]:
    """Return the steps that were given and are not void, and the reader."""
    reader = PlanReader()
    given: list[Step] = []
    for piece in pieces:
        starts = reader.starts
        steps = reader.feed(piece)
        given = steps if reader.starts > starts else given + steps
    return given, reader


def in_pieces(text: str, chance: random.Random) -> list[str]:
    cuts = sorted(chance.randrange(len(text) + 1) for _ in range(chance.choice([1, 3, 10, 50])))
    return [text[start:end] for start, end in itertools.pairwise([0, *cuts, len(text)])]


def outcome(reader: PlanReader) -> Plan | str:
    try:
        return reader.close()
    except PlanError as wrong:
        return str(wrong)


@named(CASES)
def test_a_stream_holds_the_same(case: Case):
    chance = random.Random(case.name)
    ways = [[case.reply], *(in_pieces(case.reply, chance) for _ in range(10))]
    if len(case.reply) < 20_000:
        ways.append(list(case.reply))
    ends = set()
    for way in ways:
        given, reader = streamed(way)
        end = outcome(reader)
        ends.add(end)
        assert reader.starts == case.starts
        if isinstance(end, Plan):
            assert tuple(given) == (end.steps[:-1] if case.late else end.steps)
    assert ends == {case.error or plan_of(case.reply)}


def test_mutilated_replies_hold_the_same_in_all_pieces():
    chance = random.Random(7)
    marks = ['"', "'", "<", ">", "/>", "</think>", "<think>", "&", "\n", "=", "<Step ", "</Plan>", "<Plan>"]
    for _ in range(1000):
        reply = chance.choice(SHORT).reply
        for _ in range(chance.randint(1, 3)):
            start = chance.randrange(len(reply) + 1)
            end = min(len(reply), start + chance.randint(0, 30))
            middle = chance.choice(["", reply[start:end] * 2, chance.choice(marks) + reply[start:end]])
            reply = reply[:start] + middle + reply[end:]
        given_whole, whole = streamed([reply])
        given_cut, cut = streamed(in_pieces(reply, chance))
        end_of_whole = outcome(whole)
        assert (given_whole, end_of_whole) == (given_cut, outcome(cut)), reply
        if isinstance(end_of_whole, Plan):
            assert tuple(given_whole) == end_of_whole.steps[: len(given_whole)], reply


@named(valid.CASES)
def test_a_step_is_there_when_its_element_is_complete(case: Case):
    reader, written = PlanReader(), ""
    for char in case.reply:
        written += char
        for step in reader.feed(char):
            assert written.lower().endswith(("/>", "</step>", "</step ")), step


def test_a_step_that_lost_its_way_is_there_before_the_next_is_written():
    reader = PlanReader()
    assert reader.feed('<Plan><Step ID="1" Task="Say "so"" Difficulty="3" Token="9" Rely=""/>\n') == []
    assert [step.task for step in reader.feed("<Step")] == ['Say "so"']


def test_no_step_is_given_behind_what_is_wrong():
    reader = PlanReader()
    assert len(reader.feed('<Plan><Step ID="1" Task="a"/><Step ID="2" Task="b" Rely="2"/>')) == 1
    assert reader.feed('<Step ID="3" Task="c"/></Plan>') == []


def test_a_stream_that_starts_over():
    reader = PlanReader()
    assert len(reader.feed('<think>a</think><Plan><Step ID="1" Task="a"/><Step ID="2" Ta')) == 1
    reader.restart()
    assert reader.starts == 2
    (step,) = reader.feed('<Plan><Step ID="5" Task="b" Difficulty="3" Token="9" Rely=""/></Plan>')
    assert reader.close() == Plan(steps=(step,))
    assert step == Step(id=5, task="b", difficulty=3, token_budget=9)


def test_steps_that_are_void_are_not_given_with_those_that_count():
    reader = PlanReader()
    assert [step.id for step in reader.feed('<Step ID="7" Task="a"/>?</think><Step ID="1" Task="b"/>')] == [1]
    assert reader.starts == 2


def test_a_reader_may_be_closed_again():
    reader = PlanReader()
    reader.feed('<Step ID="1" Task="a "b""/>')
    assert reader.close() == reader.close()


def test_a_refusal_is_a_bad_reply():
    with pytest.raises(BadReply):
        plan_of("no")


# Properties

letters = st.characters(exclude_categories=["Cs"], exclude_characters="\r\ufffe\uffff")
tasks = (
    st.text(
        st.one_of(letters.filter(lambda char: char >= " " or char in "\t\n"), st.sampled_from("\"'<>&;/=")),
        min_size=1,
    )
    .map(str.strip)
    .filter(lambda task: any(char.isalnum() for char in task))
)
pieces_of_plans = st.lists(
    st.one_of(
        st.sampled_from(
            [
                *(
                    "<Plan>",
                    "</Plan>",
                    "<plan",
                    "<Step",
                    "<Step ",
                    "</Step>",
                    "<step>",
                    "/>",
                    ">",
                    "<",
                    '"',
                    "'",
                    "=",
                    " ",
                ),
                *(
                    "<think>",
                    "</think>",
                    "<thinking>",
                    "<!--",
                    "-->",
                    "<![CDATA[",
                    "]]>",
                    "```",
                    "\n",
                    "\\",
                    "“",
                    "”",
                    ",",
                ),
                *(
                    ' ID="1"',
                    ' ID="2"',
                    " ID=3",
                    ' Task="Add "it""',
                    ' Task="Add it"',
                    " Task='a < b'",
                    ' Rely="1"',
                    ' Rely=""',
                ),
                *(' Difficulty="5"', ' Token="9', "<Task>", "</Task>", "&amp;", "&l9;", "&", "\x00", " " * 99),
                '<Step ID="1" Task="Read" Difficulty="2" Token="50" Rely=""/>',
                '<Step ID="2" Task="Say "so"" Difficulty="2" Token="50" Rely="1"/>',
            ]
        ),
        st.text(max_size=3),
    ),
    max_size=40,
)


@st.composite
def plans(draw) -> Plan:
    ids = draw(st.lists(st.integers(0, 999_999_999), min_size=1, max_size=32, unique=True))
    order = draw(st.permutations(ids))
    rank = {id: place for place, id in enumerate([ids[0], *(id for id in order if id != ids[0])])}
    steps = []
    for id in ids:
        before = [other for other in ids if rank[other] < rank[id]]
        some = st.lists(st.sampled_from(before), unique=True, max_size=4) if before else st.just([])
        # Behind the first step of a plan that is numbered from 1, "0" alone means none.
        chosen = [other for other in draw(some) if other != 0 or ids.index(0) < ids.index(id)]
        steps.append(
            Step(
                id=id,
                task=draw(tasks),
                difficulty=draw(st.integers(1, 9)),
                token_budget=draw(st.integers(1, 32_768)),
                depends_on=tuple(chosen),
            )
        )
    return Plan(steps=tuple(steps))


@given(plans())
@settings(deadline=None)
def test_a_plan_written_is_read_again(plan: Plan):
    assert plan_of(plan_xml(plan)) == plan


@given(plans())
@settings(deadline=None)
def test_the_tolerant_reader_agrees_with_the_strict_one(plan: Plan):
    """But for a backslash before a quote, which the tolerant one takes for an escaped quote."""
    assume(not any(re.search(r"""\\(["']|$)""", step.task) for step in plan.steps))
    written = plan_xml(plan)
    no_xml = written.replace("<Step ", '<Step Note="a & b" ')
    out_of_order = written.replace("<Step ", '<Step Note="a "b" c" ')
    assert plan_of(no_xml) == plan_of(out_of_order) == plan


@given(pieces_of_plans, st.randoms(use_true_random=False))
@settings(deadline=None, max_examples=500)
def test_whatever_comes_is_a_plan_or_refused_the_same_in_all_pieces(parts: list[str], chance: random.Random):
    reply = "".join(parts)
    given_whole, whole = streamed([reply])
    given_slowly, slow = streamed(list(reply))
    given_cut, cut = streamed(in_pieces(reply, chance))
    assert given_whole == given_slowly == given_cut
    assert whole.starts == slow.starts == cut.starts
    end = outcome(whole)
    assert end == outcome(slow) == outcome(cut)
    if isinstance(end, Plan):
        assert tuple(given_whole) == end.steps[: len(given_whole)]
        assert plan_of(plan_xml(end)).steps == end.steps
