"""Text files that users write, as editors on any system save them.

UTF-8, with or without a byte-order mark, and UTF-16 with one are read; line ends become `\\n`. Any
other encoding is refused, because decoding it would be a guess.
"""

from __future__ import annotations

import codecs
import shlex
from pathlib import Path

from stages.errors import FileError, Place

UTF_16_MARKS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
BLOCK = 1 << 20


def read_text_file(file: Path) -> str:
    """The text. Raises FileError, with the line, for a refused encoding, and OSError."""
    raw = file.read_bytes()
    if is_utf_16(raw):
        text = raw.decode("utf-16", errors="replace")
    else:
        _refuse_nul(file, raw)
        try:
            text = raw.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise _refused(file, "WINDOWS-1252", raw[: error.start]) from None
    return text.replace("\r\n", "\n").replace("\r", "\n")


def saved_alike(raw: bytes, text: str) -> bytes | None:
    """The text in the encoding and with the line ends of `raw`; None if its line ends are mixed,
    since more would then change than the text."""
    encoding = "utf-8-sig" if raw.startswith(codecs.BOM_UTF8) else "utf-8"
    mark = b""
    for each, name in zip(UTF_16_MARKS, ("utf-16-le", "utf-16-be"), strict=True):
        if raw.startswith(each):
            encoding, mark = name, each
    given = raw[len(mark) :].decode(encoding)
    plain = given.replace("\r\n", "\n").replace("\r", "\n")
    for end in ("\n", "\r\n", "\r"):
        if plain.replace("\n", end) == given:
            return mark + text.replace("\n", end).encode(encoding)
    return None


def is_utf_16(head: bytes) -> bool:
    """Whether the first bytes of a file are UTF-16's byte-order mark."""
    return head.startswith(UTF_16_MARKS)


def require_utf_8(file: Path) -> None:
    """Raise FileError, with the line, if a file is not UTF-8; it is streamed, whatever its size."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    with file.open("rb") as stream:
        begun = 0
        while True:
            block = stream.read(BLOCK)
            if begun == 0 and is_utf_16(block):
                raise _refused(file, "UTF-16")
            _refuse_nul(file, block)
            try:
                decoder.decode(block, final=not block)
            except UnicodeDecodeError as error:
                stream.seek(0)
                before = stream.read(max(0, begun + error.start))
                raise _refused(file, "WINDOWS-1252", before) from None
            if not block:
                return
            begun += len(block) - len(decoder.getstate()[0])


def _refuse_nul(file: Path, block: bytes) -> None:
    if b"\0" in block:
        raise _refused(file, "UTF-16BE" if block.startswith(b"\0") else "UTF-16LE")


def _refused(file: Path, encoding: str, before: bytes | None = None) -> FileError:
    """`before`: the bytes before the first one that is not UTF-8, if there is one."""
    line = None if before is None else before.count(b"\n") + 1
    name = shlex.quote(str(file))
    return FileError(
        f"{Place(file.name, line)}: the file is not UTF-8; it looks like {encoding}",
        f"convert it: iconv -f {encoding} -t UTF-8 {name} > {name}.new && mv {name}.new {name}",
        file=file,
        line=line,
    )
