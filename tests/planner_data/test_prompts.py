"""The planner's prompt without the question is what rows have as system."""

import pytest

from tasks import prompts
from tasks.plans.records import Question

QUESTION = Question(id="1", text="How far is it?", answer="12 km")


@pytest.mark.parametrize("error", ["", "step 2 relies on itself"])
def test_the_prompt_is_the_system_with_the_question_in_it(error: str) -> None:
    whole = prompts.render("plan_execute", "planning", question=QUESTION, error=error)
    system = prompts.render("build_dataset", "system", error=error)
    assert whole.replace("# Question\n\nHow far is it?\n\n", "") == system


def test_the_answer_is_shown_in_a_section_of_its_own() -> None:
    guided = prompts.render("build_dataset", "planning", question=QUESTION, error="")
    head, _, rest = guided.partition("# The right answer\n")
    shown, _, tail = rest.partition("# How to plan")
    assert "12 km" in shown
    assert head + "# How to plan" + tail == prompts.render("plan_execute", "planning", question=QUESTION, error="")


def test_without_an_answer_there_is_nothing_to_show() -> None:
    unknown = QUESTION.model_copy(update={"answer": None})
    assert prompts.render("build_dataset", "planning", question=unknown, error="") == prompts.render(
        "plan_execute", "planning", question=unknown, error=""
    )
