"""What is read out of MapCoder's replies: exemplars in XML of every kind of brokenness, and confidences."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.exemplars import Exemplar, confidence_of, recalled_of
from tasks.parsing import BadReply, whole_answer_of

ONE, TWO = Exemplar("Triple it.", "return 3 * n", "Multiply."), Exemplar("Halve it.", "return n / 2", "Divide.")


def problem(exemplar: Exemplar) -> str:
    description, code, planning = exemplar
    return (
        f"<problem>\n<description>\n{description}\n</description>\n<code>\n{code}\n</code>\n"
        f"<planning>\n{planning}\n</planning>\n</problem>\n"
    )


BOTH = problem(ONE) + problem(TWO)
ALGORITHM = "<algorithm>\nArithmetic.\n</algorithm>\n"
GOOD = f"<root>\n{BOTH}{ALGORITHM}</root>"


@pytest.mark.parametrize(
    "reply",
    [
        pytest.param(GOOD, id="as asked"),
        pytest.param(BOTH + ALGORITHM, id="no root"),
        pytest.param(ALGORITHM + BOTH, id="the algorithm first"),
        pytest.param(GOOD.replace("\n", ""), id="in one line"),
        pytest.param(GOOD.replace("\n", "\r\n"), id="line ends of Windows"),
        pytest.param(f"Sure, here you are:\n\n```xml\n{GOOD}\n```\nI hope that this helps.", id="prose and a fence"),
        pytest.param(f'<?xml version="1.0"?>\n<!-- so -->\n{GOOD}', id="a declaration and a comment"),
        pytest.param(f"<think>\n{problem(TWO)}</think>\n{GOOD}", id="thinking before"),
        pytest.param(GOOD.upper(), id="capitals"),
        pytest.param(GOOD.title(), id="capital letters"),
        pytest.param(GOOD.replace("<problem>", '<problem id="1" name="Twice">'), id="attributes"),
        pytest.param(GOOD.replace("<code>", '<code language="python"\n  >'), id="an attribute and a line end"),
        pytest.param(
            GOOD.replace("</code>", "< / code >").replace("<planning>", "< planning >"), id="blanks in tags"
        ),
        pytest.param(GOOD.replace("problem>", "problem_1>", 2).replace("problem>", "problem_2>"), id="numbered"),
        pytest.param(GOOD.replace("planning>", "plan>"), id="plan for planning"),
        pytest.param(GOOD.replace("</problem>\n", ""), id="problems never closed"),
        pytest.param(GOOD.replace("<problem>\n", "").replace("</problem>\n", ""), id="no problem tags"),
        pytest.param(GOOD.replace("</description>\n", ""), id="descriptions never closed"),
        pytest.param(GOOD.replace("</code>\n", ""), id="programs never closed"),
        pytest.param(GOOD.replace("</planning>\n", ""), id="plans never closed"),
        pytest.param(GOOD.replace("</algorithm>\n", ""), id="the algorithm never closed"),
        pytest.param(GOOD.replace("</description>\n", "").replace("</code>\n", ""), id="two never closed"),
        pytest.param(GOOD.partition("</algorithm>")[0], id="cut off"),
        pytest.param(GOOD.replace("</", "<"), id="closing tags without their slash"),
        pytest.param(GOOD.replace("</code>", "</code></code>"), id="closed twice"),
        pytest.param(GOOD.replace("</problem>", "</problem></problem></root>"), id="problems closed twice"),
        pytest.param(GOOD.replace("<code>", "<code><code>"), id="opened twice"),
        pytest.param(GOOD.replace("<problem>", "<problem>\n<problem>"), id="problems opened twice"),
        pytest.param(GOOD.replace("<problem>", "<problem>\n# 1"), id="a title in a problem"),
        pytest.param(GOOD.replace("<description>\n", "").replace("</description>\n", ""), id="no description tags"),
        pytest.param(GOOD.replace("<problem>", "<problem/>\n<problem>"), id="an empty problem"),
        pytest.param(GOOD.replace(ALGORITHM, f"<algorithm>?</algorithm>{ALGORITHM}"), id="two algorithms"),
        pytest.param(
            GOOD.replace("</problem>", "<algorithm>for this one</algorithm></problem>"),
            id="an algorithm in each problem",
        ),
        pytest.param(GOOD.replace("<code>", "<code><![CDATA[").replace("</code>", "]]></code>"), id="CDATA"),
        pytest.param(
            GOOD.replace("<description>", "<description><![CDATA[").replace("<planning>", "<planning><![CDATA["),
            id="CDATA never closed",
        ),
        pytest.param(GOOD.replace("</planning>", "]]></planning>"), id="CDATA never opened"),
        pytest.param(GOOD.replace("<code>", "<code>\n```python").replace("</code>", "```\n</code>"), id="fences"),
        pytest.param(GOOD.replace("<code>", "<code>\n```"), id="a fence never closed"),
    ],
)
def test_exemplars_and_algorithm_of_a_broken_reply(reply: str):
    recalled = recalled_of(reply, 3)
    said = [[part.lower() for part in exemplar] for exemplar in recalled.exemplars]
    assert said == [[part.lower() for part in exemplar] for exemplar in (ONE, TWO)]
    assert recalled.algorithm.lower() == "arithmetic."


@pytest.mark.parametrize(
    "code",
    [
        "#include <algorithm>\n#include<vector>\n# include <map>\nstd::vector<int> v; if (a < b && b > c) f(&a);",
        "return a if a<b else b&c",
        'page = "<p>1 &lt; 2</p>"',
        "List<Problem> all = new ArrayList<>();",
        "if (a[b[0]]>c) return d;",
        "int *p = &lt; int q = a &amp b;\nif (q < 1) {}",
        "# <!DOCTYPE x [<!ENTITY a 'b'>]>\nprint('&a;')",
        "return '</problem' + '>'",
    ],
)
def test_a_program_comes_back_as_it_was(code: str):
    mine = ONE._replace(code=code)
    assert recalled_of(problem(mine) + BOTH + ALGORITHM, 3) == ((mine, ONE, TWO), "Arithmetic.")
    fenced = mine._replace(code=f"```cpp\n{code}\n```")
    assert recalled_of(problem(fenced), 3).exemplars == (mine,)


def test_what_stands_in_cdata_is_text():
    code = 'print("<code>&lt;</code><planning>")'
    mine = ONE._replace(code=f"<![CDATA[{code}]]>")
    assert recalled_of(problem(mine), 1).exemplars == (ONE._replace(code=code),)
    parted = ONE._replace(code="<![CDATA[a[b[0]]]]><![CDATA[>c]]>")
    assert recalled_of(problem(parted), 1).exemplars == (ONE._replace(code="a[b[0]]>c"),)


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("a &lt; b &amp;&amp; c &gt; d", "a < b && c > d"),
        ("&quot;&apos;&#39;&#x41;", "\"''A"),
        ("&amp;lt;", "&lt;"),  # once
        ("a &lt; b && c", "a &lt; b && c"),  # not escaped: it is the program's own
        ("x = &copy;", "x = &copy;"),
        ("&lol9;", "&lol9;"),
    ],
)
def test_entities_of_single_characters_are_read_where_the_text_is_escaped(written: str, read: str):
    assert recalled_of(problem(ONE._replace(code=written)), 1).exemplars == (ONE._replace(code=read),)


def test_nothing_is_declared():
    bomb = '<!DOCTYPE root [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;"><!ENTITY c SYSTEM "file:///etc/passwd">]>\n'
    mine = ONE._replace(planning="&b; &c;")
    assert recalled_of(f"{bomb}<root>{problem(mine)}</root>", 1).exemplars == (mine,)


def test_a_program_in_the_words_of_another_field():
    mine = ONE._replace(description="Call <code>f(1)</code> and <code>f(2)</code>.", planning="Use <code>*</code>.")
    assert recalled_of(problem(mine) + problem(TWO), 3).exemplars == (mine, TWO)


@pytest.mark.parametrize(
    ("exemplar", "read"),
    [
        (ONE._replace(code=""), True),
        (ONE._replace(planning=" "), True),
        (ONE._replace(description=""), False),
        (ONE._replace(code="", planning=""), False),
    ],
)
def test_an_exemplar_is_a_description_with_a_plan_or_a_program(exemplar: Exemplar, read: bool):
    mine = exemplar._replace(planning=exemplar.planning.strip())
    assert recalled_of(problem(exemplar) + problem(TWO), 3).exemplars == ((mine, TWO) if read else (TWO,))


def test_the_first_exemplars_are_taken_and_fewer_are_enough():
    assert recalled_of(GOOD, 1).exemplars == (ONE,)
    assert recalled_of(GOOD, 20).exemplars == (ONE, TWO)
    assert recalled_of(BOTH, 3).algorithm == ""


NOTHING = ["", " \n", "<think>hm</think>", f"<think>{GOOD}", f"</think>\n<think>\n{GOOD}"]


@pytest.mark.parametrize(
    "reply",
    [
        *NOTHING,
        "I'm sorry, but I can't help with that.",
        "<problem><description>",
        "<root></root>",
        "<problem></problem>",
        ALGORITHM,
        "<description>A</description>",
        "<planning>A</planning><code>B</code>",
        '{"problem": [{"description": "A", "planning": "B"}]}',
        "<problem",
        "#include <problem>\n#include <description>\nA\n#include <planning>\nB",
    ],
)
def test_no_exemplar(reply: str):
    with pytest.raises(BadReply) as caught:
        recalled_of(reply, 3)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("said", "confidence"),
    [
        ("90", 90),
        ("  90  ", 90),
        ("90.", 90),
        ("0", 0),
        ("1", 1),
        ("100", 100),
        ("95%", 95),
        ("95 %", 95),
        ("0.5%", 0.5),
        ("0.95", 95),
        ("0,95", 95),
        ("1.0", 100),
        ("0.0", 0),
        ("92.5", 92.5),
        ("95/100", 95),
        ("9 / 10", 90),
        ("19 out of 20", 95),
        ("**85**", 85),
        ("`85`", 85),
        ("<![CDATA[85]]>", 85),
        ("about 85, for two reasons", 85),
        ("80-90", 80),
    ],
)
@pytest.mark.parametrize(
    "form",
    [
        "<root>\n<explanation>It takes 3 steps.</explanation>\n<confidence>{}</confidence>\n</root>",
        "<confidence>{}</confidence>",
        "<Confidence unit='percent'> {} </CONFIDENCE>",
        "```xml\n<confidence>{}\n```",
        "First I thought <confidence>7</confidence>, now <confidence>{}</confidence>. My confidence: high.",
        "It takes 3 steps. Confidence: {}",
        "It takes 3 steps.\n\n**Confidence score:** {}\n\nThat was 1 of 2.",
        '{{"explanation": "3 steps", "confidence": "{}"}}',
    ],
)
def test_a_confidence(form: str, said: str, confidence: float):
    assert confidence_of(form.format(said)) == pytest.approx(confidence)


def test_a_confidence_alone():
    assert confidence_of("<think>about 20?</think>\n90\n") == 90
    assert confidence_of("90%") == 90
    assert confidence_of("<confidence>\n90\n</confidence>") == 90
    assert confidence_of("Confidence:\n\n90\n\n3 steps.") == 90


@pytest.mark.parametrize(
    "reply",
    [
        "I am 90% sure.",
        "**90**",
        "90.",
        "### Confidence\n90",
        "Confidence score (0-100): 90",
        "My confidence level is 90, for 3 reasons.",
        "<confidence_score>90</confidence_score>",
    ],
)
def test_a_confidence_in_other_words(reply: str):
    assert confidence_of(reply) == 90


@pytest.mark.parametrize(
    "reply",
    [
        *NOTHING,
        "I am sure.",
        "The plan has 3 steps and is right.",
        "<confidence></confidence>",
        "<confidence>high</confidence> 90",
        "<confidence>the number</confidence>",
        "<confidence>101</confidence>",
        "<confidence>-5</confidence>",
        "<confidence>-55</confidence>",
        "<confidence>3/2</confidence>",
        "<confidence>2/0</confidence>",
        "<confidence>x7</confidence>",
        "<confidence>nan</confidence>",
        f"<confidence>{'9' * 10_000}</confidence>",
        f"<confidence>{'9' * 10_000}/{'9' * 10_000}</confidence>",
        "Confidence: high\n90",
    ],
)
def test_no_confidence(reply: str):
    with pytest.raises(BadReply) as caught:
        confidence_of(reply)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 100


@pytest.mark.parametrize(
    "reply",
    [
        pytest.param("<problem>" * 100_000, id="problems"),
        pytest.param("<description>" * 80_000, id="descriptions"),
        pytest.param("<description><code>" * 50_000, id="descriptions and programs"),
        pytest.param("<description>" + "<code>" * 150_000, id="programs in a description"),
        pytest.param("<planning><code></code><description>" * 30_000, id="fields of all kinds"),
        pytest.param("</problem>" * 100_000, id="closings"),
        pytest.param("<code><![CDATA[" * 60_000, id="sections that never end"),
        pytest.param("<![CDATA[" * 60_000 + "]]>" * 60_000, id="sections that end together"),
        pytest.param("]]>" * 300_000, id="the ends of sections"),
        pytest.param("<" * 1_000_000, id="the beginnings of tags"),
        pytest.param("< " * 500_000, id="the beginnings of tags and blanks"),
        pytest.param("<" + " " * 1_000_000, id="blanks in a tag"),
        pytest.param("<problem " * 100_000, id="tags that never end"),
        pytest.param("<code" + " a" * 500_000, id="attributes"),
        pytest.param("#" * 1_000_000, id="the beginnings of includes"),
        pytest.param("# " * 500_000, id="the beginnings of includes and blanks"),
        pytest.param("#include <" + "a" * 1_000_000, id="an include that never ends"),
        pytest.param(problem(ONE._replace(code="&amp;" * 200_000)), id="entities"),
        pytest.param("<confidence" * 90_000, id="the beginnings of confidences"),
        pytest.param("<confidence>" * 80_000, id="confidences"),
        pytest.param("confidence" + " " * 1_000_000, id="blanks behind a confidence"),
        pytest.param("<confidence>" + "1" * 1_000_000, id="digits"),
        pytest.param("<confidence>" + "1 " * 500_000, id="numbers"),
        pytest.param("<confidence>x" + "9" * 1_000_000, id="digits behind a letter"),
    ],
)
def test_a_reply_of_a_megabyte_comes_to_an_end(reply: str):
    """Quadratic work on any of these takes minutes to hours; nothing is asserted about seconds."""
    assert len(reply) > 700_000
    with contextlib.suppress(BadReply):
        assert recalled_of(reply, 3).exemplars
    with contextlib.suppress(BadReply):
        assert 0 <= confidence_of(reply) <= 100


PIECES = st.lists(
    st.sampled_from(
        [
            *("<problem>", "</problem>", "<description>", "</description>", "<code>", "</code>", "<planning>"),
            *("</planning>", "<algorithm>", "</algorithm>", "<root>", "</root>", "<![CDATA[", "]]>", "<code/>", "\n"),
            *("#include <algorithm>", "a", "<", "&", "&lt;", "```", "<confidence>", "</confidence>", "7", ".", "%"),
        ]
    ),
    max_size=40,
)


@given(PIECES.map("".join) | st.text())
def test_no_reply_is_a_crash(reply: str):
    with contextlib.suppress(BadReply):
        recalled = recalled_of(reply, 2)
        assert 1 <= len(recalled.exemplars) <= 2
        assert all(each.description and (each.planning or each.code) for each in recalled.exemplars)
    with contextlib.suppress(BadReply):
        assert 0 <= confidence_of(reply) <= 100


def test_a_whole_answer():
    assert whole_answer_of("<think>a</think>\n1. Sort.\n") == "1. Sort."
    for reply in NOTHING:
        with pytest.raises(BadReply):
            whole_answer_of(reply)
