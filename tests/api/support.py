"""Settings of a production deployment, which no test reaches."""

from __future__ import annotations

PRODUCTION = "happy-otter-123"
SETTINGS = {
    "SUPABASE_URL": "https://abcdefghijklmnopqrst.supabase.co",
    "SUPABASE_SERVICE_ROLE_KEY": "sb_secret_" + "x" * 22,
    "CONVEX_URL": f"https://{PRODUCTION}.convex.cloud",
    "CONVEX_DEPLOY_KEY": f"prod:{PRODUCTION}|{'c' * 40}",
}
