-- What every Supabase project has before its owner makes a table: roles, schemas, auth.users
-- and auth.identities.
-- Runs once, as the superuser supabase_admin; the project's own SQL runs as postgres afterwards.

-- ── roles ───────────────────────────────────────────────────────────────────────────────────
-- As on Supabase, `postgres` is no superuser. It may switch triggers and foreign keys off, though.
CREATE ROLE postgres NOLOGIN CREATEDB CREATEROLE BYPASSRLS;
GRANT SET ON PARAMETER session_replication_role TO postgres;

CREATE ROLE anon NOLOGIN NOINHERIT;
CREATE ROLE authenticated NOLOGIN NOINHERIT;
CREATE ROLE service_role NOLOGIN NOINHERIT BYPASSRLS;
CREATE ROLE authenticator LOGIN NOINHERIT;
CREATE ROLE supabase_auth_admin NOLOGIN NOINHERIT;
GRANT anon, authenticated, service_role TO authenticator, postgres;
-- The gateway stands in for the auth service too, which logs in by itself on Supabase.
GRANT supabase_auth_admin TO authenticator;

ALTER ROLE anon SET statement_timeout = '3s';
ALTER ROLE authenticated SET statement_timeout = '8s';
ALTER ROLE authenticator SET statement_timeout = '8s';
ALTER ROLE authenticator SET lock_timeout = '8s';

-- ── database and schemas ────────────────────────────────────────────────────────────────────
ALTER DATABASE postgres SET search_path = "$user", public, extensions;
ALTER DATABASE postgres SET statement_timeout = '2min';
GRANT ALL ON DATABASE postgres TO postgres;

ALTER SCHEMA public OWNER TO postgres;
GRANT USAGE ON SCHEMA public TO anon, authenticated, service_role;
ALTER DEFAULT PRIVILEGES FOR ROLE postgres IN SCHEMA public
  GRANT ALL ON TABLES TO anon, authenticated, service_role;
ALTER DEFAULT PRIVILEGES FOR ROLE postgres IN SCHEMA public
  GRANT ALL ON SEQUENCES TO anon, authenticated, service_role;
ALTER DEFAULT PRIVILEGES FOR ROLE postgres IN SCHEMA public
  GRANT ALL ON FUNCTIONS TO anon, authenticated, service_role;

CREATE SCHEMA extensions AUTHORIZATION postgres;
GRANT USAGE ON SCHEMA extensions TO anon, authenticated, service_role;
-- The extension uuid-ossp is not among these binaries; its one function that defaults call is.
CREATE FUNCTION extensions.uuid_generate_v4() RETURNS uuid
  LANGUAGE sql VOLATILE PARALLEL SAFE RETURN gen_random_uuid();

-- ── auth ────────────────────────────────────────────────────────────────────────────────────
CREATE SCHEMA auth AUTHORIZATION supabase_auth_admin;
GRANT USAGE ON SCHEMA auth TO anon, authenticated, service_role;
GRANT ALL ON SCHEMA auth TO postgres;

-- What policies and defaults call: who makes a request, by its token. Here nobody does, so they give
-- null to the project's own SQL.
CREATE FUNCTION auth.jwt() RETURNS jsonb LANGUAGE sql STABLE
  RETURN nullif(current_setting('request.jwt.claims', true), '')::jsonb;
CREATE FUNCTION auth.uid() RETURNS uuid LANGUAGE sql STABLE
  RETURN (auth.jwt() ->> 'sub')::uuid;
CREATE FUNCTION auth.role() RETURNS text LANGUAGE sql STABLE
  RETURN auth.jwt() ->> 'role';
CREATE FUNCTION auth.email() RETURNS text LANGUAGE sql STABLE
  RETURN auth.jwt() ->> 'email';

CREATE TABLE auth.users (
  id uuid PRIMARY KEY,
  aud varchar(255),
  role varchar(255),
  email varchar(255),
  encrypted_password varchar(255),
  email_confirmed_at timestamptz,
  last_sign_in_at timestamptz,
  raw_app_meta_data jsonb,
  raw_user_meta_data jsonb,
  is_super_admin boolean,
  created_at timestamptz,
  updated_at timestamptz,
  phone text UNIQUE,
  banned_until timestamptz,
  deleted_at timestamptz,
  is_anonymous boolean NOT NULL DEFAULT false
);
ALTER TABLE auth.users OWNER TO supabase_auth_admin;
ALTER TABLE auth.users ENABLE ROW LEVEL SECURITY;
GRANT ALL ON auth.users TO postgres;

CREATE TABLE auth.identities (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  provider_id text NOT NULL,
  user_id uuid NOT NULL REFERENCES auth.users (id) ON DELETE CASCADE,
  identity_data jsonb NOT NULL,
  provider text NOT NULL,
  last_sign_in_at timestamptz,
  created_at timestamptz,
  updated_at timestamptz,
  email text GENERATED ALWAYS AS (lower(identity_data ->> 'email')) STORED,
  UNIQUE (provider_id, provider)
);
ALTER TABLE auth.identities OWNER TO supabase_auth_admin;
ALTER TABLE auth.identities ENABLE ROW LEVEL SECURITY;
GRANT ALL ON auth.identities TO postgres;
