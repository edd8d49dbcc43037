SELECT
    key(id) AS _source_id,
    ref('ariConversations', ari_conversation_id) AS ari_conversation_id,
    ref('workspaces', workspace_id) AS workspace_id,
    amount,
    coalesce(currency, 'IDR') AS currency,
    payment_method,
    coalesce(gateway, 'midtrans') AS gateway,
    gateway_transaction_id,
    gateway_response,
    coalesce(status, 'pending') AS status,
    to_ms(expires_at) AS expires_at,
    to_ms(paid_at) AS paid_at,
    to_ms(created_at) AS created_at,
    coalesce(to_ms(updated_at), to_ms(created_at)) AS updated_at
FROM extract.ari_payments
