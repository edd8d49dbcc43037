SELECT
    key(id) AS _source_id,
    ref('users', owner_id) AS owner,
    file_url AS fileUrl,
    checksum,
    size_bytes AS sizeBytes,
    pg_vector(embedding) AS embedding,
    opened_at AS openedAt,
    to_ms(created_at) AS createdAt,
    to_iso(updated_at) AS updatedAt
FROM extract.documents
