"""Replies that hold a plan as it was asked for, or as XML allows it."""

from tests.plans.corpus.cases import TWO, Case, plan, step

CASES = [
    Case("one step", plan(step(1)), "1", tasks=["Do it"], difficulties=[3], tokens=[100]),
    Case(
        "a plan as asked for",
        plan(
            '<Step ID="1" Task="State what is given and asked." Difficulty="1" Token="60" Rely=""/>',
            '<Step ID="2" Task="Find the area of the square." Difficulty="3" Token="120" Rely="1"/>',
            '<Step ID="3" Task="Find the area of the circle." Difficulty="6" Token="200" Rely="1"/>',
            '<Step ID="4" Task="Bring the results together." Difficulty="9" Token="90" Rely="2,3"/>',
        ),
        "1 2<1 3<1 4<2,3",
        tasks=[
            "State what is given and asked.",
            "Find the area of the square.",
            "Find the area of the circle.",
            "Bring the results together.",
        ],
        difficulties=[1, 3, 6, 9],
        tokens=[60, 120, 200, 90],
    ),
    Case("all on one line", f"<Plan>{TWO}</Plan>", "1 2<1"),
    Case(
        "32 steps",
        plan(*(step(n, n - 1 if n > 1 else "") for n in range(1, 33))),
        " ".join(["1", *(f"{n}<{n - 1}" for n in range(2, 33))]),
    ),
    Case("numbered from 0", plan(step(0), step(1, 0), step(2, "0,1")), "0 1<0 2<0,1"),
    Case("numbered with gaps", plan(step(10), step(20, 10), step(35, "20,10")), "10 20<10 35<20,10"),
    Case("a step that relies on a later one", plan(step(1), step(2, 3), step(3, 1)), "1 2<3 3<1"),
    Case("independent steps", plan(step(1), step(2), step(3)), "1 2 3"),
    Case(
        "references",
        plan(step(1, task="a &lt; b &amp;&amp; c &gt; &quot;d&quot; &#39;e&#x27;")),
        "1",
        tasks=["""a < b && c > "d" 'e'"""],
    ),
    Case(
        "in Chinese",
        plan(step(1, task="求正方形的面积。"), step(2, 1, task="求和")),
        "1 2<1",
        tasks=["求正方形的面积。", "求和"],
    ),
    Case("emoji, and letters beyond 16 bits", plan(step(1, task="𝑥² 😀")), "1", tasks=["𝑥² 😀"]),
    Case(
        "white space wherever XML allows it",
        '<Plan >\n<Step\n\tID = "1"\n\tTask\n=\n"a\n b"\nDifficulty="3"  Token="9" Rely=" "  />\n</Plan >',
        "1",
        tasks=["a  b"],
    ),
    Case("CRLF", plan(step(1), step(2, 1)).replace("\n", "\r\n"), "1 2<1"),
    Case("a comment between steps", plan(step(1), "<!-- <Step ID='9' Task='not this'/> -->", step(2, 1)), "1 2<1"),
    Case("an XML declaration", '<?xml version="1.0" encoding="UTF-8"?>\n' + plan(step(1)), "1"),
    Case("attributes of the plan", plan(step(1)).replace("<Plan>", '<Plan version="2" note="a > b">'), "1"),
    Case("a line break kept by reference", plan(step(1, task="a:&#10;- b")), "1", tasks=["a:\n- b"]),
    Case(
        "the task as text",
        plan('<Step ID="1" Difficulty="3" Token="9" Rely="">Read it.</Step>'),
        "1",
        tasks=["Read it."],
    ),
    Case(
        "the task in a CDATA section",
        plan('<Step ID="1" Difficulty="3" Token="9" Rely=""><![CDATA[a < b & <Step> </Step>]]></Step>'),
        "1",
        tasks=["a < b & <Step> </Step>"],
    ),
    Case(
        "parts as children",
        plan("<Step><ID>1</ID><Task>a &lt; b</Task><Difficulty>3</Difficulty><Token>9</Token><Rely></Rely></Step>"),
        "1",
        tasks=["a < b"],
        tokens=[9],
    ),
    Case(
        "start and end tag without content",
        plan('<Step ID="1" Task="a" Difficulty="3" Token="9" Rely=""></Step>', step(2, 1)),
        "1 2<1",
    ),
    Case(
        "more attributes than asked for",
        plan('<Step ID="1" Kind="x" Task="a" Model="small" Difficulty="3" Token="9" Rely=""/>'),
        "1",
        tasks=["a"],
    ),
]
