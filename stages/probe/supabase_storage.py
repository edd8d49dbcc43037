"""What Storage lists, and how it serves a file: a few bytes of one, and a small one in full.

No file contents or names are shown.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from stages.probe.asking import Answer, Odd, number_in
from stages.probe.checks import Checks, NotChecked, Seen
from stages.probe.project import BUCKETS, Project
from stages.probe.supabase_keys import not_served

LISTING = "Storage 2: listing"
DOWNLOADING = "Storage 3: downloading"
# Objects per page of a listing, and the number of buckets to examine.
MOST_LISTED = 1000
MOST_BUCKETS = 5
# The maximum size in bytes of a file that is read in full.
SMALL = 1 << 20
MD5 = re.compile(r'"?([0-9a-f]{32})"?')
NO_KEY = "stages-probe-no-such-key"
CHECKS: Checks[Project] = Checks()


@dataclass(frozen=True)
class File:
    """An object of a bucket, as listed."""

    bucket: str
    key: str
    size: int | None
    etag: str


def _buckets(project: Project) -> list[str]:
    """The names of standard buckets. Raises NotChecked if there are none, or no Storage."""
    answer = project.ask(BUCKETS, form=project.storage_form)
    if not_served(answer):
        raise NotChecked("Storage is not served: 404 without a code")
    names = [
        bucket["id"]
        for bucket in answer.rows()
        if isinstance(bucket.get("id"), str) and bucket.get("type", "STANDARD") == "STANDARD"
    ]
    if not names:
        raise NotChecked("there are no buckets with files")
    return names


def _listed(project: Project, bucket: str, limit: int, cursor: str | None = None) -> dict[str, Any]:
    """A page of a bucket's objects. Raises Odd if it is not one."""
    asked = {"prefix": "", "limit": limit, "with_delimiter": False}
    if cursor is not None:
        asked["cursor"] = cursor
    path = f"/storage/v1/object/list-v2/{quote(bucket, safe='')}"
    answer = project.ask(path, method="POST", content=asked, form=project.storage_form)
    if answer.status != 200:
        raise Odd(answer.said)
    page = answer.members()
    objects = page.get("objects")
    if not isinstance(objects, list) or not all(
        isinstance(each, dict) and isinstance(each.get("name"), str) for each in objects
    ):
        raise Odd("200, without a list of objects that have names")
    return page


def _files(project: Project, limit: int = MOST_LISTED) -> list[File]:
    """Files of the first buckets. Raises NotChecked if there are none."""
    files = []
    for bucket in _buckets(project)[:MOST_BUCKETS]:
        for each in _listed(project, bucket, limit)["objects"]:
            facts = each.get("metadata")
            facts = facts if isinstance(facts, dict) else {}
            files.append(
                File(
                    bucket=bucket,
                    key=each["name"],
                    size=number_in(str(facts.get("size", ""))),
                    etag=str(facts.get("eTag", "")),
                )
            )
    if not files:
        raise NotChecked("there are no files in the first buckets")
    return files


def _small(project: Project) -> File:
    """A file small enough to read in full, with at least 2 bytes. Raises NotChecked if there is
    none."""
    for file in _files(project):
        if file.size is not None and 2 <= file.size <= SMALL:
            return file
    raise NotChecked("there is no file of 2 bytes to 1 MiB among the first ones")


def _get(project: Project, bucket: str, key: str, part: str | None = None) -> Answer:
    path = f"/storage/v1/object/authenticated/{quote(bucket, safe='')}/{quote(key, safe='/')}"
    # Uncompressed, as stored: a compressed body would have a different length.
    headers = {"accept-encoding": "identity", **({"range": part} if part else {})}
    return project.ask(path, headers=headers, form=project.storage_form)


# ── listing ─────────────────────────────────────────────────────────────────────────────────


@CHECKS.of(LISTING)
def buckets_are_listed(project: Project) -> Seen:
    """`GET /storage/v1/bucket` lists all buckets, each with its `id` and whether it is public."""
    answer = project.ask(BUCKETS, form=project.storage_form)
    if not_served(answer):
        raise NotChecked("Storage is not served: 404 without a code")
    buckets = answer.rows()
    whole = all("id" in bucket and "public" in bucket for bucket in buckets)
    return Seen(f"{answer.said}, {len(buckets)} buckets", whole)


@CHECKS.of(LISTING)
def files_are_listed_flat_by_a_cursor(project: Project) -> Seen:
    """`list-v2` without a delimiter lists the whole keys of all folders, and goes on after
    `nextCursor` while `hasNext` is true."""
    for bucket in _buckets(project)[:MOST_BUCKETS]:
        first = _listed(project, bucket, 1)
        if not first["objects"]:
            continue
        cursor = first.get("nextCursor")
        if not first.get("hasNext"):
            continue
        if not isinstance(cursor, str):
            return Seen("hasNext without a nextCursor", False)
        second = _listed(project, bucket, 1, cursor)
        names = [each["name"] for page in (first, second) for each in page["objects"]]
        folders = bool(first.get("folders") or second.get("folders"))
        words = f"{len(names)} files on 2 pages of one, {'with' if folders else 'without'} folders"
        return Seen(words, len(set(names)) == 2 and not folders)
    raise NotChecked("no bucket has two files")


@CHECKS.of(LISTING)
def a_page_of_files_has_1000_at_most(project: Project) -> Seen:
    """`list-v2` gives 1,000 files at most, whatever limit is asked for."""
    for bucket in _buckets(project)[:MOST_BUCKETS]:
        asked = MOST_LISTED + 1
        page = _listed(project, bucket, asked)
        came = len(page["objects"])
        if page.get("hasNext") or came > MOST_LISTED:
            return Seen(f"{asked:,} asked for, {came:,} came", came == MOST_LISTED)
    raise NotChecked("no bucket has more than 1,000 files")


@CHECKS.of(LISTING)
def files_are_in_the_order_of_their_bytes(project: Project) -> Seen:
    """Files are listed in the order of their keys' bytes, as `COLLATE "C"` has it."""
    files = _files(project)
    in_order = 0
    buckets = {file.bucket for file in files}
    for bucket in buckets:
        keys = [file.key.encode() for file in files if file.bucket == bucket]
        in_order += keys == sorted(keys)
    if len(files) < 2:
        raise NotChecked("there is one file only")
    words = f"{len(files):,} files, in order in {in_order} of {len(buckets)} buckets"
    return Seen(words, in_order == len(buckets))


@CHECKS.of(LISTING)
def files_are_listed_with_size_and_etag(project: Project) -> Seen:
    """Each listed file has its size and eTag."""
    files = _files(project, 100)
    whole = [file for file in files if file.size is not None and file.etag]
    return Seen(f"{len(whole)} of {len(files)} have both", len(whole) == len(files))


# ── downloading ─────────────────────────────────────────────────────────────────────────────


@CHECKS.of(DOWNLOADING)
def a_part_of_a_file_is_206(project: Project) -> Seen:
    """`/object/authenticated/` answers a Range with 206, Content-Range and ETag."""
    file = _small(project)
    answer = _get(project, file.bucket, file.key, "bytes=1-1")
    right_part = answer.headers.get("content-range") == f"bytes 1-1/{file.size}"
    has_etag = bool(answer.headers.get("etag"))
    words = (
        f"{answer.said}, {len(answer.body)} bytes, Content-Range "
        f"{'as asked' if right_part else 'other or none'}, "
        f"ETag {'there' if has_etag else 'missing'}"
    )
    good = answer.status == 206 and right_part and has_etag and len(answer.body) == 1
    return Seen(words, good)


@CHECKS.of(DOWNLOADING)
def the_etag_of_a_small_file_is_its_md5(project: Project) -> Seen:
    """The eTag of a file of one upload part is the md5 of its bytes, and the answer's ETag is the
    listed one."""
    file = _small(project)
    answer = _get(project, file.bucket, file.key)
    if answer.status != 200:
        raise Odd(answer.said)
    match = MD5.fullmatch(file.etag)
    same = answer.headers.get("etag", "").strip('"') == file.etag.strip('"')
    is_md5 = match is not None and match[1] == hashlib.md5(answer.body).hexdigest()
    words = (
        f"{len(answer.body):,} bytes of {file.size:,}; eTag {'is' if is_md5 else 'is not'} their "
        f"md5, {'the same' if same else 'another'} in the answer"
    )
    return Seen(words, is_md5 and same and len(answer.body) == file.size)


@CHECKS.of(DOWNLOADING)
def a_missing_file_is_400_with_404_inside(project: Project) -> Seen:
    """A file that does not exist is answered with 400, and with `statusCode` "404" in the body."""
    answer = _get(project, _buckets(project)[0], NO_KEY)
    inside = answer.members().get("statusCode")
    shown = inside if inside in ("400", "403", "404", "500", 404) else "none or another"
    return Seen(f"{answer.said}, statusCode {shown}", answer.status == 400 and inside == "404")


@CHECKS.of(DOWNLOADING)
def a_key_with_an_empty_folder_is_kept(project: Project) -> Seen:
    """A key with `//` is found as it is: nothing in between merges the slashes."""
    for file in _files(project):
        if "//" in file.key and file.size:
            answer = _get(project, file.bucket, file.key, "bytes=0-0")
            return Seen(answer.said, answer.status == 206)
    raise NotChecked("no key among the first ones has `//`")
