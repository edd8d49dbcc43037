CREATE TABLE public.teams (id uuid PRIMARY KEY, name text NOT NULL);
INSERT INTO public.teams
  SELECT ('00000000-0000-0000-0000-00000000000' || n)::uuid, 'Team ' || n
  FROM generate_series(1, 2) n;

CREATE TABLE public.people (
  id int PRIMARY KEY, name text NOT NULL, team uuid NOT NULL, manager int
);
INSERT INTO public.people
  SELECT n, 'Person ' || n, ('00000000-0000-0000-0000-00000000000' || 1 + n % 2)::uuid,
    CASE WHEN n > 1 THEN 7 - n END
  FROM generate_series(1, 6) n;

-- The last one is rejected, and the time of each is changed by the microseconds that it loses.
CREATE TABLE public.pets (id uuid PRIMARY KEY, owner int NOT NULL, kind text, born timestamptz);
INSERT INTO public.pets
  SELECT ('00000000-0000-0000-0000-0000000000' || lpad(n::text, 2, '0'))::uuid, 1 + n % 6,
    CASE WHEN n = 12 THEN 'bird' ELSE 'cat' END, timestamptz '2020-01-01 00:00:00.000001Z'
  FROM generate_series(1, 12) n;
