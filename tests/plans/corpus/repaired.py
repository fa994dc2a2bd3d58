"""Replies that hold a plan in which something had to be put right."""

from tests.plans.corpus.cases import ONE, TWO, Case, plan, step, with_difficulty, with_rely, with_token

NO_DIFFICULTY = "step 1: no Difficulty, 5 taken"
NO_TOKEN = "step 1: no Token, 500 taken"
LEFT_ASIDE = "what follows the plan holds steps too, which are left aside"


def difficulty_case(written: str, difficulty: int) -> Case:
    repair = f'step 1: Difficulty "{written}" taken as {difficulty}'
    reply = with_difficulty(f'Difficulty="{written}"')
    return Case(f"Difficulty: {written}", reply, "1", repairs=(repair,), difficulties=[difficulty])


def token_case(written: str, tokens: int) -> Case:
    repair = f'step 1: Token "{written}" taken as {tokens}'
    return Case(f"Token: {written}", with_token(f'Token="{written}"'), "1", repairs=(repair,), tokens=[tokens])


CASES = [
    Case("no Difficulty", with_difficulty(""), "1", repairs=(NO_DIFFICULTY,), difficulties=[5]),
    Case("an empty Difficulty", with_difficulty('Difficulty=" "'), "1", repairs=(NO_DIFFICULTY,), difficulties=[5]),
    difficulty_case("hard", 7),
    difficulty_case("Very-Hard!", 9),
    difficulty_case("easy", 2),
    difficulty_case("中等", 5),
    difficulty_case("whatever", 5),
    difficulty_case("5/10", 5),
    difficulty_case("7 out of 9", 7),
    difficulty_case("4/5", 7),
    difficulty_case("5/0", 5),
    difficulty_case("9" * 30 + "/" + "9" * 8, 9),
    difficulty_case("0", 1),
    difficulty_case("-3", 1),
    difficulty_case("10", 9),
    difficulty_case("1,000", 9),
    difficulty_case("4.5", 5),
    difficulty_case("3-6", 6),
    Case(
        "Difficulty: a number of 10,000 digits",
        with_difficulty(f'Difficulty="{"9" * 9000}"'),
        "1",
        repairs=(f'step 1: Difficulty "{"9" * 40}…" taken as 9',),
        difficulties=[9],
    ),
    Case("no Token", with_token(""), "1", repairs=(NO_TOKEN,), tokens=[500]),
    Case("an empty Token", with_token('Token=""'), "1", repairs=(NO_TOKEN,), tokens=[500]),
    token_case("many", 500),
    token_case("0", 500),
    token_case("-50", 500),
    token_case("1000000", 500),
    token_case("1e5", 500),
    token_case("inf", 500),
    token_case("0.5", 500),
    token_case("99.5", 99),
    token_case("100-200", 200),
    Case(
        "neither Difficulty nor Token nor Rely",
        plan('<Step ID="1" Task="a"/>'),
        "1",
        repairs=(NO_DIFFICULTY, NO_TOKEN),
    ),
    Case(
        "no ID",
        plan(
            '<Step Task="a" Difficulty="3" Token="9" Rely=""/>', '<Step Task="b" Difficulty="3" Token="9" Rely="1"/>'
        ),
        "1 2<1",
        repairs=("step 1: no ID, its place in the plan taken", "step 2: no ID, its place in the plan taken"),
    ),
    Case(
        "a task alone",
        plan("<Step>Find x &amp; y</Step>"),
        "1",
        tasks=["Find x & y"],
        repairs=("step 1: no ID, its place in the plan taken", NO_DIFFICULTY, NO_TOKEN),
    ),
    Case(
        "a first step with dependencies",
        plan(step(1, "2"), step(2, "1")),
        "1 2<1",
        repairs=('step 1: Rely "2" is left out, as it is the first',),
    ),
    Case(
        "a first step that relies on itself",
        plan(step(1, "1"), step(2, "1")),
        "1 2<1",
        repairs=('step 1: Rely "1" is left out, as it is the first',),
    ),
    Case(
        "a first step that relies on the question",
        plan(step(1, "the question"), step(2, "1")),
        "1 2<1",
        repairs=('step 1: Rely "the question" is left out, as it is the first',),
    ),
    Case("Rely: 0", with_rely("0"), "1 2 3", repairs=("step 3: Rely 0 taken as none",)),
    Case(
        "Rely: all previous steps",
        with_rely("all previous steps"),
        "1 2 3<1,2",
        repairs=('step 3: Rely "all previous steps" taken as all steps before it',),
    ),
    Case(
        "an attribute twice",
        plan('<Step ID="1" Task="a" Task="b" Difficulty="3" Token="9" Token="9" Rely=""/>'),
        "1",
        tasks=["a"],
        repairs=("step 1: Task is given twice, the first counts",),
    ),
    Case(
        "an attribute and a child",
        plan('<Step ID="1" Task="a" Difficulty="3" Token="9"><Difficulty>4</Difficulty></Step>'),
        "1",
        difficulties=[3],
        repairs=("step 1: Difficulty is given twice, the first counts",),
    ),
    Case(
        "a task and a text",
        plan('<Step ID="1" Task="a" Difficulty="3" Token="9" Rely="">b</Step>'),
        "1",
        tasks=["a"],
        repairs=("step 1: the text beside its Task is left out",),
    ),
    Case("a draft, then another", f"{plan(step(1))}\nBetter:\n<Plan>{TWO}</Plan>", "1", repairs=(LEFT_ASIDE,)),
    Case("the plan twice", f"<Plan>{TWO}</Plan>\nAgain:\n<Plan>{TWO}</Plan>", "1 2<1", repairs=(LEFT_ASIDE,)),
    Case(
        "a draft that is not sound, then another", f"{plan(step(1), step(2, 9))}<Plan>{TWO}</Plan>", "1 2<1", starts=2
    ),
    Case("a draft that is not closed, then another", f"<Plan>{step(7)} No: <Plan>{TWO}</Plan>", "1 2<1", starts=2),
    Case(
        "a draft with a cut step, then another",
        f'<Plan>{step(7)}<Step ID="8" Ta\n<Plan>{TWO}</Plan>',
        "1 2<1",
        starts=2,
    ),
    Case("the format, then a plan", '<Plan><Step ID="1" Task="..." .../></Plan>' + f"<Plan>{TWO}</Plan>", "1 2<1"),
    Case("a step outside, then a plan", f"Such as {step(7)}:\n<Plan>{TWO}</Plan>", "1 2<1", starts=2),
    Case("a step behind the plan", f"<Plan>{ONE}</Plan>\n{step(2, 1)}", "1", repairs=(LEFT_ASIDE,)),
]
