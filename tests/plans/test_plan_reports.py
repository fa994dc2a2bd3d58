"""The reports of plans: what is in them, that hostile texts do no harm, and what stands beside them."""

import json
import random
import re
from itertools import pairwise
from pathlib import Path
from xml.etree import ElementTree

import pytest

from blocks.records import ExecutionRow, RunRow
from blocks.spool import Spool, store_file
from tasks.plans.answered import Answered
from tasks.plans.graph import reduction
from tasks.plans.layout import layout
from tasks.plans.parse import plan_of
from tasks.plans.theory import LOCAL_PLANNER, Pace, Timeline, timeline
from tasks.reporting.plans.baselines import Baselines, baselines, beside_table
from tasks.reporting.plans.charts import gantt_svg, graph_svg
from tasks.reporting.plans.dataset_report import write_dataset
from tasks.reporting.plans.parts import fenced
from tasks.reporting.plans.report import write_single
from tasks.reporting.svg import wrapped
from tests.plans.rows import NAMES, ROLES, START, answer, call, planned, step
from tests.test_report import held

OTHER = "aaaa2222-0000-4000-8000-000000000002"
HOSTILE = """a\x00b <script>alert("1")</script> ]]> & \x1b[31m | `x` ```
```
# no heading 漢字 🧮 "quoted" 'too' %%{init}%%"""
SVG = "{http://www.w3.org/2000/svg}"

DIAMOND = planned(
    step(1, start=1, seconds=1),
    step(2, 1, start=2, seconds=4, size="large", model="large-4o", difficulty=7),
    step(3, 1, start=2, seconds=2, escalated=True, size="large", model="large-4o"),
    step(4, 2, 3, 1, start=6, seconds=1, result=None, error="HTTP 500"),
    calls=(call("planning", 1), call("step", 3, ordinal=2), call("aggregation", 2)),
    repairs=["step 2: no Difficulty, 5 is assumed"],
)
REFUSED = Answered(
    answer(problem_id="q2", fallback="direct", correct=None, decided_by=None, planning_seconds=6.0),
    (),
    (step(1, problem_id="q2", start=1, seconds=2, discarded=True),),
    (call("direct", 3, problem_id="q2"),),
)


def theory_of(one: Answered) -> Timeline:
    models = {row.step: row.size for row in one.steps}
    paces = {"small": Pace(latency=1, throughput=100), "large": Pace(latency=2, throughput=50)}
    return timeline(one.plan, models, paces, LOCAL_PLANNER)


def bars(svg: str) -> dict[str, float]:
    """The left end of each bar that has a name."""
    boxes = ElementTree.fromstring(svg).iter(f"{SVG}rect")
    return {box.findtext(f"{SVG}title", ""): float(box.get("x", "")) for box in boxes if len(box)}


def texts(svg: str) -> str:
    return "\n".join(each.text or "" for each in ElementTree.fromstring(svg).iter(f"{SVG}text"))


def test_a_single_question(tmp_path):
    metrics = write_single(tmp_path, DIAMOND, roles=ROLES, names=NAMES, theory=theory_of(DIAMOND))
    files = sorted(path.name for path in tmp_path.iterdir())
    assert files == ["gantt.svg", "graph.svg", "plan.xml", "report.md", "result.json"], "and nothing half-written"
    assert plan_of((tmp_path / "plan.xml").read_text()).steps == DIAMOND.plan.steps
    result = json.loads((tmp_path / "result.json").read_text())
    assert (result["problem_id"], result["correct"], result["decided_by"]) == ("q1", True, "exact")
    assert result["metrics"] == json.loads(metrics.model_dump_json())
    assert (result["metrics"]["speed_up"], result["metrics"]["roles"]["planner"]["ttft"]["mean"]) == (0.8, 0.1)
    assert [each["role"] for each in result["replies"]] == ["planner", "large", "aggregator"]
    report = (tmp_path / "report.md").read_text()
    assert "recorded" not in report
    assert "Right (decided by: exact). The right answer: 42" in report
    assert "| critical path | 3 steps: 1, 2, 4 |" in report
    assert "| speed-up | 0.8 (time of all steps / wall time) |" in report
    assert "| 2 \\* | task 2 | 1 | 7 | large | large-4o | 100 | 50 | 0.100 | 4.00 | result 2 |" in report
    assert "failed: HTTP 500" in report
    assert "- step 2: no Difficulty, 5 is assumed" in report
    assert "  s2 --> s4\n" in report
    assert "class s1,s4 small" in report
    for picture in ("graph.svg", "gantt.svg"):
        assert f"]({picture})" in report


def test_recorded_replies_are_told_first(tmp_path):
    recorded = DIAMOND._replace(calls=(call("planning", 1, recorded=True), call("aggregation", 2)))
    write_single(tmp_path, recorded, roles=ROLES, names=NAMES)
    said = "> **Recorded replies: 1 of 2, the others came from a model.**"
    assert (tmp_path / "report.md").read_text().splitlines()[2] == said
    assert json.loads((tmp_path / "result.json").read_text())["recorded"] is True
    theories = {"q1": theory_of(recorded)}
    write_dataset(tmp_path, [recorded], dataset="mini", roles=ROLES, names=NAMES, asked=1, theories=theories)
    for report in ("dataset_report.md", "theoretical_reports/q1.md"):
        assert (tmp_path / report).read_text().splitlines()[2] == said


def test_a_fallback_is_said_plainly_and_leaves_no_old_pictures(tmp_path):
    write_single(tmp_path, DIAMOND, roles=ROLES, names=NAMES)
    write_single(tmp_path, REFUSED, roles=ROLES, names=NAMES)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["gantt.svg", "report.md", "result.json"]
    report = (tmp_path / "report.md").read_text()
    assert "no plan could be carried out, so the large model answered directly" in report
    assert "It is unknown whether this is right. The right answer: 42" in report
    assert "## Steps of a refused plan" in report
    failed = planned(step(1, result=None, error="HTTP 500"), fallback="direct")
    write_single(tmp_path, failed, roles=ROLES, names=NAMES)
    assert "no step of the plan had a result, so the large model" in (tmp_path / "report.md").read_text()


def test_one_model_alone(tmp_path):
    alone = Answered(answer(answer=None, correct=None, decided_by=None), (), (), (call("direct", 1),))
    write_single(tmp_path, alone, roles={1: "model"}, names={"model": "large-4o"})
    assert sorted(path.name for path in tmp_path.iterdir()) == ["report.md", "result.json"]
    report = (tmp_path / "report.md").read_text()
    assert report.startswith("# An answer by one model\n")
    assert "The right answer is not known." in report
    assert not re.search("plan|step|speed-up", report)
    write_dataset(tmp_path, [alone], dataset="mini", roles={1: "model"}, names={"model": "large-4o"}, asked=1)
    assert not re.search("plan|step|speed-up", (tmp_path / "dataset_report.md").read_text())
    [entry] = json.loads((tmp_path / "dataset_results.json").read_text())
    assert (entry["steps"], entry["fallback"], entry["critical_path"], entry["compression_ratio"]) == (
        [],
        None,
        [],
        None,
    )


def test_hostile_texts_stay_text(tmp_path):
    text = HOSTILE
    hostile = planned(
        step(1, task=text, result=text, model=text),
        step(2, 1, task=text, result=None, error=text),
        question=text, prediction=text, answer=text, decided_by=text, repairs=[text], problem_id="../" + text,
    )  # fmt: skip
    theories = {hostile.answer.problem_id: theory_of(hostile)}
    write_single(tmp_path / "one", hostile, roles=ROLES, names={"planner": text}, theory=theory_of(hostile))
    write_dataset(
        tmp_path / "all", [hostile], dataset=text, roles=ROLES, names={"planner": text}, asked=1,
        errors={text: text}, theories=theories,
    )  # fmt: skip
    written = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert {path.suffix for path in written} == {".md", ".json", ".xml", ".svg"}
    assert all(path.is_relative_to(tmp_path) for path in written)
    for path in written:
        if path.suffix == ".svg":
            root = ElementTree.parse(path).getroot()
            assert {each.tag.removeprefix(SVG) for each in root.iter()} <= {
                "svg", "title", "rect", "text", "path", "defs", "marker",
            }  # fmt: skip
        elif path.suffix == ".json":
            json.loads(path.read_text())
        elif path.suffix == ".md":
            outside = re.sub(r"(?ms)^(`{3,})\w*\n.*?^\1$", "", path.read_text())
            assert "<script" not in outside
            assert "\x1b" not in outside
            assert "# no heading" not in outside.split("\n")


def test_a_fence_is_longer_than_what_it_holds():
    assert fenced("a") == "```text\na\n```"
    assert fenced("````\nb") == "`````text\n````\nb\n`````"


def test_the_graph_shows_each_step_and_the_longest_path():
    svg = graph_svg(DIAMOND)
    assert "difficulty 7" in texts(svg)
    assert {line for line in texts(svg).splitlines() if " · " in line} == {
        "1 · small", "2 · large", "3 · escalated", "4 · failed",
    }  # fmt: skip
    lines = [each for each in ElementTree.fromstring(svg).iter(f"{SVG}path") if each.get("marker-end")]
    assert len(lines) == 4, "the edge from 1 to 4 follows from the others"
    assert [each.get("stroke-width") for each in lines].count("2.4") == 2


def test_both_gantts_have_one_scale():
    """12 s of theory and 10 s of reality: a second is as long in both, and steps start where they did."""
    one = planned(step(1, start=2, seconds=3, task="first"), step(2, 1, start=5, seconds=5), wall_seconds=10.0)
    written = timeline(
        one.plan, {1: "m", 2: "m"}, {"m": Pace(latency=4, throughput=100)}, Pace(latency=2, throughput=1e9)
    )
    assert written.total == pytest.approx(12)
    svg = gantt_svg(one, written)
    found = bars(svg)
    second = (found["2 · task 2: 5.00 s to 10.00 s"] - found["1 · first: 2.00 s to 5.00 s"]) / 3
    assert found["2 · task 2: 7.00 s to 12.00 s"] - found["1 · first: 2.00 s to 7.00 s"] == pytest.approx(
        5 * second, abs=0.1
    )
    assert "In theory: 12.00 s; one after the other 12.00 s, speed-up 1.00" in texts(svg)
    assert "What happened: 10.00 s; the steps one after the other 8.00 s, speed-up 0.80" in texts(svg)
    assert "In theory" not in texts(gantt_svg(one, None))


def test_a_question_that_two_executions_worked_on_has_no_times():
    resumed = planned(step(1, started_seconds=None), wall_seconds=None)
    assert "it is not known when steps started" in texts(gantt_svg(resumed, None))


def test_nothing_takes_no_time():
    assert ElementTree.fromstring(
        gantt_svg(planned(step(1, seconds=0), wall_seconds=0.0, planning_seconds=0.0), None)
    )
    assert ElementTree.fromstring(graph_svg(Answered(answer(), (), (), ())))


def test_boxes_do_not_touch_and_edges_lead_down():
    for seed in range(60):
        dice = random.Random(seed)
        size, density = dice.randint(1, 32), dice.choice([0.05, 0.2, 0.5])
        rows = [step(id, *(n for n in range(1, id) if dice.random() < density)) for id in range(1, size + 1)]
        plan = planned(*rows).plan
        found = layout(plan)
        assert set(found.steps) == {each.id for each in plan.steps}
        assert set(found.edges) == set(reduction(plan))
        for number in range(found.rows):
            places = sorted(place.x for place in found.steps.values() if place.row == number)
            assert all(right - left > 0.999 for left, right in pairwise(places))
            assert places[0] >= 0.499
            assert places[-1] <= found.width - 0.499
        for edge, places_of in found.edges.items():
            assert (places_of[0], places_of[-1]) == (found.steps[edge.before], found.steps[edge.after])
            assert [place.row for place in places_of] == list(range(places_of[0].row, places_of[-1].row + 1))


def test_labels_are_cut_to_their_room():
    assert wrapped("short", 100, 1) == ["short"]
    assert wrapped("one two three", 60, 2) == ["one two", "three"]
    assert wrapped("漢字漢字漢字漢字", 60, 1) == ["漢字漢字…"]
    assert wrapped("x" * 40, 65, 3) == ["x" * 10, "x" * 10, "x" * 9 + "…"]
    assert wrapped("", 60, 2) == [""]


def test_a_dataset(tmp_path):
    others = [
        DIAMOND._replace(answer=DIAMOND.answer.model_copy(update={"problem_id": id, "subject": "maths"}))
        for id in ("a/1", "a:1")
    ]
    theories = {one.answer.problem_id: theory_of(one) for one in (DIAMOND, *others)}
    found = write_dataset(
        tmp_path, [DIAMOND, REFUSED, *others], dataset="mini", roles=ROLES, names=NAMES, asked=6,
        errors={"q5": "no endpoint is left"}, theories=theories,
    )  # fmt: skip
    assert (found.questions, found.planned, found.fallbacks) == (4, 3, 1)
    entries = json.loads((tmp_path / "dataset_results.json").read_text())
    assert [entry["problem_id"] for entry in entries] == ["q1", "q2", "a/1", "a:1"]
    needed = (
        "problem_id steps fallback repairs failed_steps answer prediction correct decided_by wall_seconds "
        "critical_path compression_ratio question subject prompt_tokens completion_tokens cost_usd"
    )
    assert set(needed.split()) <= set(entries[0])
    of_a_step = "id task difficulty token_budget depends_on model result seconds size escalated"
    assert set(of_a_step.split()) <= set(entries[0]["steps"][0])
    assert (entries[0]["failed_steps"], entries[0]["critical_path"], entries[0]["fallback"]) == (1, [1, 2, 4], None)
    assert (entries[1]["steps"], len(entries[1]["discarded_steps"]), entries[1]["fallback"]) == ([], 1, "direct")
    report = (tmp_path / "dataset_report.md").read_text()
    for line in (
        "| questions | 4 answered, of 6 asked |",
        "| accuracy | 100.0 % |",
        "| unknown | 1 (nothing told right from wrong) |",
        "| maths | 2 | 2 | 2 | 0 | 100.0 |",
        "| average steps | 4.0 |",
        "| average compression ratio | 0.75 |",
        "| average token budget per step | 100.0 |",
        "| large-4o | 6 | 50.0 | 0 | 6 | 3 | 0 | 50.0 | 3.00 |",
        "| 7 | 3 | 25.0 | 0 | 3 | 0 | 0 | 50.0 | 4.00 |",
        "| mean speed-up | 0.8 (time of all steps / wall time) |",
        "| q2 | unknown |  | 0 |  | 0 | 0 | 10.00 | 0.0100 | fallback: direct, discarded steps: 1 |",
        "| q5 | no endpoint is left |",
    ):
        assert line in report.splitlines()
    mean = sum(theory.total for theory in theories.values()) / 3
    assert f"| mean time in theory | {mean:.2f} s |" in report
    assert "Beside a single model" not in report
    names = {path.name for path in (tmp_path / "theoretical_reports").iterdir()}
    assert {"q1.md", "q1.svg"} < names
    assert len(names) == 6, "ids that make one file name have two"
    assert "| total |" in (tmp_path / "theoretical_reports" / "q1.md").read_text()


def test_no_question_has_an_answer(tmp_path):
    write_dataset(tmp_path, [], dataset="mini", roles=ROLES, names=NAMES, asked=2, errors={"1": "no", "2": "no"})
    assert json.loads((tmp_path / "dataset_results.json").read_text()) == []
    report = (tmp_path / "dataset_report.md").read_text()
    assert "| accuracy | unknown |" in report
    assert "| cost (USD) | unknown |" in report


class Store:
    """Runs of one model in a store."""

    def __init__(self, output: Path) -> None:
        self.output = output

    def run(self, run_id: str, at: int, **about: str) -> Spool:
        """A run of the model `large-4o` that began so many hours after START; `about` changes what it is."""
        fields = {"flow": "single_model", "dataset_hash": "d1", "model": "large-4o", **about}
        spool = Spool(self.output, run_id, f"{run_id[:8]}-{at}")
        began = START.replace(hour=at)
        spool.append(
            RunRow(
                run_id=run_id, flow=fields["flow"], dataset="mini", strategy=fields["flow"], models=[fields["model"]],
                language="text", temperature=None, top_p=None, samples=1, problems=3,
                configuration=json.dumps({"dataset_hash": fields["dataset_hash"]}), folder="Run-1", created_at=began,
            )
        )  # fmt: skip
        spool.append(
            ExecutionRow(
                run_id=run_id, execution_id=spool.execution_id, flow_run_id=None, flow_run_name=None, status="done",
                isolation="none", workers=1, eval_workers=1, started_at=began,
            )
        )  # fmt: skip
        return spool

    def answers(self, spool: Spool, **answers: tuple[bool | None, float]) -> None:
        """Answers by question, with their seconds."""
        run_id = spool.folder.name
        for problem_id, (correct, seconds) in answers.items():
            about = {"run_id": run_id, "problem_id": problem_id}
            spool.append(call("direct", 1, **about))
            spool.append(answer(correct=correct, wall_seconds=seconds, **about))
        spool.close()


def test_a_baseline_stands_beside_on_the_questions_in_common(tmp_path):
    store = Store(tmp_path)
    store.answers(store.run(OTHER, 5), q1=(False, 4.0), q2=(True, 2.0), q7=(True, 9.0))
    store.answers(store.run("bbbb0000", 4), q1=(True, 1.0))  # the same model, earlier
    store.answers(store.run("cccc0000", 6, model="small-3b"), q1=(None, 1.0))
    store.answers(store.run("dddd0000", 7, dataset_hash="d2"), q1=(True, 1.0))
    store.answers(store.run("eeee0000", 8, flow="plan_execute"), q1=(True, 1.0))
    store.answers(store.run("ffff0000", 9, model="other"), q9=(True, 1.0))  # nothing in common
    found = baselines(tmp_path, "d1", {"q1", "q2", "q3"})
    assert [(run.model, run.run_id, sorted(run.outcomes)) for run in found.runs] == [
        ("small-3b", "cccc0000", ["q1"]),
        ("large-4o", OTHER, ["q1", "q2"]),
    ]
    table = beside_table([DIAMOND, REFUSED], found)
    assert list(table.rows) == [
        ("plan and execute, this run", 1, 1, 1, 100.0, 10.0, 180, pytest.approx(0.03)),
        ("small-3b alone, run cccc0000", 1, 0, 0, None, 1.0, 60, 0.01),
        ("plan and execute, this run", 2, 1, 1, 100.0, 10.0, 240, pytest.approx(0.04)),
        ("large-4o alone, run aaaa2222", 2, 1, 2, 50.0, 3.0, 120, 0.02),
    ]
    write_dataset(tmp_path, [DIAMOND], dataset="mini", roles=ROLES, names=NAMES, asked=1, beside=found)
    assert "| small-3b alone, run cccc0000 | 1 |" in (tmp_path / "dataset_report.md").read_text()


def test_a_store_that_cannot_be_read_is_said(tmp_path):
    missing = baselines(tmp_path, "d1", {"q1"})
    assert missing.runs == ()
    assert "no store here" in missing.notice
    store = Store(tmp_path)
    store.answers(store.run(OTHER, 5), q1=(True, 1.0))
    assert len(baselines(tmp_path, "d1", {"q1"}).runs) == 1
    with held(tmp_path, read_only=False):
        locked = baselines(tmp_path, "d1", {"q1"})
    assert (locked.runs, "held open by another process" in locked.notice) == ((), True)
    store_file(tmp_path).write_text("no database, but a line of text\n" * 20)
    assert "not a store that can be read" in baselines(tmp_path, "d1", {"q1"}).notice
    write_dataset(tmp_path, [DIAMOND], dataset="mini", roles=ROLES, names=NAMES, asked=1, beside=locked)
    assert "held open by another process" in (tmp_path / "dataset_report.md").read_text()
    write_dataset(tmp_path, [DIAMOND], dataset="mini", roles=ROLES, names=NAMES, asked=1, beside=Baselines(()))
    assert "Beside a single model" not in (tmp_path / "dataset_report.md").read_text()
