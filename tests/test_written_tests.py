"""Tests as models write them: what is read of a reply, and what it takes to be refused."""

import pytest

from tasks.parsing import BadReply
from tasks.records import Pair
from tasks.written_tests import assertions_of, audit_of, check_of, pairs_of

CHECK = "def check(candidate):\n    assert candidate(1) == 2"


@pytest.mark.parametrize(
    "text",
    [
        f"```python\n{CHECK}\n```",
        CHECK,
        f"<think>def check(candidate): pass</think>Here:\n\n```py\n{CHECK}\n```\nThat is all.",
        f"```python\ndef f(n):\n    return n\n```\n\n```python\n{CHECK}\n```",
        f"```python\n{CHECK}\n\ncheck(f)\n```",
        f"```python\n{CHECK}\n```\n\nRun it with\n\n```python\ncheck(f)\n```",
    ],
)
def test_a_check_is_found(text: str):
    assert CHECK in check_of(text).source


@pytest.mark.parametrize(
    "text",
    [
        "",
        "No.",
        "```python\ndef test(candidate):\n    assert candidate(1) == 2\n```",
        "```python\ndef check(candidate):\n    print(candidate(1))\n```",
        "```python\ndef check():\n    assert f(1) == 2\n```",
        "```python\ndef check(candidate:\n    assert candidate(1) == 2\n```",
        f"<think>```python\n{CHECK}\n```",
    ],
)
def test_what_holds_no_check_is_refused(text: str):
    with pytest.raises(BadReply):
        check_of(text)


PAIRS = (Pair(input="3\n1 2 3\n", output="6\n"), Pair(input="1\n5\n", output="5\n"))


@pytest.mark.parametrize(
    "text",
    [
        "Input:\n3\n1 2 3\nOutput:\n6\n\nInput:\n1\n5\nOutput:\n5",
        "**Input:**\n```\n3\n1 2 3\n```\n**Output:**\n```\n6\n```\n\n"
        "**Input:**\n```\n1\n5\n```\n**Output:**\n```\n5\n```\n",
        "### Test 1\nInput:\n3\n1 2 3\nExpected Output:\n6\nExplanation: the sum.\n\n### Test 2\nInput:\n1\n5\n"
        "Expected output:\n5\n---\n",
        "Test case 1:\r\nInput:\r\n3\r\n1 2 3\r\nOutput: 6\r\n\r\nTest case 2:\r\nInput:\r\n1\r\n5\r\nOutput: 5\r\n",
        "```\nInput:\n3\n1 2 3\nOutput:\n6\n```\n\n```text\nInput:\n1\n5\nOutput:\n5\n```",
        "- Input 1:\n3\n1 2 3\n- Output 1:\n6\n\n- Input 2:\n1\n5\n- Output 2:\n5\n",
        "<think>Input:\n9\nOutput:\n9</think>\n1. **Input**:\n3\n1 2 3\n   **Output**:\n6\n"
        "2. **Input**:\n1\n5\n   **Output**:\n5\n",
        "Input:\n3\n1 2 3\nOutput:\n6\n\nInput:\n1\n5\nOutput:\n5\n\nInput:\n3\n1 2 3\nOutput:\n6\n",
        "1.\nInput:\n3\n1 2 3\nOutput:\n6\n\n2.\nInput:\n1\n5\nOutput:\n5\n",
        "1. **Three**\nInput:\n3\n1 2 3\nOutput:\n6\n\n2. **One number**\nInput:\n1\n5\nOutput: `5`\n",
        "**Input**\n3\n1 2 3\n**Output**\n6\n\n### Input\n1\n5\n### Output\n5\n\nThese tests cover all of it.\n",
        "Input:\n3\n1 2 3\nOutput:\n6\n\nEdge case: n = 1\nInput:\n1\n5\nOutput:\n5\n",
        "Input:\n3\n1 2 3\nOutput:\n6\n\nLarge values:\nInput:\n1\n5\nOutput:\n5\n",
        "Test Case A:\nInput:\n3\n1 2 3\nOutput:\n6\n\nTest Case B:\nInput:\n1\n5\nOutput:\n5\nReasoning: 5 is 5\n",
        "Input:\n3\n1 2 3\nOutput:\n6\n(Explanation: the sum)\n\nInput #2:\n1\n5\nOutput #2:\n5\n\nAll of this is "
        "small.\n\nThese tests cover all of it.\n",
        "1. **Three numbers**\n   Input:\n   3\n   1 2 3\n   Output:\n   6\n\n2. **One**\n   Input:\n   1\n   5\n"
        "   Output:\n   5\n",
        "- Input:\n  3\n  1 2 3\n- Output:\n  6\n- Input:\n  1\n  5\n- Output:\n  5\n",
        "Input (stdin):\n3\n1 2 3\nOutput (stdout):\n6\n\nInput (stdin):\n1\n5\nOutput (stdout):\n5\n",
        "Input\n3\n1 2 3\nOutput\n6\n\nInput\n1\n5\nOutput\n5\n",
        'Input: "3\\n1 2 3\\n"\nOutput: 6\nInput: "1\\n5"\nOutput: "5\\n"\n',
    ],
)
def test_pairs_are_found(text: str):
    assert pairs_of(text).pairs == PAIRS


def test_data_keeps_its_own_indentation():
    assert pairs_of("Input:\n  *\n ***\nOutput:\n  a\n").pairs == (Pair(input="  *\n ***\n", output="  a\n"),)
    assert pairs_of("One:\n  Input:\n    *\n   ***\n  Output:\n  a\n").pairs == (
        Pair(input="  *\n ***\n", output="a\n"),
    )


def test_blank_lines_within_a_pair_stay():
    assert pairs_of("Input:\na\n\nb\nOutput:\nx\n\ny\n").pairs == (Pair(input="a\n\nb\n", output="x\n\ny\n"),)


@pytest.mark.parametrize(
    "word", ["test", "case", "Case #1: 3", "note 7", "2", "2.5", "*", "example of it", "inputs: 3"]
)
def test_words_of_tests_may_be_data(word: str):
    assert pairs_of(f"Input:\n{word}\nOutput:\n{word}\n").pairs == (Pair(input=f"{word}\n", output=f"{word}\n"),)


@pytest.mark.parametrize("word", ["Input", "test", "Status", "[Analysis", "1 1 1 1 x"])
@pytest.mark.parametrize("filling", [" ", "*", "# ", "1 ", "test "])
def test_a_long_line_comes_to_an_end(word: str, filling: str):
    for read in (pairs_of, audit_of, check_of):
        with pytest.raises(BadReply):
            read(word + filling * 100_000 + "x")


def test_an_empty_input_is_a_test():
    assert pairs_of("Input:\n\nOutput:\n7\n").pairs == (Pair(input="\n", output="7\n"),)


@pytest.mark.parametrize("text", ["", "Input: 3", "Output: 3", "Input:\n3\nOutput:\n", "the input: and the output:"])
def test_what_holds_no_pair_is_refused(text: str):
    with pytest.raises(BadReply):
        pairs_of(text)


def test_only_assertions_on_literals_are_taken():
    text = """```python
assert add(1, 2) == 3
assert add(-1, [2, {'a': (None, True)}]) == {'x': 1.5}
assert add(1, b=2) == 3
assert add(1, 2) == 3
assert add(__import__('os').getpid(), 1) == 3
assert add(*[1, 2]) == 3
assert add(1, 2) == 3, open('x').read()
assert other(1) == 2
assert add(1, 2) != 3
assert add(a=1, a=2) == 3
assert add(__debug__=1) == 3
assert add(...) == ...
assert add(
    3, 4
) == 7, f"{open('x').read()}"
assert add(1, 2)
assert not add(0, 0)
assert add(1, 3) is None
assert add(1, 2) is True
x = add(1, 2)
```"""
    assert assertions_of(text, "add") == (
        "assert add(1, 2) == 3",
        "assert add(-1, [2, {'a': (None, True)}]) == {'x': 1.5}",
        "assert add(1, b=2) == 3",
        "assert add(3, 4) == 7",
        "assert add(1, 2) == True",
        "assert add(0, 0) == False",
        "assert add(1, 3) == None",
    )
    listed = "Tests:\n- assert add(1, 2) == 3, 'three'\n2. `assert add(3, 4) == 7`\nassert add(1,\n"
    assert assertions_of(listed, "add") == ("assert add(1, 2) == 3", "assert add(3, 4) == 7")
    with pytest.raises(BadReply):
        assertions_of(text, "sub")


def test_assertions_may_call_a_method_of_a_class():
    text = "assert Solution().twice(2) == 4\nassert Solution(x).twice(2) == 4\nassert Solution().a.twice(2) == 4"
    text += "\nassert Solution().__len__() == 4\nassert Solution(2) == 4"
    assert assertions_of(text, "Solution", methods=True) == ("assert Solution().twice(2) == 4",)
    with pytest.raises(BadReply):
        assertions_of("assert double(3).bit_length() == 2", "double")


@pytest.mark.parametrize("text", ["<think>[Status]: PASS or FAIL?\nInput:\n1\nOutput:\n2\nassert f(1) == 2\n"])
def test_what_is_cut_off_while_thinking_is_no_answer(text: str):
    for read in (audit_of, pairs_of, check_of, lambda said: assertions_of(said, "f")):
        with pytest.raises(BadReply):
            read(text)


def test_assertions_that_stand_alone_are_a_check():
    source = check_of("```python\nimport math\nassert f(1) == 2\nassert f(2) == math.inf\n```").source
    assert source == "import math\ndef check(candidate):\n    assert f(1) == 2\n    assert f(2) == math.inf"


def test_an_assertion_that_is_nested_too_deeply_is_none():
    deep = "assert f(1) == " + "+".join(["1"] * 2_000)
    with pytest.raises(BadReply):
        check_of(f"```python\n{deep}\n```")
    assert assertions_of(f"```python\n{deep}\nassert f(1) == 2\n```", "f") == ("assert f(1) == 2",)


@pytest.mark.parametrize(
    ("text", "passed", "words"),
    [
        ("[Status]: PASS\n[Analysis]: fine\n[Feedback]:", True, "[Analysis]: fine\n[Feedback]:"),
        ("[Status]: FAIL\n[Analysis]: no\n[Feedback]: do", False, "[Analysis]: no\n[Feedback]: do"),
        ("**[Status]:** `fail`\n[Feedback]: do", False, "[Feedback]: do"),
        ("Status: [PASS]", True, "Status: [PASS]"),
        ("<think>[Status]: PASS</think>[Status]: FAIL", False, "[Status]: FAIL"),
        (
            "[Status]: FAIL\n[Feedback]: then Status: PASS is expected",
            False,
            "[Feedback]: then Status: PASS is expected",
        ),
        ("[Status]: PASS|FAIL is asked.\n[Status]: FAIL\n[Analysis]: x", False, "[Analysis]: x"),
        ("[Status]: FAIL\n[Analysis]: x\n[Status]: PASS|FAIL", False, "[Analysis]: x\n[Status]: PASS|FAIL"),
        *(
            (f"{said}\n[Analysis]: x", passed, "[Analysis]: x")
            for said, passed in [
                ("[Status]: FAILED", False),
                ("[Status]: PASSED", True),
                ("[Status]: ❌ FAIL", False),
                ("[Status]: ✅ **PASS**", True),
                ("[Status]\nFAIL", False),
                ("### Status\n**FAIL**", False),
                ("1. [Status]: FAIL", False),
                ("[Status] FAIL", False),
                ('[Status]: "FAIL"', False),
                ("[Status]: (FAIL)", False),
                ("**Status**: Pass", True),
                ("- **[Status]:** FAILURE", False),
            ]
        ),
    ],
)
def test_an_audit_is_its_last_status(text: str, passed: bool, words: str):
    assert audit_of(text) == (passed, words)


@pytest.mark.parametrize(
    "text",
    ["", "PASS", "[Analysis]: fine", "Status quo fails", "[Status]: PASS|FAIL", "<think>[Status]: PASS</think>fine"],
)
def test_an_audit_without_a_status_is_refused(text: str):
    with pytest.raises(BadReply):
        audit_of(text)
