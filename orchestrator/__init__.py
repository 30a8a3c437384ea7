"""The engine: search, scheduling, scoring, budgets, journal."""
