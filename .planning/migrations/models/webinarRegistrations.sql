SELECT
    key(id) AS _source_id,
    ref('webinars', webinar_id) AS webinar_id,
    ref('contacts', contact_id) AS contact_id,
    ref('workspaces', workspace_id) AS workspace_id,
    to_ms(registered_at) AS registered_at,
    coalesce(attended, false) AS attended
FROM extract.webinar_registrations
