"""The steps from an empty database to the tables of today; a released step never changes."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, inspect, text

from broker.errors import StoreError


@dataclass(frozen=True, slots=True)
class Migration:
    """One step: statements with `{seq}`, `{blob}` and `{int}` standing for the dialect's types;
    those of `server` are for PostgreSQL alone.
    """

    number: int
    title: str
    statements: tuple[str, ...]
    server: tuple[str, ...] = ()


_ERASABLE = {
    "messages": ("envelope", "key", "uuid", "case"),
    "payloads": ("salt", "box"),
    "refusals": ("key", "salt", "box", "error"),
    "deliveries": ("number", "receipt", "error"),
    "business_keys": ("fingerprint",),
}

MIGRATIONS = (
    Migration(
        1,
        "first tables",
        (
            """CREATE TABLE messages (
                id VARCHAR(36) PRIMARY KEY, direction VARCHAR(8) NOT NULL, standard TEXT NOT
                NULL,
                version TEXT NOT NULL, kind TEXT NOT NULL, uuid TEXT NOT
                NULL,
                sender TEXT NOT NULL, recipient TEXT NOT NULL, envelope TEXT NOT
                NULL,
                party TEXT NOT NULL, received {int} NOT NULL, size {int} NOT NULL,
                identity {blob} NOT NULL, digest {blob} NOT NULL, key {blob}, "case" {blob},
                answers VARCHAR(36), replays VARCHAR(36))""",
            "CREATE UNIQUE INDEX messages_identity ON messages (identity)",
            "CREATE INDEX messages_uuid ON messages (uuid)",
            "CREATE INDEX messages_answers ON messages (answers) WHERE answers IS NOT NULL",
            'CREATE INDEX messages_case ON messages ("case") WHERE "case" IS NOT NULL',
            """CREATE TABLE payloads (
                message VARCHAR(36) NOT NULL, form VARCHAR(9) NOT NULL, size {int} NOT NULL,
                salt {blob} NOT NULL, box {blob} NOT NULL, PRIMARY KEY (message, form))""",
            """CREATE TABLE deliveries (
                seq {seq}, message VARCHAR(36) NOT NULL, state VARCHAR(9) NOT NULL,
                route TEXT NOT NULL, "table" TEXT NOT NULL, adapter TEXT NOT
                NULL,
                channel TEXT NOT NULL, lane {blob}, reference VARCHAR(13) NOT NULL,
                number TEXT NOT NULL, ready INTEGER NOT NULL, attempts INTEGER NOT NULL,
                due {int} NOT NULL, changed {int} NOT NULL, token TEXT, sending INTEGER NOT
                NULL,
                suspect INTEGER NOT NULL, crashes INTEGER NOT NULL, reason VARCHAR(8) NOT NULL,
                error TEXT NOT NULL, receipt TEXT NOT NULL)""",
            "CREATE UNIQUE INDEX deliveries_message ON deliveries (message)",
            "CREATE UNIQUE INDEX deliveries_reference ON deliveries (reference)",
            "CREATE INDEX deliveries_number ON deliveries (number) WHERE number <> ''",
            """CREATE INDEX deliveries_due ON deliveries (channel, due, seq)
                WHERE state = 'waiting' AND suspect = 0""",
            """CREATE INDEX deliveries_suspect ON deliveries (due, seq)
                WHERE state = 'waiting' AND suspect > 0""",
            """CREATE INDEX deliveries_working ON deliveries (seq) WHERE state = 'working'""",
            """CREATE INDEX deliveries_lane ON deliveries (route, lane, seq)
                WHERE lane IS NOT NULL
                AND state IN ('waiting', 'working', 'held', 'unclear', 'dead')""",
            """CREATE TABLE refusals (
                id VARCHAR(36) PRIMARY KEY, party TEXT NOT NULL, via TEXT NOT NULL,
                reason VARCHAR(8) NOT NULL, error TEXT NOT NULL, received {int} NOT NULL, key
                {blob},
                size {int} NOT NULL, salt {blob}, box {blob})""",
            """CREATE TABLE entries (
                seq {seq}, message VARCHAR(36) NOT NULL, event TEXT NOT NULL, body {blob} NOT
                NULL)""",
            "CREATE INDEX entries_message ON entries (message, seq)",
            """CREATE TABLE pauses (
                route TEXT PRIMARY KEY, actor TEXT NOT NULL, reason TEXT NOT NULL,
                since {int} NOT NULL)""",
        ),
    ),
    Migration(
        2,
        "the journal as a tree",
        (
            """CREATE TABLE leaves (
                number {int} PRIMARY KEY, entry {int} NOT NULL, hash {blob} NOT NULL)""",
            "CREATE UNIQUE INDEX leaves_entry ON leaves (entry)",
            """CREATE TABLE nodes (
                level INTEGER NOT NULL, number {int} NOT NULL, hash {blob} NOT NULL,
                PRIMARY KEY (level, number))""",
            "CREATE TABLE checkpoints (size {int} PRIMARY KEY, note TEXT NOT NULL)",
            """CREATE TABLE cosignatures (
                size {int} NOT NULL, name TEXT NOT NULL, line TEXT NOT NULL,
                PRIMARY KEY (size, name))""",
        ),
    ),
    Migration(
        3,
        "retention",
        (
            """CREATE TABLE holds (
                message VARCHAR(36) PRIMARY KEY, actor TEXT NOT NULL, reason TEXT NOT NULL,
                since {int} NOT NULL)""",
            """CREATE TABLE erasures (
                message VARCHAR(36) PRIMARY KEY, at {int} NOT NULL, rule TEXT NOT NULL,
                size {int} NOT NULL, forgotten {int})""",
            "CREATE INDEX erasures_kept ON erasures (message) WHERE forgotten IS NULL",
            "CREATE TABLE runs (name TEXT PRIMARY KEY, at {int} NOT NULL)",
        ),
    ),
    Migration(
        4,
        "business keys",
        (
            """CREATE TABLE business_keys (
                message VARCHAR(36) NOT NULL, name TEXT NOT NULL, fingerprint {blob} NOT NULL,
                PRIMARY KEY (message, fingerprint))""",
            "CREATE INDEX business_keys_fingerprint ON business_keys (fingerprint)",
        ),
    ),
    Migration(
        5,
        "leases and offices",
        (
            "ALTER TABLE deliveries ADD COLUMN lease {int}",
            """CREATE TABLE offices (
                name TEXT PRIMARY KEY, owner TEXT NOT NULL, until {int} NOT NULL)""",
            """CREATE TABLE writers (
                id VARCHAR(36) PRIMARY KEY, number {int} NOT NULL, at {int} NOT NULL)""",
        ),
        # The planner's samples are copies: what can be erased must not be among them.
        server=(
            *(
                f'ALTER TABLE {table} ALTER COLUMN "{column}" SET STATISTICS 0'
                for table, columns in _ERASABLE.items()
                for column in columns
            ),
            # Sealed bytes cannot be made smaller.
            "ALTER TABLE payloads ALTER COLUMN box SET STORAGE EXTERNAL",
            "ALTER TABLE refusals ALTER COLUMN box SET STORAGE EXTERNAL",
            # Each row changes three times: with room on its page, indexes need not learn of it.
            "ALTER TABLE deliveries SET (fillfactor = 50)",
        ),
    ),
    Migration(
        6,
        "repair",
        (
            """CREATE TABLE selections (
                name TEXT PRIMARY KEY, act VARCHAR(8) NOT NULL, actor TEXT NOT NULL,
                reason TEXT NOT NULL, made {int} NOT NULL, again INTEGER NOT NULL,
                reroute INTEGER NOT NULL)""",
            """CREATE TABLE selected (
                selection TEXT NOT NULL, number INTEGER NOT NULL, message VARCHAR(36) NOT NULL,
                progress VARCHAR(9) NOT NULL, note TEXT NOT NULL,
                PRIMARY KEY (selection, number))""",
            """CREATE INDEX selected_progress ON selected (selection, progress, number)""",
            """CREATE TABLE proposals (
                id VARCHAR(36) PRIMARY KEY, message VARCHAR(36) NOT NULL,
                became VARCHAR(36) NOT NULL, actor TEXT NOT NULL, account TEXT NOT NULL,
                reason TEXT NOT NULL, made {int} NOT NULL, route TEXT NOT NULL,
                size {int} NOT NULL, salt {blob} NOT NULL, box {blob},
                decision VARCHAR(9) NOT NULL, decider TEXT NOT NULL)""",
            "CREATE INDEX proposals_message ON proposals (message)",
            """CREATE TABLE windows (
                id VARCHAR(36) PRIMARY KEY, route TEXT NOT NULL, start {int} NOT NULL,
                until {int} NOT NULL, actor TEXT NOT NULL, reason TEXT NOT NULL)""",
            "CREATE INDEX windows_route ON windows (route)",
            """CREATE INDEX deliveries_stuck ON deliveries (route, state)
                WHERE state IN ('held', 'unclear', 'dead')""",
        ),
    ),
    Migration(
        7,
        "watch",
        (
            """CREATE TABLE alarms (
                cause TEXT PRIMARY KEY, since {int} NOT NULL, ended {int}, process TEXT NOT NULL,
                facts TEXT NOT NULL, told TEXT NOT NULL)""",
            """CREATE TABLE late (
                message VARCHAR(36) NOT NULL, kind VARCHAR(8) NOT NULL, route TEXT NOT NULL,
                due {int} NOT NULL, PRIMARY KEY (message, kind))""",
            "CREATE INDEX late_route ON late (route, due)",
        ),
    ),
)

TYPES = {
    "sqlite": {"seq": "INTEGER PRIMARY KEY AUTOINCREMENT", "blob": "BLOB", "int": "INTEGER"},
    "postgresql": {
        "seq": "BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY",
        "blob": "BYTEA",
        "int": "BIGINT",
    },
}


def migrate(connection: Connection) -> int:
    """Bring the database up to date inside the caller's transaction; return its version.

    Raises StoreError where a newer broker has written it.
    """
    if not inspect(connection).has_table("migrations"):
        connection.execute(
            text("CREATE TABLE migrations (number INTEGER PRIMARY KEY, title TEXT NOT NULL)")
        )
    done = connection.execute(text("SELECT coalesce(max(number), 0) FROM migrations")).scalar_one()
    if done > MIGRATIONS[-1].number:
        raise StoreError(
            f"the store has format {done}, this broker knows {MIGRATIONS[-1].number} at most; "
            "install the newer broker again"
        )
    for migration in MIGRATIONS[done:]:
        _apply(connection, migration)
    return MIGRATIONS[-1].number


def _apply(connection: Connection, migration: Migration) -> None:
    types = TYPES[connection.dialect.name]
    server = migration.server if connection.dialect.name == "postgresql" else ()
    for statement in (*migration.statements, *server):
        connection.execute(text(statement.format(**types)))
    connection.execute(
        text("INSERT INTO migrations (number, title) VALUES (:number, :title)"),
        {"number": migration.number, "title": migration.title},
    )
