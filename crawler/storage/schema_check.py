"""Schema check: find differences from the schema of the migrations, made by other programs, and repair them.

`sqlite-utils transform`, for example, replaces a table without its triggers and some of its constraints. Tables,
columns, indexes and triggers that users add are left alone.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache

from sqlite_utils import Database

from crawler.content import clock
from crawler.content.dates import format_iso
from crawler.errors import StoreError
from crawler.storage.migrations import migrations

# Must not be created empty: their rows are in the posts.
_TABLES_OF_POSTS = {"articles", "categories"}
_EMPTY_VALUES = {"INTEGER": "0", "BLOB": "x''"}
# Without the table of the migrations, which is created when they are applied.
_SELECT_OBJECTS = "SELECT type, name, sql FROM sqlite_master WHERE sql IS NOT NULL AND tbl_name != ?"
# Not from `pragma_table_list`, which needs SQLite 3.37. FTS5 creates the tables of the search index.
_IS_TABLE = """
    t.type = 'table' AND t.sql NOT LIKE 'CREATE VIRTUAL %' AND t.name NOT GLOB 'search_pairs_*'
    AND t.name NOT GLOB 'sqlite_*' AND t.name != ?
"""
# For a table WITHOUT ROWID, SQLite returns its key; for any other name that is not an index, no rows.
SELECT_IS_WITHOUT_ROWID = "SELECT EXISTS (SELECT 1 FROM pragma_index_info(?, 'main'))"
_SELECT_COLUMNS = """
    SELECT t.name AS table_name, c.name, upper(c.type), c."notnull", c.dflt_value, c.pk,
           max(c.pk) OVER (PARTITION BY t.name)
    FROM sqlite_master AS t JOIN pragma_table_xinfo(t.name) AS c
    WHERE {}
"""
_SELECT_UNIQUE_COLUMNS = """
    SELECT t.name AS table_name, i.name, group_concat(c.name, ',') AS columns
    FROM sqlite_master AS t JOIN pragma_index_list(t.name) AS i JOIN pragma_index_info(i.name) AS c
    WHERE {} AND i."unique" AND NOT i.partial
    GROUP BY t.name, i.name
"""
# In the order of creation: a trigger needs its table.
_KINDS = ("table", "view", "index", "trigger")


@dataclass(frozen=True, slots=True)
class _Column:
    type: str
    not_null: bool
    default: str | None
    is_key: bool
    is_rowid: bool


@dataclass(frozen=True, slots=True)
class _Schema:
    """Schema of a database.

    `objects`: the SQL of tables, views, indexes and triggers, by kind and name; `columns`: those of each table;
    `unique`: the unique sets of columns of each table.
    """

    objects: Mapping[tuple[str, str], str]
    columns: Mapping[str, Mapping[str, _Column]]
    unique: Mapping[str, set[frozenset[str]]]


@dataclass(frozen=True, slots=True)
class SchemaFault:
    """Missing or changed part of the schema, and the statements that repair it, if any can.

    `needs_posts`: its rows are in the posts, which `finews rebuild db` reads.
    """

    name: str
    detail: str
    statements: tuple[str, ...] = ()
    needs_posts: bool = False

    @property
    def hides_data(self) -> bool:
        """Return whether queries fail because a table or a column is missing."""
        return self.name.startswith(("table ", "column "))

    def __str__(self) -> str:
        return f"{self.name}: {self.detail}"


def find_schema_faults(db: Database) -> list[SchemaFault]:
    """Return missing and changed parts of the schema, in the order of repair. Reads no rows."""
    expected, actual = _expected_schema(), _read_schema(db)
    return [
        *_find_missing_objects(expected, actual, "table"),
        *_find_wrong_columns(expected, actual),
        *(fault for kind in _KINDS[1:] for fault in _find_missing_objects(expected, actual, kind)),
    ]


def find_lost_keys(db: Database) -> list[tuple[str, tuple[str, ...]]]:
    """Return the unique keys that tables have lost, as table and columns."""
    expected, actual = _expected_schema(), _read_schema(db)
    return [
        (table, tuple(sorted(key)))
        for table, keys in expected.unique.items()
        for key in keys - actual.unique.get(table, keys) - {frozenset[str]()}
    ]


def repair_schema(db: Database, *, has_posts: bool = False) -> list[SchemaFault]:
    """Repair the schema except for lost keys, and return the differences found.

    `has_posts`: the caller will restore the rows from the posts.

    Raises:
        StoreError: a part cannot be repaired; the text gives the remedy.
    """
    faults = find_schema_faults(db)
    for fault in faults:
        if not fault.statements or (fault.needs_posts and not has_posts):
            raise StoreError(str(fault))
    with db.atomic():
        for fault in faults:
            for statement in fault.statements:
                db.execute(statement)
    return faults


def find_unrecorded_steps(db: Database) -> list[str]:
    """Return the migrations that were applied, as the schema shows, but that another program has removed from the log.

    Steps that change no part of the schema are pending, not unrecorded.
    """
    pending = [step.name for step in migrations.pending(db)]
    if not pending:
        return []
    actual = _read_schema(db)
    added_parts = _parts(_expected_schema()) - _parts(_expected_schema(pending[0]))
    return pending if added_parts and added_parts <= _parts(actual) else []


def record_steps(db: Database, names: Iterable[str]) -> None:
    """Record migrations as applied."""
    for name in names:
        db.table(migrations.migrations_table).insert(
            {"migration_set": migrations.name, "name": name, "applied_at": format_iso(clock.now())}
        )


def _parts(schema: _Schema) -> set[tuple[str, str]]:
    columns = {(table, name) for table, of_table in schema.columns.items() for name in of_table}
    return columns | schema.objects.keys()


@cache
def _expected_schema(stop_before: str | None = None) -> _Schema:
    db = Database(memory=True)
    migrations.apply(db, stop_before=stop_before)
    try:
        return _read_schema(db)
    finally:
        db.close()


def _read_schema(db: Database) -> _Schema:
    own_table = [migrations.migrations_table]
    rows = db.execute(_SELECT_OBJECTS, own_table).fetchall()
    columns: dict[str, dict[str, _Column]] = {}
    for table, name, type_, not_null, default, key, keys in db.execute(_SELECT_COLUMNS.format(_IS_TABLE), own_table):
        is_rowid = bool(key) and keys == 1 and type_ == "INTEGER"
        columns.setdefault(table, {})[name] = _Column(type_, bool(not_null), default, bool(key), is_rowid)
    unique: dict[str, set[frozenset[str]]] = {
        table: {frozenset(name for name, column in of_table.items() if column.is_key)}
        for table, of_table in columns.items()
    }
    for table, _, names in db.execute(_SELECT_UNIQUE_COLUMNS.format(_IS_TABLE), own_table):
        unique.setdefault(table, set()).add(frozenset((names or "").split(",")))
    return _Schema({(kind, name): sql for kind, name, sql in rows}, columns, unique)


def _find_missing_objects(expected: _Schema, actual: _Schema, kind: str) -> Iterator[SchemaFault]:
    """Yield the missing objects of a kind, and changed triggers."""
    for (object_kind, name), sql in expected.objects.items():
        # The shadow tables of the search index are created with it.
        if object_kind != kind or (kind == "table" and name not in expected.columns and "VIRTUAL" not in sql):
            continue
        found = actual.objects.get((kind, name))
        label = f"{kind} {name}"
        if found is None and name in _TABLES_OF_POSTS:
            detail = "it is missing: run `finews rebuild db` to restore it from the posts"
            yield SchemaFault(label, detail, (sql,), needs_posts=True)
        elif found is None:
            yield SchemaFault(label, "missing", (sql,))
        elif kind == "trigger" and _words(found) != _words(sql):
            yield SchemaFault(label, "changed", (f'DROP TRIGGER "{name}"', sql))


def _find_wrong_columns(expected: _Schema, actual: _Schema) -> Iterator[SchemaFault]:
    """Yield missing columns, columns of another type or no longer a key, and users' columns that need a value."""
    for table, columns in expected.columns.items():
        found_columns = actual.columns.get(table, {})
        for name, column in columns.items() if found_columns else ():
            label, found = f"column {name} of {table}", found_columns.get(name)
            if found is None:
                default = column.default or (_EMPTY_VALUES.get(column.type, "''") if column.not_null else "NULL")
                not_null = " NOT NULL" if column.not_null else ""
                statement = f'ALTER TABLE "{table}" ADD COLUMN "{name}" {column.type}{not_null} DEFAULT {default}'
                yield SchemaFault(label, "missing", (statement,))
            elif column.type and _affinity(found.type) != _affinity(column.type):
                command = f"sqlite-utils transform news.db {table} --type {name} {column.type}"
                yield SchemaFault(label, f"its type is {found.type or 'missing'}: run `{command}`")
            elif column.is_rowid and not found.is_key:  # new rows would get no number
                command = f"sqlite-utils transform news.db {table} --pk {name}"
                yield SchemaFault(label, f"it is no longer the key: run `{command}`")
        for name, found in found_columns.items():
            if name not in columns and found.not_null and found.default is None and not found.is_key:
                command = f"sqlite-utils transform news.db {table} --default {name} ''"
                detail = f"finews does not fill it, but it must not be NULL: run `{command}`"
                yield SchemaFault(f"column {name} of {table}", detail)


def _affinity(declared_type: str) -> str:
    """Return SQLite's affinity of a declared type: `INT` is `INTEGER`."""
    return "INTEGER" if "INT" in declared_type else declared_type


def _words(sql: str) -> list[str]:
    return sql.replace('"', "").split()
