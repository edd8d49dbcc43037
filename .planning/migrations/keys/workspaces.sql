-- A workspace is found by its slug. Where the mapping file and Convex' organizations know it too,
-- they are a second witness, and must name the same document.
WITH by_slug AS (
    SELECT key(s.id) AS source_id, c._id AS convex_id, 'slug' AS rule
    FROM extract.workspaces s
    JOIN reference.workspaces c ON c.slug = s.slug
),
by_mapping AS (
    SELECT m.key AS source_id, o.workspace_id AS convex_id, 'mapping' AS rule
    FROM side.workspace_org_mapping m
    JOIN reference.organizations o ON o.clerk_org_id = m.value
    WHERE o.workspace_id IS NOT NULL
)
SELECT source_id, convex_id, rule FROM by_slug
UNION ALL
SELECT source_id, convex_id, rule FROM by_mapping SEMI JOIN by_slug USING (source_id)
