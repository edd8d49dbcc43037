-- A content site: arrays of keys, categories in a tree, blocks and translations in jsonb, slugs.
CREATE TABLE images (id uuid PRIMARY KEY, path text NOT NULL, width int NOT NULL);
CREATE TABLE tags (id uuid PRIMARY KEY, label text NOT NULL UNIQUE);
CREATE TABLE categories (
  id int PRIMARY KEY,
  parent_id int REFERENCES categories (id),
  slug text NOT NULL UNIQUE,
  title text
);
CREATE TABLE articles (
  slug text PRIMARY KEY,
  category_slug text NOT NULL REFERENCES categories (slug),
  title text NOT NULL,
  tag_ids uuid[] NOT NULL DEFAULT '{}',
  blocks jsonb NOT NULL DEFAULT '[]',
  seo jsonb,
  translations jsonb NOT NULL DEFAULT '{}',
  published_at timestamptz
);
CREATE TABLE related_articles (
  article_slug text NOT NULL REFERENCES articles (slug),
  other_slug text NOT NULL REFERENCES articles (slug),
  weight real NOT NULL,
  PRIMARY KEY (article_slug, other_slug)
);
