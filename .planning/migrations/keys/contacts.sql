-- A contact is found by its workspace and its phone.
SELECT key(s.id) AS source_id, c._id AS convex_id, 'workspace and phone' AS rule
FROM extract.contacts s
JOIN keys.workspaces w ON w.source_id = key(s.workspace_id)
JOIN reference.contacts c ON c.workspace_id = w.convex_id AND c.phone = s.phone
