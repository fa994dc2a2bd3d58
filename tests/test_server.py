"""`make up` and `make down`: a server, a worker and deployments that the next command finds by itself."""

import contextlib
import json
import os
import pty
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.conftest import SMALL, solving
from tests.processes import CHECKOUT, answers, heed_interrupts, post, recorded_server, stats, until
from tests.test_solve import RUN, summary_of


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of the checkout: the server of whoever runs the tests is left alone."""
    target = tmp_path / "checkout"
    left_out = shutil.ignore_patterns(".*", "results", "__pycache__", "*.egg-info")
    shutil.copytree(CHECKOUT, target, ignore=left_out)
    return target


def test_up_serves_the_next_command_and_down_leaves_nothing(copy: Path, tmp_path: Path) -> None:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("OPENAI_", "PREFECT_"))}
    environment = {**kept, "PREFECT_HOME": str(tmp_path / "prefect"), "PYTHONPATH": str(copy)}

    def run(*arguments: object) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, *map(str, arguments)],
            cwd=copy,
            env=environment,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )

    record = copy / ".consort" / "server.json"
    try:
        started = run("-m", "blocks.server", "up")
        assert started.returncode == 0, started.stderr
        url = json.loads(record.read_text())["api_url"]
        pids = json.loads(record.read_text())["pids"].values()
        assert run("-m", "blocks.server", "up").stdout.startswith("already up")
        written = yaml.safe_load((copy / "deployments" / "prefect.yaml").read_text())["deployments"]
        deployed = [each["name"] for each in post(f"{url}/deployments/filter", {})]
        assert sorted(deployed) == sorted(each["name"] for each in written)

        command = solving(tmp_path / "out", "--limit", "2")
        command[0] = copy / "flows" / "solve.py"
        ended = run(*command)
        assert ended.returncode == 0, ended.stderr
        assert "temporary" not in ended.stdout
        assert summary_of(tmp_path / "out" / RUN)["solved"] == 2
        assert [each["name"] for each in post(f"{url}/flow_runs/filter", {})] == ["codesim/problems/small+large"]
    finally:
        stopped = run("-m", "blocks.server", "down")
    assert stopped.returncode == 0
    assert not record.exists()
    assert not answers(f"{url}/health")
    until(lambda: not any(Path(f"/proc/{pid}/cmdline").exists() and prefect(pid) for pid in pids), 30)
    assert run("-m", "blocks.server", "down").stdout == "nothing is up\n"


def prefect(pid: int) -> bool:
    """Tell whether a process is one of Prefect's still."""
    try:
        return b"prefect" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False


def test_a_temporary_server_that_does_not_answer_in_time_is_one_line(copy: Path, tmp_path: Path) -> None:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("OPENAI_", "PREFECT_"))}
    home = {"PREFECT_HOME": str(tmp_path / "prefect"), "PYTHONPATH": str(copy)}
    command = solving(tmp_path / "results")
    command[0] = copy / "flows" / "solve.py"
    ended = subprocess.run(
        [sys.executable, *map(str, command)],
        cwd=copy,
        env={**kept, **home, "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 2
    assert ended.stderr == "Prefect's temporary server did not answer in time; `make up` starts one that stays\n"
    assert not (tmp_path / "results").exists()


def test_ctrl_c_in_a_terminal_leaves_the_temporary_server_its_last_words(copy: Path, tmp_path: Path) -> None:
    """A terminal sends it to all of a command's processes; without the server its end would take minutes."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("OPENAI_", "PREFECT_"))}
    environment = {**kept, "PREFECT_HOME": str(tmp_path / "prefect"), "PYTHONPATH": str(copy), "TERM": "xterm"}
    with recorded_server(SMALL, "--latency", "1") as url:
        command = solving(tmp_path / "results", model1=f"{url}#small", large=False)
        command[0] = copy / "flows" / "solve.py"
        child, terminal = pty.fork()
        if not child:
            heed_interrupts()
            os.chdir(copy)
            os.execve(sys.executable, [sys.executable, *map(str, command)], environment)
        shown, pressed = b"", False
        with contextlib.suppress(OSError):  # EIO: the command has ended
            while part := os.read(terminal, 65536):  # the bar is drawn again and again
                shown += part
                if not pressed and stats(url)["total_replies"]:
                    pressed = bool(os.write(terminal, b"\x03"))
        os.close(terminal)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 130
    assert b"calls in flight come to their end" in shown
    assert b"interrupted; resume with: python" in shown
    assert b"connection attempts failed" not in shown
