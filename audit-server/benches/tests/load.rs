//! What is written to a trail, beside what was generated.

use query_bench::{
    generator::{Generator, Seed, Shape},
    load::{Chains, load},
};

#[test]
fn the_trail_holds_the_lines_of_the_seed_in_the_order_of_arrival() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("trail.db");
    let expected = load(&path, Seed(4), Shape::of(5_000), |_| {}).unwrap();
    let db = rusqlite::Connection::open(&path).unwrap();
    let mut query = db.prepare("SELECT record FROM audit_logs ORDER BY arrival").unwrap();
    let stored = query.query_map([], |row| row.get::<_, String>(0)).unwrap();
    let mut chains = Chains::default();
    let lines = Generator::new(Seed(4), Shape::of(5_000)).map(|event| chains.seal(&event).text);
    assert!(stored.map(|line| line.unwrap().into_boxed_str()).eq(lines));
    let of = |sql: &str| db.query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap();
    assert_eq!(of("SELECT sum(seq) FROM audit_cursors"), 5_000);
    let denied: u64 = expected.denied_by_user.values().sum();
    let sql = "SELECT count(*) FROM security_events WHERE event_type = 'auth.permission_denied'";
    assert_eq!(of(sql), i64::try_from(denied).unwrap());
    let executed: u64 = expected.trades.values().map(|traded| traded.count).sum();
    let sql = "SELECT count(*) FROM financial_audit_logs WHERE event_type = 'trade.executed'";
    assert_eq!(of(sql), i64::try_from(executed).unwrap());
}

#[test]
fn a_trail_that_is_there_is_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("trail.db");
    std::fs::write(&path, "mine").unwrap();
    assert!(load(&path, Seed(4), Shape::of(10), |_| {}).is_err());
    assert_eq!(std::fs::read(&path).unwrap(), b"mine");
}
