"""The parameters of the flows that answer questions, checked into a job that can be run."""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from blocks.errors import UsageError
from blocks.server import load_environment
from tasks import prompts
from tasks.datasets.load import BUNDLED, Dataset
from tasks.models.references import Model, resolve
from tasks.plans.asking import Rules
from tasks.plans.questions import read_questions, sampled
from tasks.plans.records import Question
from tasks.plans.routing import router_of
from tasks.records import Problem, Suite
from tasks.runs import Configuration
from tasks.solving import Job, Options, check_numbers, options_of

PLAN_EXECUTE, SINGLE_MODEL = "plan_execute", "single_model"
QUERY = "query"  # the id of a question that is given on the command line
SAMPLES = BUNDLED / "questions.jsonl"
RECORDED = {name: BUNDLED / "recorded" / "plan_execute" / f"{name}.jsonl" for name in ("planner", "small", "large")}
LANGUAGE = "text"


class Roles(NamedTuple):
    """Model references by what they do; None where none was given."""

    planner: str | None = None
    small: str | None = None
    large: str | None = None
    aggregator: str | None = None
    judge: str | None = None


class Asking(NamedTuple):
    """A job of questions: `questions` by id, `roles` by model number, and whether it is one alone."""

    job: Job
    questions: Mapping[str, Question]
    rules: Rules
    roles: Mapping[int, str]
    alone: bool


async def prepare_plans(
    *, query: str | None, dataset: str | None, given: Roles, rules: Rules, questions: int, limit: int | None,
    **parameters: Any,
) -> Asking:  # fmt: skip
    """Check the parameters of a run of plans; raises UsageError. Writes nothing, asks no model."""
    query, dataset, roles = _with_samples(query, dataset, given)
    planner, small, large = roles.planner or roles.large, roles.small, roles.large
    if planner is None or small is None or large is None:
        missing = "--large" if large is None else "--small"
        raise UsageError(f"{missing}: no model is named; give a model reference for --small and --large")
    check_rules(rules, questions)
    router_of(rules.router)
    references = [planner, small, large]
    stages: dict[str, tuple[int, ...]] = {"planning": (1,), "step": (2, 3), "direct": (3,), "aggregation": (2,)}
    if rules.router == "scored":
        stages["scoring"] = (1,)
    names = {1: "planner", 2: "small", 3: "large"}
    for role, stage, reference in (
        ("aggregator", "aggregation", roles.aggregator),
        ("judge", "judging", roles.judge),
    ):
        if reference is not None:
            references.append(reference)
            stages[stage] = (len(references),)
            names[len(references)] = role
    options = options_of(
        flow=PLAN_EXECUTE,
        strategy=PLAN_EXECUTE,
        dataset=dataset or QUERY,
        workers=questions,
        limit=limit,
        **parameters,
    )
    settings: dict[str, bool | int | float | str] = {
        "router": rules.router,
        "threshold": rules.threshold if rules.use_threshold else "none",
        "enforce_budget": rules.enforce_budget,
        "seed": rules.seed,
    }
    return await _asking(options, query, dataset, references, stages, names, rules, settings)


async def prepare_single(
    *, query: str | None, dataset: str | None, model: str | None, judge: str | None, rules: Rules, questions: int,
    limit: int | None, **parameters: Any,
) -> Asking:  # fmt: skip
    """Check the parameters of a run of one model alone; raises UsageError. Writes nothing, asks no model."""
    query, dataset, roles = _with_samples(query, dataset, Roles(large=model, judge=judge))
    if roles.large is None:
        raise UsageError("--model: no model is named; give a model reference")
    check_rules(rules, questions)
    references = [roles.large, *([roles.judge] if roles.judge else [])]
    stages: dict[str, tuple[int, ...]] = {"direct": (1,), **({"judging": (2,)} if roles.judge else {})}
    names = {1: "model", **({2: "judge"} if roles.judge else {})}
    options = options_of(
        flow=SINGLE_MODEL,
        strategy=SINGLE_MODEL,
        dataset=dataset or QUERY,
        workers=questions,
        limit=limit,
        **parameters,
    )
    return await _asking(options, query, dataset, references, stages, names, rules, {"seed": rules.seed})


def _with_samples(query: str | None, dataset: str | None, given: Roles) -> tuple[str | None, str | None, Roles]:
    """Fill in what was left out: without anything the sample question, and recorded models for the samples."""
    if query is not None and dataset is not None:
        raise UsageError("--query and --dataset are two ways to ask; give one of them")
    if query is not None and not query.strip():
        raise UsageError("--query: it is empty; give a question")
    named = any(given._replace(judge=None))
    if not named and query is None and (dataset is None or is_samples(dataset)):
        given = Roles(**{name: f"recorded:{path}" for name, path in RECORDED.items()}, judge=given.judge)
    if query is None and dataset is None:
        if named:
            raise UsageError("nothing is asked; give --query, or --dataset")
        query = _sample().text
    return query, dataset, given


def _sample() -> Question:
    """The question that is asked where none is given."""
    return read_questions(SAMPLES).questions[0]


def is_samples(dataset: str) -> bool:
    """Whether that file is the bundled one."""
    return Path(dataset).resolve() == SAMPLES


def check_rules(rules: Rules, questions: int) -> None:
    """Raise UsageError for a number that is out of its range."""
    if not 0 <= rules.threshold <= 10:
        raise UsageError(f"--threshold {rules.threshold:g}: give a difficulty from 0 to 10")
    for flag, number in (("workers", rules.workers), ("questions", questions)):
        if number < 1:
            raise UsageError(f"--{flag} {number}: give a number of 1 or more")
    for flag, seconds in (("timeout", rules.timeout), ("question-timeout", rules.question_timeout)):
        if not 0 < seconds < float("inf"):
            raise UsageError(f"--{flag} {seconds}: give seconds, above 0")


async def _asking(
    options: Options,
    query: str | None,
    dataset: str | None,
    references: list[str],
    stages: dict[str, tuple[int, ...]],
    roles: dict[int, str],
    rules: Rules,
    settings: dict[str, bool | int | float | str],
) -> Asking:
    load_environment()
    check_numbers(options)
    if query is not None:
        sample = _sample()
        found: tuple[Question, ...] = (
            sample.model_copy(update={"id": QUERY}) if query == sample.text else Question(id=QUERY, text=query),
        )
        read = dataset_of(QUERY, Path(), hash_of(query), found)
        chosen, place = found, f"{options.flow}/single"
    else:
        file = read_questions(Path(dataset or ""))
        read = dataset_of(Path(dataset or "").stem, Path(dataset or ""), file.hash, file.questions)
        chosen = sampled(file.questions, options.limit, rules.seed)
        place = (
            f"{options.flow}/dataset/{read.name}" if options.flow == PLAN_EXECUTE else f"{options.flow}/{read.name}"
        )
    models: tuple[Model, ...] = tuple([await resolve(reference) for reference in references])
    jobs = ["questions", *([PLAN_EXECUTE] if options.flow == PLAN_EXECUTE else [])]
    configuration = Configuration(
        flow=options.flow,
        dataset=read.name,
        dataset_hash=read.hash,
        strategy=options.strategy,
        strategy_hash="",
        prompts={
            stage: hash_of(text) for job in jobs for stage, text in prompts.texts_of(job).items() if stage in stages
        },
        models=tuple(model.name for model in models),
        references=tuple(model.reference for model in models),
        pools=tuple(model.pool for model in models),
        stages=stages,
        language=LANGUAGE,
        temperature=options.temperature,
        top_p=options.top_p,
        max_tokens=options.max_tokens,
        samples=1,
        parameters=settings,
        place=place,
    )
    problems = {problem.id: problem for problem in read.problems}
    job = Job(options, configuration, models, read, tuple(problems[question.id] for question in chosen), None)
    by_id = {question.id: question for question in chosen}
    return Asking(job, by_id, rules._replace(judge="judging" in stages), roles, query is not None)


def dataset_of(name: str, path: Path, digest: str, questions: tuple[Question, ...]) -> Dataset:
    """Return questions as the problems of a dataset."""
    problems = tuple(
        Problem(id=question.id, statement=question.text, hidden=Suite(), reference=question.answer)
        for question in questions
    )
    return Dataset(name, path, digest, problems)


def hash_of(text: str) -> str:
    """The SHA-256 of a text."""
    return hashlib.sha256(text.encode()).hexdigest()
