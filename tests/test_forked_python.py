"""What the tests' forks are good for: a command can't see that it is none of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support import forked_python

SEEN = """
import os, signal, sys
print(__name__, sys.argv[1:], sys.path[0], os.getcwd(), sys.stdin.read(), os.umask(0))
print(os.environ["NAMED"], "PATH" in os.environ, sys.stdout.isatty(), sys.flags.isolated)
print(signal.getsignal(signal.SIGINT) is signal.default_int_handler)
print(len(os.listdir("/proc/self/fd")))
print("warned", file=sys.stderr)
"""  # fmt: skip
ENDS = [
    "", "raise SystemExit(3)", "raise SystemExit('words')", "raise SystemExit", "1 / 0",
    "import os, signal; os.kill(os.getpid(), signal.SIGKILL)", "import os; os._exit(7)",
    "import threading; threading.Timer(0.1, print, ['late']).start()",
    "import atexit; atexit.register(print, 'at the end')",
]  # fmt: skip


@pytest.mark.parametrize("end", ENDS)
def test_it_is_as_a_process_of_its_own(end: str, tmp_path: Path) -> None:
    script, folder = tmp_path / "script.py", tmp_path / "here"
    script.write_text(SEEN + end)
    folder.mkdir()
    environment = {**os.environ, "NAMED": "é"}
    forked = forked_python.run(
        [str(script), "a", "--b"], cwd=folder, env=environment, timeout=60, typed="y\n", umask=0o27
    )
    own = subprocess.run(
        [sys.executable, str(script), "a", "--b"], cwd=folder, env=environment, input="y\n",
        umask=0o27, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (forked.returncode, forked.stdout) == (own.returncode, own.stdout)
    # A traceback has the lines of what ran the script, too.
    assert forked.stderr.splitlines()[::-1][:2] == own.stderr.splitlines()[::-1][:2]


def test_two_of_them_share_nothing(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text("import stages, sys; print(hasattr(stages, 'mark')); stages.mark = 1")
    for _ in range(2 * forked_python.HOW_MANY):
        ran = forked_python.run([str(script)], cwd=tmp_path, env=os.environ, timeout=60)
        assert (ran.returncode, ran.stdout) == (0, "False\n")


def test_what_takes_too_long_is_ended(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    name = str(tmp_path / "pid")
    script.write_text(
        f"import os, time\nopen({name!r}, 'w').write(str(os.getpid()))\ntime.sleep(600)"
    )
    with pytest.raises(subprocess.TimeoutExpired):
        forked_python.run([str(script)], cwd=tmp_path, env=os.environ, timeout=3)
    pid = int((tmp_path / "pid").read_text())
    with pytest.raises(ProcessLookupError):
        while True:
            os.kill(pid, signal.SIGKILL)


def test_what_is_read_at_the_start_gets_an_interpreter_of_its_own(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text("import sys; print(sys.flags.optimize, 'stages.migration' in sys.modules)")
    for value, seen in (("2", "2 False\n"), ("", "0 True\n")):
        environment = {k: v for k, v in os.environ.items() if k != "PYTHONOPTIMIZE"}
        environment |= {"PYTHONOPTIMIZE": value} if value else {}
        ran = forked_python.run([str(script)], cwd=tmp_path, env=environment, timeout=60)
        assert ran.stdout == seen
