-- Jobs of pg_cron; only run if it is installed.
SELECT coalesce(jobname, 'job ' || jobid)::text AS name, schedule::text AS schedule,
    command::text AS command
FROM cron.job
ORDER BY jobid
