SELECT
    key(id) AS _source_id,
    ref('workspaces', workspace_id) AS workspace_id,
    consultant_id::VARCHAR AS consultant_id,
    day_of_week,
    start_time,
    end_time,
    coalesce(duration_minutes, 60) AS duration_minutes,
    coalesce(booking_window_days, 14) AS booking_window_days,
    coalesce(max_bookings_per_slot, 1) AS max_bookings_per_slot,
    coalesce(is_active, true) AS is_active,
    to_ms(created_at) AS created_at,
    coalesce(to_ms(updated_at), to_ms(created_at)) AS updated_at
FROM extract.consultant_slots
