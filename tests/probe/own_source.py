"""Fixtures: a database with all that a probe of a source looks at, and a REST stand-in in front."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from stages.project.plan import Plan
from stages.project.settings import Secret, Source
from stages.sandbox import State
from tests.extract import support
from tests.extract.support import Database, Project
from tests.probe.in_front import PLANTED, InFront, in_front

TABLES = f"""
CREATE TABLE public.{PLANTED}_rows (
  id int PRIMARY KEY, {PLANTED}_text text, at timestamptz, span interval, raw bytea, price float8
);
INSERT INTO public.{PLANTED}_rows
SELECT n, '{PLANTED} ' || n, '2026-01-01Z'::timestamptz + n * interval '1 min',
  n * interval '61 min', '\\x00ff', n / 3.0 FROM generate_series(1, 1200) n;
CREATE TABLE public.{PLANTED}_empty (id int PRIMARY KEY);
CREATE VIEW public.{PLANTED}_view AS SELECT * FROM public.{PLANTED}_rows;
ANALYZE public.{PLANTED}_rows;
CREATE SCHEMA auth;
GRANT USAGE ON SCHEMA auth TO supabase_auth_admin;
CREATE TABLE auth.users (
  id uuid PRIMARY KEY, email text, phone text, encrypted_password text, created_at timestamptz,
  raw_user_meta_data jsonb, raw_app_meta_data jsonb
);
INSERT INTO auth.users (id, email, phone, encrypted_password, created_at)
SELECT gen_random_uuid(), '{PLANTED}' || n || '@x.com', 4900 + n, '$2a$10${PLANTED}', now()
FROM generate_series(1, 9) n;
CREATE TABLE auth.identities (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(), provider_id text, user_id uuid, provider text,
  identity_data jsonb, email text, last_sign_in_at timestamptz, created_at timestamptz,
  updated_at timestamptz
);
INSERT INTO auth.identities (provider_id, user_id, provider, identity_data)
SELECT id::text, id, 'email', jsonb_build_object('email', email) FROM auth.users;
GRANT SELECT ON auth.users, auth.identities TO supabase_auth_admin;
CREATE SCHEMA storage;
CREATE TABLE storage.buckets (id text PRIMARY KEY);
CREATE TABLE storage.objects (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(), name text, version text, metadata jsonb
);
INSERT INTO storage.objects (name, version, metadata)
VALUES ('{PLANTED}/a b.txt', 'v', '{{"size": 3, "eTag": "e"}}');
"""


@pytest.fixture(scope="package")
def database(supabase: State) -> Iterator[Database]:
    """A database of our own; the sandbox's stays as it was."""
    with support.database(supabase) as own_database:
        own_database.sql(TABLES)
        yield own_database


@pytest.fixture(scope="package")
def front(
    supabase: State, database: Database, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[InFront]:
    """The HTTP APIs, whose answers a test can make otherwise."""
    keys = {supabase.source.secret_key, supabase.source.service_role_key}
    with (
        support.gateway(database, tmp_path_factory.mktemp("rest")) as url,
        in_front(url, keys) as server,
    ):
        yield server


@pytest.fixture(scope="package")
def project(
    supabase: State, database: Database, front: InFront, tmp_path_factory: pytest.TempPathFactory
) -> Project:
    """A project whose source has both sides, and a secret key."""
    key = Secret(supabase.source.secret_key)
    source = replace(database.source, url=front.url, key=key)
    return Project(tmp_path_factory.mktemp("probed"), source)


@pytest.fixture(scope="package")
def plan(project: Project) -> Plan:
    names = ("rows", "empty", "view", "missing")
    return project.plan(
        **{f"{PLANTED}_{name}": {"table": f"public.{PLANTED}_{name}"} for name in names}
    )


@pytest.fixture(scope="package")
def source(project: Project) -> Source:
    return project.source
