"""Replies that mean harm, or seem to: bombs, megabytes, ten thousand of everything."""

from tests.plans.corpus.cases import ONE, TWO, Case, plan, step

DECLARATION = "the reply declares a document type or entities (<!DOCTYPE, <!ENTITY)"
LAUGHS = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))
BOMB = f'<?xml version="1.0"?><!DOCTYPE Plan [<!ENTITY l0 "ha">{LAUGHS}]>{plan(step(1, task="&l9;"))}'
FILE = '<!DOCTYPE Plan [<!ENTITY x SYSTEM "file:///etc/passwd">]>' + plan(step(1, task="&x;"))
TOO_LONG = "the reply is longer than 1000000 characters"
ENDLESS = "a <Step> is longer than 10000 characters, or never ends"
MANY = "the plan has more than 32 steps"
MEGABYTES = 5_000_000

CASES = [
    Case("entity bomb", BOMB, error=DECLARATION),
    Case("external entity", FILE, error=DECLARATION),
    Case("a document type alone", "<!doctype plan>" + plan(step(1)), error=DECLARATION),
    Case("an entity amid the plan", f'<Plan>{ONE}<!ENTITY x "y">{step(2, 1)}</Plan>', error=DECLARATION),
    Case("a document type behind the plan", f"<Plan>{TWO}</Plan><!DOCTYPE html>", "1 2<1"),
    Case(
        "a document type in a task",
        plan(step(1, task="Explain <!DOCTYPE html>")),
        "1",
        tasks=["Explain <!DOCTYPE html>"],
    ),
    Case("an entity in a task", plan(step(1, task="&l9; &#x41;")), "1", tasks=["&l9; A"]),
    Case("5 MB of prose", "word " * (MEGABYTES // 5), error=TOO_LONG),
    Case("5 MB of <", "<" * MEGABYTES, error=TOO_LONG),
    Case("5 MB of thinking", "<think>" + "hm " * (MEGABYTES // 3) + "</think>" + plan(step(1)), error=TOO_LONG),
    Case("5 MB in a task", plan(step(1), step(2, 1, task="a" * MEGABYTES)), error=TOO_LONG),
    Case("90,000 characters in a task", plan(step(1), step(2, 1, task="a" * 90_000)), error=ENDLESS),
    Case("5 MB of steps", plan(*(step(n) for n in range(1, MEGABYTES // 70))), error=TOO_LONG),
    Case("5 MB behind the plan", plan(step(1)) + "\n" + "word " * (MEGABYTES // 5), "1"),
    Case("10,000 steps", plan(*(step(n, n - 1 if n > 1 else "") for n in range(1, 10_001))), error=MANY),
    Case(
        "10,000 steps in one Rely",
        plan(step(1), step(2, ",".join(map(str, range(1, 2_000))))),
        error='step 2 has the Rely "1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,1…", which is no list of step IDs',
    ),
    Case("10,000 attributes", plan("<Step " + " ".join(f'a{n}="{n}"' for n in range(10_000)) + "/>"), error=ENDLESS),
    Case(
        "900 attributes",
        plan("<Step " + " ".join(f'a{n}="{n}"' for n in range(900)) + ' ID="1" Task="a" Difficulty="3" Token="9"/>'),
        "1",
    ),
    Case("10,000 elements inside of each other", "<a>" * 10_000 + plan(step(1)) + "</a>" * 10_000, "1"),
    Case(
        "1,000 elements inside of a step",
        plan(f'<Step ID="1" Task="a" Difficulty="3" Token="9">{"<a>" * 1000}{"</a>" * 1000}</Step>'),
        "1",
        repairs=("step 1: the text beside its Task is left out",),
    ),
    Case("100,000 plans inside of each other", "<Plan>" * 100_000 + step(1) + "</Plan>" * 50_000, "1"),
    Case(
        "10,000 steps inside of each other",
        "<Step>" * 10_000,
        error="the reply breaks off in the middle of a step, behind 0 whole ones",
    ),
    Case(
        "100,000 unclosed quotes",
        "<Plan>" + "<Step ID=\"'" * 50_000,
        error='the ID of step number 1 is "\'", which is not a number',
    ),
    Case(
        "3,000 slashes in a broken step",
        plan(step(1, task='a "b" ' + "/>" * 3000)),
        "1",
        tasks=['a "b" ' + "/>" * 3000],
    ),
    Case("NUL bytes alone", "\x00" * 10_000, error="the reply holds no <Step>"),
    Case("binary", "".join(map(chr, range(256))) * 100, error="the reply holds no <Step>"),
]
