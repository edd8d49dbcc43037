"""After the migration: check that nothing others could use is left on the deployment.

Checked twice: by what the deployment lists to the admin key (functions and variables), and by how
it answers a visitor without a key.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import httpx

from stages.convex.admin_api import GENERAL_FUNCTIONS, call_admin
from stages.convex.client import TIMEOUT, Deployment
from stages.errors import StagesError
from stages.project.plan import Plan
from stages.project.settings import Target
from stages.results import CheckResult
from stages.tls import trusted

RIGHTS = "the rights deployment:data:view and deployment:env:view"
VARIABLE = "MIGRATION_SECRET"


def check_final(plan: Plan, target: Target) -> Iterator[CheckResult]:
    """One result at a time; a failed check does not end the others. Nothing is changed."""
    checks: list[tuple[str, Callable[[], CheckResult]]] = [
        ("visitors", lambda: _visitors(plan, target)),
        ("HTTP action", lambda: _http_action(target)),
    ]
    if target.admin_key:
        checks += [
            ("functions", lambda: _functions(plan, target)),
            ("secret", lambda: _secret(target)),
        ]
    for name, check in checks:
        try:
            yield check()
        except StagesError as error:
            yield CheckResult(name, False, error.message, error.hint)


def _functions(plan: Plan, target: Target) -> CheckResult:
    spec = _system(target, "_system/cli/modules:apiSpec", {})
    ours = {
        each["identifier"].replace(".js:", ":"): each["visibility"]["kind"]
        for each in spec
        if each.get("identifier", "").startswith(f"{plan.module}.js:")
    }
    public = sorted(name for name, kind in ours.items() if kind == "public")
    if public:
        sentence = f"anyone can call {', '.join(public)}"
    elif ours:
        sentence = f"{len(ours)} of {plan.module}.ts are still there, for the deploy key only"
    else:
        sentence = "none is left"
    return CheckResult(
        "functions",
        not public,
        sentence,
        f"remove convex/{plan.module}.ts, and push: {target.push}",
    )


def _secret(target: Target) -> CheckResult:
    variable = _variable(target)
    return CheckResult(
        "secret",
        variable is None,
        "not set" if variable is None else f"{VARIABLE} is still set",
        _removal(target),
    )


def _removal(target: Target) -> str:
    """The command that removes the secret; a sandbox has its own, not that of the settings."""
    return "stages sandbox reset" if target.sandbox else f"npx convex env remove {VARIABLE}"


def _variable(target: Target) -> Any:
    """The deployment's MIGRATION_SECRET as its dashboard lists it; None if it is not set."""
    return _system(target, "_system/cli/queryEnvironmentVariables:get", {"name": VARIABLE})


def _system(target: Target, function: str, args: dict[str, str]) -> Any:
    with Deployment(target, "functions") as deployment:
        return call_admin(deployment, function, args, RIGHTS)


def _visitors(plan: Plan, target: Target) -> CheckResult:
    """Calls without a key must not find the functions. The arguments are wrong on purpose."""
    names = {table.function for table in plan.tables.values()}
    names |= {f"{plan.module}:{name}" for name in GENERAL_FUNCTIONS}
    callable_names = []
    with httpx.Client(timeout=TIMEOUT, verify=trusted()) as http:
        for name in sorted(names):
            kind = "query" if ":read" in name else "mutation"
            body = {"path": name, "args": {"stages": "is anybody there?"}, "format": "json"}
            answer = _post(http, f"{target.url}/api/{kind}", body)
            words = answer.text
            if answer.status_code == 200 and "Could not find public function" not in words:
                callable_names.append(name)
            elif answer.status_code != 200:
                raise StagesError(f"{target.url} answered {answer.status_code} to a visitor")
    sentence = (
        f"{', '.join(callable_names)} answer without a key"
        if callable_names
        else "can call none of the functions"
    )
    return CheckResult(
        "visitors",
        not callable_names,
        sentence,
        f"make them internal, or remove them, and push: {target.push}",
    )


def _http_action(target: Target) -> CheckResult:
    """Whether it is open: to the secret of the settings, and by what the deploy key can see.

    A visitor gets the same answer whether or not a secret is set.
    """
    if not target.site_url:
        return CheckResult("HTTP action", True, "not looked at: there is no CONVEX_SITE_URL")
    headers = {"Authorization": f"Bearer {target.secret.reveal()}"} if target.secret else {}
    with httpx.Client(timeout=TIMEOUT, headers=headers, verify=trusted()) as http:
        status = _post(http, f"{target.site_url}/migrate", {}).status_code
    if status == 404:
        ok, sentence = True, "not served"
    elif status != 401:
        ok, sentence = False, f"POST /migrate answers {status}: whoever has the secret may use it"
    elif target.admin_key and _variable(target) is not None:
        ok, sentence = False, f"served, and {VARIABLE} is set: whoever has the secret may use it"
    elif target.admin_key:
        ok, sentence = True, "served, but closed"
    elif target.secret:
        ok, sentence = True, f"served, but closed to the {VARIABLE} of these settings"
    else:
        ok, sentence = False, f"served; only a deploy key can see whether {VARIABLE} is set"
    return CheckResult(
        "HTTP action",
        ok,
        sentence,
        f"{_removal(target)}; remove convex/http.ts, and push: {target.push}",
    )


def _post(http: httpx.Client, url: str, body: dict[str, Any]) -> httpx.Response:
    try:
        return http.post(url, json=body)
    except httpx.TransportError as error:
        words = str(error) or type(error).__name__
        raise StagesError(f"{url} did not answer: {words}", "run again: stages verify") from None
