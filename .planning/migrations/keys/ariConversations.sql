-- A conversation is found by its workspace and its contact.
SELECT key(s.id) AS source_id, c._id AS convex_id, 'workspace and contact' AS rule
FROM extract.ari_conversations s
JOIN keys.workspaces w ON w.source_id = key(s.workspace_id)
JOIN keys.contacts p ON p.source_id = key(s.contact_id)
JOIN reference.ariConversations c
  ON c.workspace_id = w.convex_id AND c.contact_id = p.convex_id
