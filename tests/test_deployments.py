"""The deployments on a real server and a real process worker: run, resumed, and killed in the middle."""

import contextlib
import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from tests.conftest import LARGE, SMALL
from tests.processes import CHECKOUT, PREFECT, recorded_server, stats, until
from tests.test_solve import RUN, rows, summary_of


@pytest.fixture(scope="module")
def deployed(environment: dict[str, str]) -> dict[str, str]:
    """The environment of a server that has the deployments and their work pool."""
    prefect(environment, "work-pool", "create", "consort", "--type", "process", "--overwrite")
    prefect(environment, "--no-prompt", "deploy", "--all", "--prefect-file", "deployments/prefect.yaml")
    return environment


def prefect(environment: dict[str, str], *arguments: object) -> str:
    ended = subprocess.run(
        [PREFECT, *map(str, arguments)],
        cwd=CHECKOUT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


@contextmanager
def worker(environment: dict[str, str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A process worker on the pool."""
    with log.open("ab") as said:
        process = subprocess.Popen(
            [PREFECT, "worker", "start", "--pool", "consort", "--type", "process"],
            cwd=log.parent,  # not the checkout: the deployment itself says where it is
            env={**environment, "PREFECT_WORKER_QUERY_SECONDS": "1"},
            stdout=said,
            stderr=said,
            start_new_session=True,
        )
    try:
        yield process
    finally:
        kill_with_flows(process)


def kill_with_flows(process: subprocess.Popen[bytes]) -> None:
    """Kill a worker and the flow runs that it started, which are processes of sessions of their own."""
    if process.poll() is None:
        children = psutil.Process(process.pid).children(recursive=True)
        for pid in [*(child.pid for child in children), process.pid]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
    process.wait()


def test_a_deployment_runs_and_runs_again_for_nothing(deployed: dict[str, str], tmp_path: Path) -> None:
    output = tmp_path / "out"
    with worker(deployed, tmp_path / "worker.log"):
        for _ in range(2):
            said = prefect(deployed, "deployment", "run", "solve/codesim", "--watch", "-p", f"output={output}")
            assert "Completed" in said
    summary = summary_of(output / RUN)
    assert (summary["problems"], summary["solved"], summary["api_calls"]) == (12, 10, 93)
    assert summary["cached_calls"] == 93
    assert len(list(output.glob("problems/codesim/small+large/*/Run-*"))) == 1


def test_a_worker_killed_in_the_middle_loses_nothing(deployed: dict[str, str], tmp_path: Path) -> None:
    output = tmp_path / "out"
    with (
        recorded_server(SMALL, "--latency", "0.1") as small,
        recorded_server(LARGE, "--latency", "0.1") as large,
    ):
        models = ("-p", f"model1={small}#small", "-p", f"model2={large}#large", "-p", f"output={output}")
        with worker(deployed, tmp_path / "worker.log") as process:
            prefect(deployed, "deployment", "run", "solve/codesim", *models, "-p", "workers=4")
            until(lambda: bool(stats(small)["total_replies"] > 30), 90)
            kill_with_flows(process)
        with worker(deployed, tmp_path / "worker.log"):
            said = prefect(deployed, "deployment", "run", "solve/codesim", "--watch", *models)
            assert "Completed" in said
        served = stats(small)["total_replies"] + stats(large)["total_replies"]
    summary = summary_of(output / RUN)
    assert (summary["solved"], summary["api_calls"]) == (10, 93)
    assert summary["cached_calls"] > 0
    assert 93 <= served <= 93 + 4
    assert len(rows(output)["attempts"]) == 12
