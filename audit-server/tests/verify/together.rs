use audit_layer::record::Line;
use audit_server::verify::{Cause, Outcome, Verifier};

use super::fixture::{OTHER, STREAM, chain, chain_from, database, interleave, record, write};

/// A file and a database that hold these lines, verified in both orders.
fn both(in_file: &[Line], in_database: &[Line], check: impl Fn(&Outcome)) {
    let directory = tempfile::tempdir().unwrap();
    let (file, db) = (directory.path().join("audit.log"), directory.path().join("audit.db"));
    write(&file, in_file);
    database(&db, in_database).close().unwrap();
    check(&Verifier::new().verify(&[&file, &db]));
    check(&Verifier::new().verify(&[&db, &file]));
}

/// What is wrong, but for streams that start late.
fn causes(outcome: &Outcome) -> Vec<Cause> {
    let causes = outcome.breaks().map(|found| found.cause.clone());
    causes.filter(|cause| !matches!(cause, Cause::LateStart(_))).collect()
}

fn assert_one_disagreement(outcome: &Outcome) {
    assert!(matches!(causes(outcome)[..], [Cause::Disagrees(_)]), "{outcome:#?}");
}

/// A chain whose record `seq` and all after it were written anew.
fn rewritten(lines: &[Line], seq: usize) -> Vec<Line> {
    let mut lines = lines[..seq - 1].to_vec();
    let forged = record(STREAM, seq as u64, lines[seq - 2].hash, "forged");
    let rest = chain_from(STREAM, seq as u64 + 1, forged.hash, 20 - seq as u64);
    lines.push(forged);
    lines.extend(rest);
    lines
}

#[test]
fn paths_that_reach_equally_or_differently_far_agree() {
    let lines = interleave(&chain(STREAM, 20), &chain(OTHER, 20));
    for (in_file, in_database) in [
        (0..40, 0..40),
        (0..40, 0..30),
        (0..30, 0..40),
        (20..40, 0..36),
        (36..40, 0..30),
        (20..40, 0..20),
    ] {
        both(&lines[in_file], &lines[in_database], |outcome| {
            assert_eq!(causes(outcome), []);
            assert!(outcome.paths.iter().all(|path| path.notices.is_empty()), "{outcome:#?}");
        });
    }
}

#[test]
fn a_rewritten_trail_is_found_by_the_other_path() {
    let lines = chain(STREAM, 20);
    let forged = rewritten(&lines, 8);
    for (in_file, in_database) in [
        (&forged[..], &lines[..]),
        (&forged[..], &lines[..15]),
        (&forged[..15], &lines[..]),
        (&forged[10..], &lines[..]),
        // The one begins where the other ends.
        (&forged[..10], &lines[10..]),
    ] {
        both(in_file, in_database, |outcome| {
            assert_one_disagreement(outcome);
        });
    }
}

#[test]
fn two_files_are_compared_as_well() {
    let directory = tempfile::tempdir().unwrap();
    let (one, other) = (directory.path().join("a.log"), directory.path().join("b.log"));
    let lines = chain(STREAM, 20);
    write(&one, &lines);
    write(&other, &lines[4..9]);
    assert_eq!(causes(&Verifier::new().verify(&[&one, &other])), []);
    write(&other, &rewritten(&lines, 8)[4..9]);
    assert_one_disagreement(&Verifier::new().verify(&[&one, &other]));
}

#[test]
fn all_files_of_a_glob_may_be_given() {
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name);
    let lines = chain(STREAM, 20);
    write(&at("audit.log.2"), &lines[..8]);
    write(&at("audit.log.1"), &lines[8..16]);
    write(&at("audit.log"), &lines[16..]);
    let outcome = Verifier::new().verify(&[at("audit.log"), at("audit.log.1"), at("audit.log.2")]);
    assert!(outcome.is_intact(), "{outcome:#?}");
}

#[test]
fn broken_wins_over_unreadable() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("audit.log");
    let mut lines = chain(STREAM, 5);
    lines.remove(2);
    write(&file, &lines);
    let missing = directory.path().join("missing.log");
    assert_eq!(Verifier::new().verify(&[&missing, &file]).exit_code(), 1);
    assert_eq!(Verifier::new().verify(&[&missing]).exit_code(), 2);
}
