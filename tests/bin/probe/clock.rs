//! A wall clock that is set while the process records.

use std::path::Path;

use audit_layer::Receipt;

/// `seconds` is by how much the clock is off from the middle on.
pub(crate) fn run(directory: &Path, seconds: &str) {
    let offset = std::env::var_os("CLOCK_OFFSET").expect("where the offset of the clock is");
    let guard = crate::install(crate::builder(directory).sqlite(directory.join("audit.db")));
    let record = |part: &str| -> Receipt {
        for number in 0..200 {
            tracing::info!(target: "audit", event_type = "data.read", part, number);
        }
        guard.flush(crate::PATIENCE).unwrap();
        guard.commit(crate::PATIENCE).unwrap()
    };
    println!("{}", record("before").line().unwrap());
    std::fs::write(offset, seconds.parse::<i64>().unwrap().to_ne_bytes()).unwrap();
    println!("{}", record("after").line().unwrap());
    crate::end(guard);
}
