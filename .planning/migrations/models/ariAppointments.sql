SELECT
    key(id) AS _source_id,
    ref('ariConversations', ari_conversation_id) AS ari_conversation_id,
    ref('workspaces', workspace_id) AS workspace_id,
    ref('ariPayments', payment_id) AS payment_id,
    consultant_id::VARCHAR AS consultant_id,
    to_ms(scheduled_at) AS scheduled_at,
    coalesce(duration_minutes, 60) AS duration_minutes,
    meeting_link,
    coalesce(status, 'scheduled') AS status,
    to_ms(reminder_sent_at) AS reminder_sent_at,
    notes,
    to_ms(created_at) AS created_at,
    coalesce(to_ms(updated_at), to_ms(created_at)) AS updated_at
FROM extract.ari_appointments
