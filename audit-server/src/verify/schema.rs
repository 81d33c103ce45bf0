//! Whether the tables, indexes and triggers of a database are those that the layer makes.
//!
//! A database decides itself what a query of `audit_logs` reads: a view of that name may read
//! anything, a trigger may change what the writer stores. So before anything is read, every row of
//! `sqlite_schema` is held against what the layer's own migrations make of an empty database. A
//! guard that was dropped is a notice, as is an index on `audit_logs` that an operator added for
//! queries of his own; all else that differs is a break.

use audit_layer::{FULL_INDEXES, MIGRATIONS};
use rusqlite::{Connection, types::ValueRef};

use super::{Cause, finding::printable, trail::Trail};

/// How many breaks are reported at most.
const MOST: usize = 16;

/// What SQLite itself keeps, beside the indexes that a table's own declaration makes.
const INTERNAL: [&str; 4] = ["sqlite_sequence", "sqlite_stat1", "sqlite_stat3", "sqlite_stat4"];

/// A row of `sqlite_schema`; what is not text there is `None` here.
#[derive(Debug, PartialEq, Eq)]
struct Object {
    kind: Option<String>,
    name: Option<String>,
    table: Option<String>,
    sql: Option<String>,
}

impl Object {
    fn is(&self, kind: &str) -> bool {
        self.kind.as_deref() == Some(kind)
    }

    fn has_name_of(&self, other: &Object) -> bool {
        self.name == other.name
    }

    fn is_internal(&self) -> bool {
        let name = self.name.as_deref().unwrap_or_default();
        (self.is("table") && INTERNAL.contains(&name))
            || (self.is("index") && self.sql.is_none() && name.starts_with("sqlite_autoindex_"))
    }

    fn shown(&self) -> String {
        let word = |text: &Option<String>| printable(text.as_deref().unwrap_or("?"));
        format!("{} {}", word(&self.kind), word(&self.name))
    }
}

/// Holds the schema against what it should be, and returns whether the tables may be read.
pub(super) fn check(db: &Connection, trail: &mut Trail<'_>) -> rusqlite::Result<bool> {
    let ours = Connection::open_in_memory()?;
    MIGRATIONS.iter().try_for_each(|sql| ours.execute_batch(sql))?;
    let required = objects(&ours)?;
    ours.execute_batch(FULL_INDEXES)?;
    let allowed = objects(&ours)?;
    let there = objects(db)?;

    let mut breaks = Vec::new();
    let mut readable = true;
    for object in required.iter().filter(|object| !there.iter().any(|o| o.has_name_of(object))) {
        let shown = object.shown();
        if object.is("trigger") {
            trail.notice(format!(
                "the {shown}, which guards the records against mistakes, was dropped"
            ));
        } else {
            readable &= !object.is("table");
            breaks.push(format!("the {shown} is missing"));
        }
    }
    for object in there.iter().filter(|object| !allowed.contains(object) && !object.is_internal()) {
        let shown = object.shown();
        let name_is_ours = allowed.iter().any(|ours| ours.has_name_of(object));
        if name_is_ours {
            readable &= object.is("index") || object.is("trigger");
            breaks.push(format!("the {shown} is not as audit-layer makes it"));
        } else if object.is("index") && object.table.as_deref() == Some("audit_logs") {
            trail.notice(format!("the {shown} is none of audit-layer's; it was added"));
        } else {
            breaks.push(format!("the {shown} is none of audit-layer's, and may not be here"));
        }
    }
    for what in breaks.into_iter().take(MOST) {
        trail.break_of_path(Cause::Schema(what));
    }
    Ok(readable)
}

fn objects(db: &Connection) -> rusqlite::Result<Vec<Object>> {
    let mut statement = db.prepare("SELECT type, name, tbl_name, sql FROM sqlite_schema")?;
    let mut rows = statement.query([])?;
    let mut objects = Vec::new();
    while let Some(row) = rows.next()? {
        let text = |column| match row.get_ref(column) {
            Ok(ValueRef::Text(bytes)) => Some(String::from_utf8_lossy(bytes).into_owned()),
            _ => None,
        };
        objects.push(Object { kind: text(0), name: text(1), table: text(2), sql: text(3) });
    }
    Ok(objects)
}
