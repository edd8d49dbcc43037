-- An app: auth.users as parents, stored files, embeddings, times in two encodings, bytes.
CREATE DOMAIN extensions.vector AS text; -- pgvector is not among these binaries
CREATE TABLE profiles (
  user_id uuid PRIMARY KEY REFERENCES auth.users (id) ON DELETE CASCADE,
  display_name text NOT NULL,
  avatar_url text,
  created_at timestamptz NOT NULL
);
CREATE TABLE documents (
  id bigint PRIMARY KEY,
  owner_id uuid NOT NULL REFERENCES auth.users (id),
  file_url text NOT NULL,
  checksum bytea NOT NULL,
  size_bytes bigint NOT NULL,
  embedding extensions.vector,
  opened_at bigint, -- milliseconds
  created_at timestamptz NOT NULL,
  updated_at timestamptz
);
-- Supabase has this table by itself; here are the columns that a migration reads.
CREATE SCHEMA storage;
CREATE TABLE storage.objects (
  id uuid PRIMARY KEY,
  bucket_id text,
  name text,
  owner uuid,
  created_at timestamptz DEFAULT now(),
  metadata jsonb
);
