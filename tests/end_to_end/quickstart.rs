//! The README's program and its shell lines, as they stand there.

use std::process::Command;

use tests::{
    programs::{example, repository},
    redis_server::RedisServer,
    trail_files::{database_lines, lines},
};

/// The four lines of shell with which the README checks a hash.
fn shell_lines_of_the_readme() -> String {
    let readme = std::fs::read_to_string(repository().join("README.md")).unwrap();
    let block = readme.split("```sh\n").find(|block| block.starts_with("line=$(tail")).unwrap();
    let block = block.split("```").next().unwrap().to_owned();
    assert_eq!(block.lines().count(), 4);
    block
}

fn shell_says(dir: &std::path::Path) -> String {
    let output =
        Command::new("sh").arg("-c").arg(shell_lines_of_the_readme()).current_dir(dir).output();
    String::from_utf8(output.unwrap().stdout).unwrap()
}

#[test]
fn one_event_is_the_same_line_everywhere_and_a_shell_confirms_its_hash() {
    let redis = RedisServer::start();
    let dir = tempfile::tempdir().unwrap();
    let status = example("quickstart")
        .current_dir(dir.path())
        .env_clear()
        .env("REDIS_URL", redis.url())
        .status()
        .unwrap();
    assert!(status.success());

    let log = dir.path().join("logs/audit.log");
    let file = lines(&log);
    let login = file.iter().find(|line| line.contains("auth.login")).unwrap();
    assert_eq!(database_lines(dir.path().join("audit.db")), file);
    assert_eq!(redis.list("auth"), std::slice::from_ref(login));

    // The lines of shell look at the last record: let that be the event.
    std::fs::write(&log, format!("{login}\n")).unwrap();
    assert_eq!(shell_says(dir.path()), "intact\n");
    std::fs::write(&log, format!("{}\n", login.replace("u-1", "u-2"))).unwrap();
    assert_eq!(shell_says(dir.path()), "");
}

#[test]
fn the_program_in_the_readme_is_the_example() {
    let readme = std::fs::read_to_string(repository().join("README.md")).unwrap();
    let example = std::fs::read_to_string(repository().join("examples/quickstart.rs")).unwrap();
    let program: Vec<&str> = example.lines().filter(|line| !line.starts_with("//!")).collect();
    assert!(program.len() <= 12, "it is called ten lines");
    for line in program {
        assert!(readme.contains(line), "the README lacks {line:?}");
    }
}
