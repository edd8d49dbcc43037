SELECT
    key(id) AS _source_id,
    bucket_id AS bucket,
    name AS path,
    ref('users', owner) AS owner,
    to_ms(created_at) AS uploadedAt,
    (metadata ->> 'size')::DOUBLE AS sizeBytes
FROM extract.objects
