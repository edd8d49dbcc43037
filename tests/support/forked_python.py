"""Python processes without import time: forks of a process that has already imported stages.

Importing takes longer than what most tests make a command do. A fork is a process like any other:
with its own memory, environment, output and exit code, and default signals. What Python itself
reads at startup (such as PYTHONUTF8) is inherited from the first process; a run that needs other
values gets a new interpreter. Tests of the startup, of signals and of closed output use
`subprocess` instead, and tests/installed runs the console script.
"""

from __future__ import annotations

import array
import atexit
import functools
import gc
import importlib
import itertools
import json
import os
import pkgutil
import runpy
import select
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, NoReturn

ROOT = Path(__file__).resolve().parents[2]
# Modules that stages imports lazily.
LAZY = (
    "adbc_driver_postgresql.dbapi", "duckdb", "filelock", "httpx", "httpcore", "psycopg",
    "psycopg.rows", "psycopg.sql", "pyarrow.compute", "pyarrow.dataset", "pyarrow.parquet",
    "rich.live", "rich.progress", "supabase",
)  # fmt: skip
# Variables that Python reads only at startup.
OF_THE_START = ("PYTHON", "LC_", "LANG")
# Two first processes, used in turn: an order that depends on string hashes differs between them.
HOW_MANY = 2
# How long the first process may take to import everything on a busy machine.
START_SECONDS = 120.0


def run(
    command: Sequence[str], *, cwd: Path, env: Mapping[str, str], timeout: float,
    typed: str = "", umask: int = -1, together: bool = False,
) -> subprocess.CompletedProcess[str]:  # fmt: skip
    """As `subprocess.run([sys.executable, *command], …)` with its output as text.

    `command` is `-m MODULE ARGS…` or `SCRIPT ARGS…`, `typed` its stdin; `together` merges stderr
    into stdout.
    """
    first = next(_firsts())
    if _of_the_start(env) != first.start:
        return subprocess.run(
            [sys.executable, *command], cwd=cwd, env=env, timeout=timeout, umask=umask, text=True,
            input=typed, stdout=subprocess.PIPE, check=False,
            stderr=subprocess.STDOUT if together else subprocess.PIPE,
        )  # fmt: skip
    with ExitStack() as opened:
        stdin, out, err = (opened.enter_context(tempfile.TemporaryFile("w+")) for _ in range(3))
        stdin.write(typed)
        stdin.seek(0)
        request = {"command": [*command], "cwd": str(cwd), "env": dict(env), "umask": umask}
        files = [file.fileno() for file in (stdin, out, out if together else err)]
        code = first.run(request, files, timeout)
        return subprocess.CompletedProcess([*command], code, _content(out), _content(err))


def _content(file: IO[str]) -> str:
    file.seek(0)
    return file.read()


def _of_the_start(env: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in env.items() if name.startswith(OF_THE_START)}


@functools.cache
def _firsts() -> Iterator[_First]:
    return itertools.cycle([_First.start_one() for _ in range(HOW_MANY)])


@dataclass(frozen=True)
class _First:
    """The process that forks; it ends when its parent, which holds its stdin, ends."""

    process: subprocess.Popen[bytes]
    address: str
    start: dict[str, str]

    @classmethod
    def start_one(cls) -> _First:
        address = f"\0stages-tests-{os.getpid()}-{os.urandom(8).hex()}"
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(address)
        listener.listen(64)
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.support.forked_python", str(listener.fileno())],
            cwd=ROOT, stdin=subprocess.PIPE, pass_fds=[listener.fileno()],
            # As `stages` sets it before importing anything.
            env={**os.environ, "ARROW_DEFAULT_MEMORY_POOL": "system"},
        )  # fmt: skip
        listener.close()
        return cls(process, address, _of_the_start(os.environ))

    def run(self, request: dict[str, Any], files: list[int], timeout: float) -> int:
        """Run a request; returns the exit code, negative for a signal, as in `subprocess`."""
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(START_SECONDS)
            connection.connect(self.address)
            content = json.dumps(request).encode()
            socket.send_fds(connection, [len(content).to_bytes(8, "big")], files)
            connection.sendall(content)
            with connection.makefile("r") as answers:
                pid = int(answers.readline())
                connection.settimeout(timeout)
                try:
                    return int(answers.readline())
                except TimeoutError:
                    os.kill(pid, signal.SIGKILL)
                    raise subprocess.TimeoutExpired(request["command"], timeout) from None


# ── the first process ───────────────────────────────────────────────────────────────────────


def import_stages() -> None:
    """Import every module of the package."""
    import stages

    for module in pkgutil.walk_packages(stages.__path__, "stages."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)


def import_all() -> None:
    import_stages()
    for name in LAZY:
        importlib.import_module(name)
    warm_up()
    # So that a fork's garbage collector does not touch these objects, and memory stays shared.
    gc.collect()
    gc.freeze()


def warm_up() -> None:
    """Initialize what is created once per process on first use, without leaving threads running."""
    import duckdb

    from stages.tls import trusted

    trusted()
    with duckdb.connect() as connection:
        connection.execute("FROM range(1)")


def serve(listener: socket.socket) -> list[str]:
    """Fork for each request. Returns only in a fork: the command that it must run."""
    while True:
        ready, _, _ = select.select([listener, sys.stdin], [], [])
        if listener not in ready:
            os._exit(0)
        connection, _ = listener.accept()
        if os.fork() == 0:
            listener.close()
            request, files = _receive(connection)
            pid = os.fork()
            if pid == 0:
                connection.close()
                return _become(request, files)
            _report(connection, pid)
        connection.close()
        while _reaped():
            pass


def _reaped() -> bool:
    try:
        return os.waitpid(-1, os.WNOHANG)[0] != 0
    except ChildProcessError:
        return False


def _receive(connection: socket.socket) -> tuple[dict[str, Any], list[int]]:
    size, files, _, _ = socket.recv_fds(connection, 8, 3)
    with connection.makefile("rb") as asked:
        content = asked.read(int.from_bytes(size, "big"))
    return json.loads(content), array.array("i", files).tolist()


def _report(connection: socket.socket, pid: int) -> NoReturn:
    with suppress(OSError):  # the client may be gone
        connection.sendall(f"{pid}\n".encode())
    _, status = os.waitpid(pid, 0)
    with suppress(OSError):
        connection.sendall(f"{os.waitstatus_to_exitcode(status)}\n".encode())
    os._exit(0)


def _become(request: dict[str, Any], files: list[int]) -> list[str]:
    for number, file in enumerate(files):
        os.dup2(file, number)
    for file in files:
        os.close(file)
    if request["umask"] >= 0:
        os.umask(request["umask"])
    os.chdir(request["cwd"])
    pool = os.environ["ARROW_DEFAULT_MEMORY_POOL"]
    os.environ.clear()
    os.environ.update({**request["env"], "ARROW_DEFAULT_MEMORY_POOL": pool})
    time.tzset()
    command: list[str] = request["command"]
    return command


def execute(command: list[str]) -> NoReturn:
    """Do what the interpreter does with its arguments and at exit, except tear down all imported
    modules, which would take longer than a command."""
    code = 1
    try:
        if command[0] == "-m":
            sys.argv, sys.path[0] = command[1:], str(Path.cwd())
            runpy.run_module(command[1], run_name="__main__", alter_sys=True)
        else:
            sys.argv, sys.path[0] = command, str(Path(command[0]).parent)
            runpy.run_path(command[0], run_name="__main__")
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
        if isinstance(end.code, str):
            sys.stderr.write(f"{end.code}\n")
    except BaseException:  # noqa: BLE001 - the outermost handler, as in the interpreter
        sys.excepthook(*sys.exc_info())
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    import_all()
    execute(serve(socket.socket(fileno=int(sys.argv[1]))))
