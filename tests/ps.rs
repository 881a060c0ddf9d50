//! `syncscope ps`, the real binary.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[expect(dead_code, reason = "only the tree is needed here")]
mod proc_tree;

use std::io::{BufRead, BufReader};
use std::process::{Command, Output, Stdio};

use proc_tree::{Fake, ProcTree};
use serde_json::Value;

fn ps(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_syncscope")).arg("ps").args(arguments).output().unwrap()
}

fn objects(output: &Output) -> Vec<Value> {
    assert!(output.status.success(), "{output:?}");
    str::from_utf8(&output.stdout).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn tree() -> ProcTree {
    let tree = ProcTree::new();
    tree.put(&Fake::new(6, "six"));
    let nasty = b"a, \"b\"\n\x1b[2J".to_vec();
    tree.put(&Fake { cmdline: [&nasty[..], b"\0two\0"].concat(), threads: 2, ..Fake::new(7, "seven") });
    for tid in [7, 9] {
        let directory = format!("7/task/{tid}");
        std::fs::create_dir_all(tree.path().join(&directory)).unwrap();
        std::fs::write(tree.path().join(directory).join("stat"), Fake::new(tid, "worker").stat()).unwrap();
    }
    tree
}

#[test]
fn json_has_the_fields_of_the_contract() {
    let (me, mut child) = (std::process::id(), Command::new("sleep").arg("60").spawn().unwrap());
    let output = ps(&["--json"]);
    child.kill().unwrap();
    child.wait().unwrap();
    let all = objects(&output);
    let of = |pid: u32| all.iter().find(|object| object["pid"] == pid).unwrap();
    let sleep = of(child.id());
    let mut fields: Vec<&str> = sleep.as_object().unwrap().keys().map(String::as_str).collect();
    fields.sort_unstable();
    assert_eq!(fields.join(" "), "cmdline cpu name pid ppid rss schema started_ns state threads tid user wait");
    assert_eq!((&sleep["schema"], &sleep["tid"]), (&Value::from("syncscope.ps/1"), &Value::Null));
    assert_eq!((&sleep["name"], &sleep["state"]), (&Value::from("sleep"), &Value::from("S")));
    assert_eq!((&sleep["ppid"], &sleep["cmdline"][1]), (&Value::from(me), &Value::from("60")));
    assert!(sleep["cpu"].is_number() && sleep["rss"].as_u64().unwrap() > 0, "{sleep}");
    assert!(sleep["started_ns"].as_u64() >= of(me)["started_ns"].as_u64());
    assert!(all.iter().all(|object| object["tid"].is_null()));
    // Nobody has waited for longer than it lives.
    let up = syncscope::sys::clock::boottime().0;
    for object in &all {
        let age = up - object["started_ns"].as_u64().unwrap();
        assert!(object["wait"]["since_ns"].as_u64().is_none_or(|since| since <= age + 1_000_000_000), "{object}");
    }
}

#[test]
fn threads_have_objects_of_their_own() {
    let tree = tree();
    let all = objects(&ps(&["--json", "--threads", "--proc", tree.path().to_str().unwrap()]));
    let ids: Vec<(i64, i64)> =
        all.iter().map(|object| (object["pid"].as_i64().unwrap(), object["tid"].as_i64().unwrap())).collect();
    assert_eq!(ids, [(6, 6), (7, 7), (7, 9)]);
    assert_eq!((&all[2]["name"], &all[2]["threads"]), (&Value::from("worker"), &Value::from(2)));
}

#[test]
fn every_thread_of_a_sleeping_process_has_figures() {
    let directory = tempfile::tempdir().unwrap();
    let program = directory.path().join("crowd");
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/crowd/crowd.c");
    assert!(Command::new("cc").args(["-pthread", "-o"]).arg(&program).arg(source).status().unwrap().success());
    let mut crowd =
        Command::new(program).args(["0", "3"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(crowd.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let all = objects(&ps(&["--json", "--threads"]));
    drop(crowd.stdin.take());
    crowd.wait().unwrap();
    let threads: Vec<&Value> = all.iter().filter(|object| object["pid"] == crowd.id()).collect();
    assert_eq!(threads.len(), 4);
    for thread in threads {
        assert!(thread["cpu"].is_number() && thread["state"] == "S", "{thread}");
        assert!(thread["wait"]["since_ns"].is_u64(), "{thread}");
    }
}

#[test]
fn csv_and_text_keep_hostile_arguments_in_their_place() {
    let tree = tree();
    let path = tree.path().to_str().unwrap();
    let csv = String::from_utf8(ps(&["--csv", "--proc", path]).stdout).unwrap();
    let lines: Vec<&str> = csv.split("\r\n").collect();
    assert!(lines[0].starts_with("pid,tid,ppid,user,state,name,command,cpu,"), "{}", lines[0]);
    assert_eq!(lines.len(), 4, "a heading, two processes, and the end: {csv:?}");
    assert!(lines[2].contains(r#","a, ""b""\n\x1b[2J two","#), "{}", lines[2]);
    let text = String::from_utf8(ps(&["--proc", path]).stdout).unwrap();
    assert_eq!(text.lines().count(), 3, "{text}");
    assert!(!text.contains('\x1b') && text.contains(r#"a, "b"\n\x1b[2J two"#), "{text}");
}

#[test]
fn what_cannot_be_read_is_said_in_a_sentence() {
    let empty = ProcTree::new();
    let cases = [
        ("/nonexistent", "/nonexistent: cannot open the proc file system: there is no such file (ENOENT)"),
        (empty.path().to_str().unwrap(), "no process can be seen there"),
    ];
    for (path, sentence) in cases {
        let output = ps(&["--proc", path]);
        let error = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{error}");
        assert!(error.contains(sentence) && output.stdout.is_empty(), "{error}");
    }
    assert_eq!(ps(&["--json", "--csv"]).status.code(), Some(2));
}

#[test]
fn a_reader_that_has_seen_enough_is_no_error() {
    // More than a pipe holds.
    let tree = ProcTree::new();
    for pid in 1..=400 {
        tree.put(&Fake { cmdline: vec![b'x'; 1_000], ..Fake::new(pid, "long") });
    }
    let mut child = Command::new(env!("CARGO_BIN_EXE_syncscope"))
        .args(["ps", "--json", "--proc"])
        .arg(tree.path())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
}
