"""What the user wrote for a migration: the plan, the settings, and what follows from them."""
