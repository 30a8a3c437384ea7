"""The journal's tables. Each migration leads from one version to the next; newer files are refused."""

from __future__ import annotations

MIGRATIONS = (
    """
    CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
    CREATE TABLE texts (hash BLOB PRIMARY KEY, text TEXT NOT NULL);
    CREATE TABLE draws (
        key BLOB PRIMARY KEY, state TEXT NOT NULL, role TEXT NOT NULL, problem TEXT NOT NULL, node TEXT NOT NULL,
        model TEXT NOT NULL, prompt BLOB, payload TEXT, error TEXT, overflow INTEGER NOT NULL,
        prompt_tokens INTEGER NOT NULL, completion_tokens INTEGER NOT NULL, calls INTEGER NOT NULL,
        money REAL NOT NULL, exact INTEGER NOT NULL, reused INTEGER NOT NULL, seconds REAL NOT NULL, at REAL NOT NULL
    );
    CREATE TABLE decisions (
        problem TEXT NOT NULL, node TEXT NOT NULL, seq INTEGER NOT NULL, kind TEXT NOT NULL, payload TEXT NOT NULL,
        at REAL NOT NULL, UNIQUE (problem, node, seq)
    );
    CREATE TABLE problems (problem TEXT PRIMARY KEY, payload TEXT NOT NULL, at REAL NOT NULL) WITHOUT ROWID;
    CREATE TABLE results (problem TEXT PRIMARY KEY, payload TEXT NOT NULL, at REAL NOT NULL);
    """,
)
SCHEMA_VERSION = len(MIGRATIONS)
