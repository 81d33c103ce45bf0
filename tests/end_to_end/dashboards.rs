//! Every field that a dashboard or a shipper's configuration names exists in the record.

use std::process::Command;

use audit_layer::record::Member;
use tests::programs::repository;

fn check(members: &[&str]) -> std::process::Output {
    let dir = tempfile::tempdir().unwrap();
    let list = dir.path().join("members");
    std::fs::write(&list, members.join("\n")).unwrap();
    Command::new("python3")
        .arg(repository().join("dashboards/check_fields.py"))
        .arg("--members")
        .arg(&list)
        .output()
        .expect("python3 cannot be started; install it: apt-get install python3")
}

#[test]
fn dashboards_and_shippers_name_only_members_that_exist() {
    let mut members: Vec<&str> = Member::ALL.iter().map(|member| member.name()).collect();
    members.push("hash");
    let output = check(&members);
    assert!(output.status.success(), "{output:?}");

    // Without a member that they use the check must fail, or it checks nothing.
    members.retain(|member| *member != "event_type");
    let output = check(&members);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
}
