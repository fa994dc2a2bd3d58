"""What a run of questions leaves in its folder besides the files of every run: the reports and their theory."""

from collections.abc import Iterable, Mapping
from pathlib import Path

from tasks.judging.results import FOLDER
from tasks.plans.answered import Answered, answered
from tasks.plans.jobs import PLAN_EXECUTE, Asking
from tasks.plans.theory import LOCAL_PLANNER, PACES, Pace, Timeline, fitted, pace_of, timeline


def write_reports(
    asking: Asking, *, folder: Path, spool_folder: Path, output: Path, errors: Mapping[str, str]
) -> None:
    """Write the reports of a run from its spool; `errors` says by id what kept questions from an answer."""
    # Imported here: they bring DuckDB, which is of no use while questions are answered.
    from tasks.reporting.judging.report import evaluation_tables, read_evaluation
    from tasks.reporting.plans.baselines import baselines
    from tasks.reporting.plans.dataset_report import write_dataset
    from tasks.reporting.plans.report import write_single

    job = asking.job
    those = answered(spool_folder, order=asking.questions)
    names = dict(zip(asking.roles.values(), job.configuration.references, strict=True))
    theories = _theories(those, asking.rules.workers) if job.configuration.flow == PLAN_EXECUTE else {}
    evaluation = read_evaluation(folder / FOLDER)
    tables = evaluation_tables(evaluation) if evaluation else ()
    if asking.alone:
        for one in those:
            theory = theories.get(one.answer.problem_id)
            write_single(folder, one, roles=asking.roles, names=names, theory=theory, evaluation=tables)
        return
    beside = None
    if job.configuration.flow == PLAN_EXECUTE:
        beside = baselines(output, job.configuration.dataset_hash, [one.answer.problem_id for one in those])
    write_dataset(
        folder,
        those,
        dataset=job.configuration.dataset,
        roles=asking.roles,
        names=names,
        asked=len(job.problems),
        errors=errors,
        theories=theories,
        beside=beside,
        evaluation=tables,
    )


def _theories(those: Iterable[Answered], workers: int) -> dict[str, Timeline]:
    """What each plan should take by its models' paces.

    They are those of the run's own calls; where these are few the published ones, or else what the few tell.
    """
    those = list(those)
    calls = [call for one in those for call in one.calls]
    paces = {**fitted(calls, fewest=1), **PACES, **fitted(calls)}
    found = {one.answer.problem_id: _theory(one, paces, workers) for one in those if one.planned}
    return {id: theory for id, theory in found.items() if theory is not None}


def _theory(one: Answered, paces: Mapping[str, Pace], workers: int) -> Timeline | None:
    """The theory of one plan; None where the pace of one of its models is not known."""
    models = {row.step: row.model or "" for row in one.steps}
    known = {model: pace for model in models.values() if (pace := pace_of(model, paces)) is not None}
    planner = next((call.model for call in one.calls if call.stage == "planning"), "")
    if len(known) < len(set(models.values())):
        return None
    return timeline(one.plan, models, known, pace_of(planner, paces) or LOCAL_PLANNER, workers=workers)
