CREATE SCHEMA blog;
CREATE TYPE blog.stage AS ENUM ('draft', 'live');
CREATE TABLE blog.authors (id uuid PRIMARY KEY, name text NOT NULL);
CREATE TABLE blog.posts (
  id uuid PRIMARY KEY,
  author_id uuid NOT NULL REFERENCES blog.authors (id),
  headline text NOT NULL,
  body text,
  stage blog.stage NOT NULL DEFAULT 'draft',
  price integer NOT NULL,
  legacy_score integer,
  created_at timestamptz NOT NULL
);
CREATE TABLE blog.comments (
  id bigint PRIMARY KEY,
  post_id uuid NOT NULL REFERENCES blog.posts (id),
  text text NOT NULL,
  kind text NOT NULL
);
INSERT INTO blog.authors VALUES ('00000000-0000-0000-0000-000000000001', 'Ada');
INSERT INTO blog.posts VALUES ('00000000-0000-0000-0000-00000000000a',
  '00000000-0000-0000-0000-000000000001', 'One', 'Text', 'live', 12, 3, '2024-01-01T00:00:00Z');
INSERT INTO blog.comments VALUES (1, '00000000-0000-0000-0000-00000000000a', 'fine', 'praise');
