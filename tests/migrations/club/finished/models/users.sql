SELECT
    key(id) AS _source_id,
    full_name AS name,
    avatar_url AS image,
    (SELECT p.email FROM extract.auth_users p WHERE p.id = s.id) AS email
FROM extract.profiles s
