SELECT
    key(email) AS _source_id,
    email,
    greeting
FROM extract.guestbook
