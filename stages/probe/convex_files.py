"""What stages expects of a deployment's file storage: an address to upload to, and its answers."""

from __future__ import annotations

import base64
import hashlib
import json
from typing import Any

from stages.convex import ids
from stages.convex.client import FunctionError
from stages.convex.expected import integer
from stages.probe.checks import Checks, NotChecked, Seen
from stages.probe.deployment import ProbedDeployment, allowed
from stages.probe.redaction import code_of

CHECKS = Checks[ProbedDeployment]()

CONTENT = b"a file of stages check --probe, which may be deleted\n"
KIND = "text/x-stages-probe"
STORAGE_NUMBER = 540
LISTED = 100


@CHECKS.of("Storage 7: uploads")
def one_address_takes_several_files(convex: ProbedDeployment) -> Seen:
    """The deploy key gets an address to upload to without any function of ours; it takes several
    files, and gives each an id with the number of `_storage` in it."""
    address = upload_address(convex)
    stored = [_upload(convex, address, CONTENT) for _ in range(2)]
    numbers = {_number(content) if status == 200 else None for status, content in stored}
    delete_files(convex)
    words = ", ".join(str(status) for status, _ in stored)
    exact = numbers == {STORAGE_NUMBER}
    return Seen(f"{words}; {'their' if exact else 'not all with that'} number", exact)


@CHECKS.of("Storage 7: uploads")
def a_wrong_digest_is_refused(convex: ProbedDeployment) -> Seen:
    """A file that does not have the digest of its header is refused with 400."""
    address = upload_address(convex)
    status, content = _upload(convex, address, CONTENT, digest=hashlib.sha256(b"other").digest())
    delete_files(convex)
    return Seen(f"{status} {code_of(content)}", status == 400)


@CHECKS.of("Storage 8: reading back")
def files_are_listed_with_their_hash(convex: ProbedDeployment) -> Seen:
    """Files are listed, newest first, with sha256 in base64, size and content type, and can be
    deleted."""
    _upload(convex, upload_address(convex), CONTENT)
    ours = _ours(convex)
    exact = bool(ours) and all(
        integer(file.get("size")) == len(CONTENT) and file.get("contentType") == KIND
        for file in ours
    )
    delete_files(convex)
    left = len(_ours(convex))
    return Seen(f"{len(ours)} listed, {left} after they were deleted", exact and not left)


def upload_address(convex: ProbedDeployment) -> str:
    """Get an upload URL. Raises NotChecked if the key may not get one, or there is none."""
    function = "_system/frontend/fileStorageV2:generateUploadUrl"
    try:
        address = allowed(lambda: convex.through("functions").mutation(function, {}))
    except FunctionError as error:
        if convex.target.sandbox and "Could not find" in error.words:
            raise NotChecked("the sandbox has no files") from None
        raise
    return str(address)


def delete_files(convex: ProbedDeployment) -> int:
    """Delete the files that probes have uploaded; returns how many."""
    files = _ours(convex)
    if files:
        args = {"storageIds": [file["_id"] for file in files]}
        convex.through("functions").mutation("_system/frontend/fileStorageV2:deleteFiles", args)
    return len(files)


def _ours(convex: ProbedDeployment) -> list[dict[str, Any]]:
    """Those of the newest files that have the content of a probe's file."""
    options = {"numItems": LISTED, "cursor": None}
    args = {"table": "_storage", "order": "desc", "paginationOpts": options}
    page = convex.system("_system/cli/tableData", args)["page"]
    return [file for file in page if file.get("sha256") == _digest(CONTENT)]


def _digest(content: bytes) -> str:
    return base64.b64encode(hashlib.sha256(content).digest()).decode()


def _upload(
    convex: ProbedDeployment, address: str, content: bytes, *, digest: bytes | None = None
) -> tuple[int, bytes]:
    header = base64.b64encode(digest).decode() if digest else _digest(content)
    headers = {"Content-Type": KIND, "Digest": f"sha-256={header}"}
    status, _, answer = convex.raw(address, content, headers)
    return status, answer


def _number(content: bytes) -> int | None:
    """The table number in the id of a response."""
    try:
        return ids.decode(json.loads(content)["storageId"])[0]
    except (ValueError, KeyError, TypeError):
        return None
