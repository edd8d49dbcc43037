"""Run a command on its own terminal, type input and read the screen."""

from __future__ import annotations

import os
import pty
import re
import select
import struct
import subprocess
import termios
import time
from collections.abc import Callable, Mapping, Sequence
from fcntl import ioctl
from types import TracebackType

from tests.support.command_line import ROOT

# Escape sequences that move the cursor, or set colours and modes.
STEERS = re.compile(r"\x1b(\[[0-9;?]*[A-Za-z]|[=>]|\([A-Z])")
PATIENCE = 60.0


class Terminal:
    """`with Terminal(command) as terminal`: the command is killed at the end if still running.

    `screen` is everything printed since the last `type`, without escape sequences.
    """

    def __init__(
        self, command: Sequence[str], environment: Mapping[str, str] | None = None, *,
        columns: int = 100,
    ) -> None:  # fmt: skip
        self._parent, child = pty.openpty()
        ioctl(self._parent, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
        environment = dict(os.environ if environment is None else environment)
        self.process = subprocess.Popen(
            command, cwd=ROOT, stdin=child, stdout=child, stderr=child, start_new_session=True,
            env={**environment, "TERM": "xterm", "PROMPT_TOOLKIT_NO_CPR": "1"},
            preexec_fn=lambda: ioctl(0, termios.TIOCSCTTY, 0),
        )  # fmt: skip
        os.close(child)
        self.printed = b""
        self._typed_at = 0

    def __enter__(self) -> Terminal:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:  # fmt: skip
        self.process.kill()
        self.process.wait()
        os.close(self._parent)

    @property
    def screen(self) -> str:
        return STEERS.sub("", self.printed[self._typed_at :].decode(errors="replace"))

    def type(self, text: str) -> None:
        """Type text as soon as the command reads keys."""
        while self.takes_signals:
            self._read(0.05)
        self.type_ahead(text)

    def type_ahead(self, text: str) -> None:
        """Type text while the command is working."""
        self._typed_at = len(self.printed)
        os.write(self._parent, text.encode())

    def expect(self, text: str) -> str:
        """Wait until the screen has this text; returns the screen."""
        self._read_until(lambda: text in self.screen, text)
        return self.screen

    def expect_bytes(self, steering: bytes) -> None:
        """Wait until these bytes, such as an escape sequence, have been printed at any time."""
        self._read_until(lambda: steering in self.printed, repr(steering))

    def _read_until(self, seen: Callable[[], bool], what: str) -> None:
        latest = time.monotonic() + PATIENCE
        while not seen():
            goes_on = self._read() is not False and time.monotonic() < latest
            assert goes_on, f"nothing more, without {what}: {self.screen}"

    @property
    def takes_signals(self) -> bool:
        """Whether Ctrl-C sends a signal: while a command works, but not while it reads keys."""
        return bool(termios.tcgetattr(self._parent)[3] & termios.ISIG)

    def end(self) -> int:
        """Read output until the command ends; returns its exit code."""
        while self._read() is not False:
            pass
        return self.process.wait(PATIENCE)

    def _read(self, seconds: float = PATIENCE) -> bool | None:
        """True if more was printed, False at the end, None if nothing came in these seconds."""
        ready, _, _ = select.select([self._parent], [], [], seconds)
        if not ready:
            assert seconds < PATIENCE, f"nothing more is printed after: {self.screen}"
            return None
        try:
            printed = os.read(self._parent, 65536)
        except OSError:  # on Linux, this marks the end of the terminal
            return False
        self.printed += printed
        return True
