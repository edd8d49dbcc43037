"""What a person writes is read as any editor saves it, or refused by name; never guessed."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from stages.convex.schema import export_schema
from stages.errors import FileError
from stages.project.models import read_model
from stages.project.plan_reader import load_plan
from stages.project.settings import read_environment
from stages.project.text_files import BLOCK, read_text_file, require_utf_8
from stages.state.workspace import Workspace
from tests.support.command_line import ROOT

PLAN = 'name = "Zoë"\n[tables.users]\n'
SAVED = {
    "plain": PLAN.encode(),
    "BOM": PLAN.encode("utf-8-sig"),
    "CRLF": PLAN.replace("\n", "\r\n").encode(),
    "UTF-16": PLAN.replace("\n", "\r\n").encode("utf-16"),
    "UTF-16 from the other end": b"\xfe\xff" + PLAN.encode("utf-16-be"),
}
REFUSED = {
    "WINDOWS-1252": PLAN.encode("windows-1252"),
    "UTF-16LE": PLAN.encode("utf-16-le"),
    "UTF-16BE": PLAN.encode("utf-16-be"),
}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    folder = tmp_path / ".planning" / "migrations"
    (folder / "models").mkdir(parents=True)
    return folder / "plan.toml"


@pytest.mark.parametrize("how", SAVED)
def test_a_plan_a_model_and_keys_are_read_as_any_editor_saves_them(
    file: Path, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = file.parent.parent.parent
    file.write_bytes(SAVED[how])
    assert read_text_file(file) == PLAN
    assert load_plan(file).name == "Zoë"

    def saved(text: str) -> bytes:
        """The text, as `PLAN` was saved."""
        newline = text.replace("\n", "\r\n") if how in ("CRLF", "UTF-16") else text
        encodings = {"BOM": "utf-8-sig", "UTF-16": "utf-16", "UTF-16 from the other end": "utf-16"}
        return newline.encode(encodings.get(how, "utf-8"))

    (file.parent / "models" / "users.sql").write_bytes(saved("SELECT 'Zoë' AS name\n"))
    workspace = Workspace(project=project, data=project / "data", target="t")
    assert read_model(workspace, "models/users.sql").text == "SELECT 'Zoë' AS name\n"
    (project / ".env.local").write_bytes(saved('CONVEX_URL="https://zoë.example"\nB=2\n'))
    monkeypatch.delenv("CONVEX_URL", raising=False)
    environment = read_environment(project)
    assert (environment["CONVEX_URL"], environment["B"]) == ("https://zoë.example", "2")


@pytest.mark.parametrize("encoding", REFUSED)
def test_other_encodings_are_named_with_a_command_that_converts(file: Path, encoding: str) -> None:
    file.write_bytes(REFUSED[encoding])
    with pytest.raises(FileError) as error:
        load_plan(file)
    message = f"the file is not UTF-8; it looks like {encoding}"
    assert error.value.message.startswith("plan.toml") and error.value.message.endswith(message)
    assert error.value.file == file and error.value.hint
    if shutil.which("iconv"):
        command = error.value.hint.partition(": ")[2]
        subprocess.run(command, shell=True, check=True)
        assert read_text_file(file) == PLAN


def test_keys_in_another_encoding_are_refused_without_printing_them(file: Path) -> None:
    project = file.parent.parent.parent
    (project / ".env.local").write_bytes(b"A=1\nCONVEX_DEPLOY_KEY=prod:secr\xe9t\n")
    with pytest.raises(FileError) as error:
        read_environment(project)
    assert str(error.value).startswith(".env.local, line 2: ") and "secr" not in str(error.value)


def test_a_byte_that_is_not_utf_8_is_found_wherever_it_is(tmp_path: Path) -> None:
    """Also where a character lies across two blocks that are read."""
    file = tmp_path / "x.csv"
    file.write_bytes(b"a" * (BLOCK - 1) + "é\n".encode() + b"b" * BLOCK)
    require_utf_8(file)
    for at in (0, BLOCK - 1, BLOCK, 2 * BLOCK + 1):
        raw = bytearray(b"\n" * (2 * BLOCK + 2))
        raw[at] = 0xE9
        file.write_bytes(raw)
        with pytest.raises(FileError) as error:
            require_utf_8(file)
        assert error.value.line == at + 1


@pytest.mark.parametrize("named", ["schema.ts", "words.ts"])
def test_schema_ts_and_what_it_imports_must_be_utf_8(tmp_path: Path, named: str) -> None:
    texts = {
        "schema.ts": 'import { defineSchema, defineTable } from "convex/server";\n'
        'import { v } from "convex/values";\nimport { WORD } from "./words";\n'
        "export default defineSchema({ t: defineTable({ é: v.literal(WORD) }) });\n".replace(
            "é:", "e: v.literal('é'), f:"
        ),
        "words.ts": 'export const WORD = "é";\n',
    }
    for name, text in texts.items():
        encoding = "windows-1252" if name == named else "utf-8-sig"
        (tmp_path / name).write_bytes(text.encode(encoding))
    with pytest.raises(FileError, match=f"{named}, line .: the file is not UTF-8"):
        export_schema(tmp_path, ROOT)
    (tmp_path / named).write_text(texts[named], "utf-8")
    fields = export_schema(tmp_path, ROOT)["tables"][0]["documentType"]["value"]
    assert [field["fieldType"]["value"] for field in fields.values()] == ["é", "é"]
