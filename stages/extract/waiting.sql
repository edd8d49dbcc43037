-- A session that waits for a lock held by one of ours.
SELECT w.pid::int4 AS pid, coalesce(w.relation::regclass::text, w.locktype) AS what
FROM pg_locks w
WHERE NOT w.granted AND pg_blocking_pids(w.pid) && {pids}::int4[]
LIMIT 1
