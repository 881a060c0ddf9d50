//! What may be hidden from whoever asks: processes of other users (`hidepid`, `proc(5)`).

use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use serde_json::Value;

use crate::target::{Target, build, settled};

/// Root has the write end of a pipe, if `HAS`; another user's process has it too, and waits
/// for its child, which reads from the pipe.
const PIPE: &str = "import os, sys, time
r, w = os.pipe()
os.set_inheritable(r, True), os.set_inheritable(w, True)
if HAS and os.fork() == 0:
    time.sleep(1000)
wait = '''
import os, sys
r, w = int(sys.argv[1]), int(sys.argv[2])
p = os.fork()
if p == 0:
    os.close(w)
    os.write(1, b'%d %d\\\\n' % (os.getppid(), os.getpid()))
    os.read(r, 1)
os.waitpid(p, 0)
'''
user = ['--reuid', '65534', '--regid', '65534', '--clear-groups']
os.execvp('setpriv', ['setpriv', *user, 'python3', '-c', wait, str(r), str(w)])";

/// What the other user is told of the second process that a command declares, or of the
/// first, run with `/proc` mounted so, once that sleeps at this place.
fn told(option: &str, command: &[&str], (nth, place): (usize, &str)) -> Value {
    let mount = format!("mount -t proc -o {option} proc /proc && exec \"$@\"");
    let mut target = Target::start(Command::new("unshare").args(["--mount", "sh", "-c", &mount, "sh"]).args(command));
    let line = target.line();
    let pids: Vec<i32> = line.split_ascii_whitespace().take(2).map(|pid| pid.parse().unwrap()).collect();
    for pid in &pids {
        settled(*pid, *pid, if *pid == pids[nth] { place } else { "" });
    }
    // The way to the program may be closed to the other user.
    let folder = tempfile::tempdir_in("/tmp").unwrap();
    let program = folder.path().join("syncscope");
    std::fs::copy(env!("CARGO_BIN_EXE_syncscope"), &program).unwrap();
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    let mut command = Command::new("nsenter");
    command.args(["--mount", "--target", &pids[nth].to_string()]);
    command.args(["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups"]);
    let output = command.arg(&program).args(["why", "--json", &pids[nth].to_string()]).output().unwrap();
    let answer: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"));
    assert!(answer["deadlocks"].as_array().unwrap().is_empty(), "{option}: {answer:#}");
    answer["threads"].as_array().unwrap().iter().find(|thread| thread["tid"] == pids[nth]).unwrap().clone()
}

fn is_root() -> bool {
    let root = nix::unistd::geteuid().is_root();
    if !root {
        eprintln!("skipped: only root may mount /proc with hidepid");
    }
    root
}

#[test]
fn where_others_are_hidden_one_of_them_may_have_the_other_end() {
    if !is_root() {
        return;
    }
    for option in ["hidepid=1", "hidepid=2"] {
        for has in ["True", "False"] {
            let own = told(option, &["python3", "-c", &PIPE.replace("HAS", has)], (1, "pipe"));
            assert_eq!((&own["verdict"], own["wait"]["certainty"] == "certain"), (&"unknown".into(), false), "{own:#}");
            assert!(own["wait"]["evidence"].to_string().contains("may not be read"), "{own:#}");
        }
    }
}

#[test]
fn a_lock_of_somebody_hidden_is_not_orphaned() {
    if !is_root() {
        return;
    }
    let program = build("shared_mutex.c", &["-pthread"]);
    for option in ["hidepid=1", "hidepid=2"] {
        let own = told(option, &[program.to_str().unwrap(), "other"], (0, "futex"));
        assert_eq!((&own["wait"]["kind"], &own["verdict"]), (&"pthread_mutex".into(), &"unknown".into()), "{own:#}");
        assert!(own["wait"]["evidence"].to_string().contains("is hidden (hidepid)"), "{own:#}");
    }
}
