"""The parameters of a building of planner data, checked into a job that can be run."""

from collections.abc import Sequence
from math import isclose
from pathlib import Path
from typing import NamedTuple

from blocks.errors import UsageError
from blocks.server import load_environment
from tasks import prompts
from tasks.models.references import Model, resolve
from tasks.planner_data.duplicates import Duplicates, duplicates_of
from tasks.planner_data.recipe import FORMATS, Fractions, Recipe
from tasks.plans.asking import Rules
from tasks.plans.jobs import (
    LANGUAGE,
    PLAN_EXECUTE,
    RECORDED,
    SAMPLES,
    Asking,
    Roles,
    check_rules,
    dataset_of,
    hash_of,
    is_samples,
)
from tasks.plans.questions import Questions, read_questions, sampled
from tasks.plans.records import Question
from tasks.runs import Configuration
from tasks.solving import Job, Options, check_numbers, options_of

FLOW = "build_dataset"


class Building(NamedTuple):
    """A job of questions to plan, of which the duplicates are out already, and what is made of the plans."""

    asking: Asking
    recipe: Recipe
    chosen: tuple[Question, ...]
    duplicates: Duplicates


async def prepare_building(
    *, dataset: str | None, given: Roles, execute: bool, rules: Rules, recipe: Recipe, samples: int, questions: int,
    limit: int | None, **parameters: object,
) -> Building:  # fmt: skip
    """Check the parameters; raises UsageError. Writes nothing, asks no model."""
    dataset, roles = _with_samples(dataset, given, execute)
    _check_roles(roles, execute)
    check_rules(rules, questions)
    _check_recipe(recipe, samples)
    options = options_of(
        flow=FLOW, strategy=FLOW, dataset=dataset, workers=questions, limit=limit, pass_at_k=samples, **parameters
    )
    load_environment()
    check_numbers(options)
    file = read_questions(Path(dataset))
    chosen = sampled(file.questions, limit, rules.seed)
    _check_answers(file, chosen, execute, rules.guided)
    asking = await _asking(options, file, roles, execute, rules, chosen)
    duplicates = duplicates_of(chosen)
    kept = {problem.id: problem for problem in asking.job.problems if problem.id not in duplicates.removed}
    job = asking.job._replace(problems=tuple(kept.values()))
    by_id = {question.id: question for question in chosen if question.id in kept}
    return Building(asking._replace(job=job, questions=by_id), recipe, chosen, duplicates)


def fractions_of(text: str) -> Fractions:
    """Read `0.8,0.1,0.1`: the parts of train, validation and test; raises UsageError."""
    try:
        numbers = [float(each) for each in text.split(",")]
    except ValueError:
        numbers = []
    if len(numbers) != 3 or min(numbers) < 0 or not isclose(sum(numbers), 1, abs_tol=1e-6) or not numbers[0]:
        raise UsageError(
            f"--splits {text!r}: give the parts of train, validation and test, which make 1 together, as 0.8,0.1,0.1"
        )
    return Fractions(*numbers)


def _with_samples(dataset: str | None, given: Roles, execute: bool) -> tuple[str, Roles]:
    """Fill in what was left out: the sample questions, and for them the recorded models."""
    if not any(given) and (dataset is None or is_samples(dataset)):
        recorded = Roles(*(f"recorded:{path}" for path in RECORDED.values()))
        return str(dataset or SAMPLES), recorded if execute else Roles(planner=recorded.planner)
    if dataset is None:
        raise UsageError("--dataset: no questions are given; name a JSON or JSONL file of rows with a `problem`")
    return dataset, given


def _check_roles(roles: Roles, execute: bool) -> None:
    if roles.planner is None:
        raise UsageError("--planner: no model is named; give a model reference")
    for flag, reference in zip(("small", "large", "aggregator", "judge"), roles[1:], strict=True):
        if execute and reference is None and flag in ("small", "large"):
            raise UsageError(
                f"--{flag}: no model is named; --execute takes a model reference for --small and --large"
            )
        if not execute and reference is not None:
            raise UsageError(f"--{flag}: a plan is carried out with --execute alone; add it, or leave --{flag} out")


def _check_recipe(recipe: Recipe, samples: int) -> None:
    if samples < 1:
        raise UsageError(f"--samples {samples}: give a number of 1 or more")
    if recipe.format not in FORMATS:
        raise UsageError(f"--format {recipe.format!r}: choose from {', '.join(FORMATS)}")
    if recipe.format == "preference" and samples < 2:
        raise UsageError("--format preference: a pair takes two plans of a question; give --samples 2 or more")
    if recipe.longest < 1:
        raise UsageError(f"--longest {recipe.longest}: give a number of characters, 1 or more")


def _check_answers(file: Questions, chosen: Sequence[Question], execute: bool, guided: bool) -> None:
    if any(question.answer is not None for question in chosen):
        return
    for flag, wanted in (("execute", execute), ("guide-with-answer", guided)):
        if wanted:
            raise UsageError(f"--{flag}: no row of {file.path} has an `answer`; add them, or leave --{flag} out")


async def _asking(
    options: Options, file: Questions, roles: Roles, execute: bool, rules: Rules, chosen: Sequence[Question]
) -> Asking:
    """The job of all questions that were chosen."""
    names = {number: name for number, name in enumerate(Roles._fields, start=1) if roles[number - 1] is not None}
    references = [reference for reference in roles if reference is not None]
    number_of = {name: number for number, name in enumerate(names.values(), start=1)}
    stages = _stages(number_of, execute)
    models: tuple[Model, ...] = tuple([await resolve(reference) for reference in references])
    texts = {**prompts.texts_of("questions"), **prompts.texts_of(PLAN_EXECUTE)}
    asked = {stage: hash_of(text) for stage, text in texts.items() if stage in stages}
    if rules.guided:
        asked["planning, guided"] = hash_of(prompts.texts_of(FLOW)["planning"])
    configuration = Configuration(
        flow=FLOW,
        dataset=file.name,
        dataset_hash=file.hash,
        strategy=FLOW,
        strategy_hash="",
        prompts=asked,
        models=tuple(model.name for model in models),
        references=tuple(model.reference for model in models),
        pools=tuple(model.pool for model in models),
        stages=stages,
        language=LANGUAGE,
        temperature=options.temperature,
        top_p=options.top_p,
        max_tokens=options.max_tokens,
        samples=options.pass_at_k,
        parameters={
            "execute": execute,
            "guided": rules.guided,
            **({"threshold": rules.threshold} if execute else {}),
        },
        place=f"{FLOW}/{file.name}",
    )
    read = dataset_of(file.name, file.path, file.hash, file.questions)
    ids = {question.id for question in chosen}
    problems = tuple(problem for problem in read.problems if problem.id in ids)
    job = Job(options, configuration, models, read, problems, None)
    questions = {question.id: question for question in chosen}
    by_number = {number: name for name, number in number_of.items()}
    return Asking(job, questions, rules._replace(judge="judging" in stages), by_number, False)


def _stages(number_of: dict[str, int], execute: bool) -> dict[str, tuple[int, ...]]:
    stages: dict[str, tuple[int, ...]] = {"planning": (1,)}
    if execute:
        stages["step"] = (number_of["small"], number_of["large"])
        stages["aggregation"] = (number_of.get("aggregator", number_of["small"]),)
    if "judge" in number_of:
        stages["judging"] = (number_of["judge"],)
    return stages
