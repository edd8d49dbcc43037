-- A club's magazine: small, with one of each kind of what init leaves to a person.
CREATE TABLE profiles (
  id uuid PRIMARY KEY REFERENCES auth.users (id) ON DELETE CASCADE,
  full_name text NOT NULL,
  avatar_url text,
  created_at timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE articles (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  author_id uuid NOT NULL REFERENCES profiles (id),
  reviewer_id uuid REFERENCES profiles (id),
  parent_article_id bigint REFERENCES articles (id),
  headline text NOT NULL,
  body text NOT NULL,
  status text DEFAULT 'draft' CHECK (status IN ('draft', 'in_review', 'published')),
  created_at timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE shares (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  article_id bigint NOT NULL REFERENCES articles (id) ON DELETE CASCADE,
  slug text NOT NULL UNIQUE,
  fee_cents integer NOT NULL DEFAULT 0
);
CREATE TABLE connections (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  profile_id uuid NOT NULL REFERENCES profiles (id) ON DELETE CASCADE,
  provider text NOT NULL,
  access_token text NOT NULL
);
CREATE TABLE guestbook (email text NOT NULL, greeting text NOT NULL);
