"""Replies that hold no plan, or one that cannot be run."""

from tests.plans.corpus.cases import ONE, TWO, Case, plan, step, with_rely

NO_STEP = "the reply holds no <Step>"
THINKING_ALONE = "the reply holds no <Step> outside of its thinking"
UNENDED_THINKING = "the reply was cut off while thinking: its <think> is never closed"
CIRCLE = "the plan has a circle: step 2 relies on step 4, step 4 relies on step 3, step 3 relies on step 2"


def cut(whole: int) -> str:
    return f"the reply breaks off in the middle of a step, behind {whole} whole ones"


CASES = [
    Case("nothing", "", error=NO_STEP),
    Case("white space", " \n\n", error=NO_STEP),
    Case("prose", "I'm sorry, I cannot plan this. 3 < 4.", error=NO_STEP),
    Case("prose that names a step", "Each <Step> has a Task, as in `<Step .../>`. <Step", error=cut(0)),
    Case("an empty plan", "<Plan>\n</Plan>", error=NO_STEP),
    Case("an empty element", "<Plan/>", error=NO_STEP),
    Case("a list in Markdown", "1. Read.\n2. Add.", error=NO_STEP),
    Case("JSON", '{"steps": [{"id": 1, "task": "Read"}]}', error=NO_STEP),
    Case("a plan in the thinking alone", f"<think>{plan(step(1))}</think> Sorry.", error=THINKING_ALONE),
    Case(
        "a plan in thinking that nothing opened, alone",
        f"{plan(step(1))}</think> Sorry.",
        error=THINKING_ALONE,
        starts=2,
    ),
    Case("cut off while thinking", "<think>First I", error=UNENDED_THINKING),
    Case("a plan in thinking without an end", f"<think>I see.\n\n{plan(step(1))}", error=UNENDED_THINKING),
    Case("cut off while thinking, amid the plan", f"<Plan>{ONE}<think>And", error=UNENDED_THINKING),
    Case("a plan in a comment", f"<!-- {plan(step(1))} -->", error=NO_STEP),
    Case(
        "a comment without an end",
        f"<Plan>{ONE}<!-- {step(2, 1)}</Plan>",
        error="the reply has a comment (<!--) that is never closed",
    ),
    Case("cut off in a task", f'<Plan>{ONE}<Step ID="2" Task="Add th', error=cut(1)),
    Case("cut off in a name", f'<Plan>{ONE}<Step ID="2" Ta', error=cut(1)),
    Case(
        "cut off behind a quote",
        f'<Plan>{ONE}<Step ID="2" Task="Add" Difficulty="3" Token="9" Rely="1"',
        error=cut(1),
    ),
    Case("cut off before >", f'<Plan>{ONE}<Step ID="2" Task="Add" Difficulty="3" Token="9" Rely="1"/', error=cut(1)),
    Case("cut off in an element's name", f"<Plan>{ONE}<St", error=cut(1)),
    Case("cut off behind <Step", f"<Plan>{ONE}<Step", error=cut(1)),
    Case("cut off in a text", f'<Plan>{ONE}<Step ID="2" Difficulty="3" Token="9" Rely="1">Add th', error=cut(1)),
    Case("cut off in a CDATA section", f'<Plan>{ONE}<Step ID="2" Rely="1"><![CDATA[Add th', error=cut(1)),
    Case("cut off in a broken step", f'<Plan>{ONE}<Step ID="2" Task="Say "so" ', error=cut(1)),
    Case(
        "an ID twice", plan(step(1), step(2, 1), step(2, 1), step(3, 2)), error="the plan has two steps with the ID 2"
    ),
    Case(
        "an ID twice, written otherwise", plan(step(1), step("Step 1")), error="the plan has two steps with the ID 1"
    ),
    Case(
        "an ID that is a letter",
        plan(step("A"), step("B", "A")),
        error='the ID of step number 1 is "A", which is not a number',
    ),
    Case(
        "an ID with a point",
        plan(step(1), step("1.2")),
        error='the ID of step number 2 is "1.2", which is not a number',
    ),
    Case("a negative ID", plan(step(-1)), error='the ID of step number 1 is "-1", which is not a number'),
    Case(
        "an ID of too many digits",
        plan(step("1" * 30)),
        error=f'the ID of step number 1 is "{"1" * 30}", which is not a number',
    ),
    Case("an unknown step", with_rely("1,7"), error="step 3 relies on step 7, which is not in the plan"),
    Case("a range beyond the plan", with_rely("1-5"), error="step 3 relies on itself"),
    Case("itself", plan(step(1), step(2, "1,2")), error="step 2 relies on itself"),
    Case(
        "a circle of two",
        plan(step(1), step(2, 3), step(3, 2)),
        error="the plan has a circle: step 2 relies on step 3, step 3 relies on step 2",
    ),
    Case("a circle of three", plan(step(1), step(2, 4), step(3, "1,2"), step(4, 3)), error=CIRCLE),
    Case("a circle behind others", plan(step(1), step(4, 3), step(3, "1,2"), step(5, 4), step(2, 4)), error=CIRCLE),
    Case(
        "a circle, and no </Plan>",
        f"<Plan>{ONE}{step(2, 3)}{step(3, 2)}",
        error="the plan has a circle: step 2 relies on step 3, step 3 relies on step 2",
    ),
    Case(
        "a Rely that is none",
        with_rely("the area"),
        error='step 3 has the Rely "the area", which is no list of step IDs',
    ),
    Case("a Rely of letters", with_rely("A, B"), error='step 3 has the Rely "A, B", which is no list of step IDs'),
    Case(
        "a Rely with something else in it",
        with_rely("1 (H2O)"),
        error='step 3 has the Rely "1 (H2O)", which is no list of step IDs',
    ),
    Case("33 steps", plan(*(step(n) for n in range(1, 34))), error="the plan has more than 32 steps"),
    Case("no Task", plan(step(1), '<Step ID="2" Difficulty="3" Token="9" Rely="1"/>'), error="step 2 has no Task"),
    Case("an empty Task", plan(step(1, task=" ")), error="step 1 has no Task"),
    Case("a Task that says nothing", plan(step(1, task="...")), error="step 1 has no Task"),
    Case("a Task of control characters", plan(step(1, task="\x00\x01")), error="step 1 has no Task"),
    Case(
        "a step that cannot be read",
        "<Plan><Step 1: Find x/></Plan>",
        error='a <Step> cannot be read: "<Step 1: Find x/>"',
    ),
    Case(
        "two plans, neither sound",
        f"{plan(step(1), step(2, 9))}{plan(step(1), step(2, 8))}",
        error="step 2 relies on step 8, which is not in the plan",
        starts=2,
    ),
    Case(
        "a sound plan, void by its thinking",
        f"<Plan>{TWO}</Plan></think>{plan(step(1), step(2, 9))}",
        error="step 2 relies on step 9, which is not in the plan",
        starts=2,
    ),
]
