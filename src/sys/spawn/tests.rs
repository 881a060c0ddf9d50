use std::io::{Read, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::PermissionsExt;

use super::*;
use crate::model::life::Exit;
use crate::sys::clock;
use crate::sys::packet::PacketSocket;
use crate::sys::reap;

fn words(all: &[&str]) -> Vec<OsString> {
    all.iter().map(OsString::from).collect()
}

/// Starts a shell on `script`, and returns what it wrote and how it ended.
fn shell(script: &str, base: &Spawn<'_>) -> (String, Exit) {
    let (mut reader, writer) = std::io::pipe().unwrap();
    let args = words(&["-c", script]);
    let stdio = [Stdio::Null, Stdio::Fd(writer.as_fd()), Stdio::Null];
    let spawned = spawn(&Spawn { program: b"sh", args: &args, stdio, ..*base }).unwrap();
    drop(writer);
    let mut out = String::new();
    reader.read_to_string(&mut out).unwrap();
    (out, reap::wait(&spawned.pidfd).unwrap().0)
}

#[test]
fn a_program_runs_and_its_code_comes_back() {
    let (out, exit) = shell("echo hello; exit 7", &Spawn::default());
    assert_eq!(out, "hello\n");
    assert_eq!(exit, Exit { code: Some(7), signal: None, core: false });
}

#[test]
fn environment_directory_session_and_limit_are_as_asked() {
    let env = [("SPAWN_TEST".into(), "a=b".into()), ("HOME".into(), "/nowhere".into())];
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().canonicalize().unwrap();
    let before = limits::original_nofile().current.map_or_else(|| "unlimited".to_owned(), |soft| soft.to_string());
    limits::raise_nofile();
    let script = "echo $SPAWN_TEST $HOME; pwd; ulimit -Sn; cut -d' ' -f1,5,6 /proc/$$/stat";
    let base = Spawn { env: &env, cwd: Some(&path), group: Group::Session, ..Spawn::default() };
    let (out, _) = shell(script, &base);
    let lines: Vec<&str> = out.lines().collect();
    assert_eq!(lines[0], "a=b /nowhere");
    assert_eq!(lines[1], path.to_str().unwrap());
    assert_eq!(lines[2], before);
    let ids: Vec<&str> = lines[3].split(' ').collect();
    assert!(ids[0] == ids[1] && ids[1] == ids[2], "leads its group and session: {ids:?}");
}

#[test]
fn signals_are_as_a_shell_would_give_them() {
    let base = Spawn { ignore: &[libc::SIGINT], ..Spawn::default() };
    let (out, _) = shell("grep -E '^Sig(Blk|Ign)' /proc/self/status", &base);
    let mask = |name: &str| {
        let line = out.lines().find(|line| line.starts_with(name)).unwrap();
        u64::from_str_radix(line.split_whitespace().nth(1).unwrap(), 16).unwrap()
    };
    assert_eq!(mask("SigBlk"), 0);
    assert_eq!(mask("SigIgn") & 1 << (libc::SIGINT - 1), 1 << (libc::SIGINT - 1));
    assert_eq!(mask("SigIgn") & 1 << (libc::SIGPIPE - 1), 0, "Rust's runtime ignores it, the child must not");
}

#[test]
fn streams_may_cross() {
    // Error to where output goes and the other way round, through 1 and 2.
    let (mut reader, writer) = std::io::pipe().unwrap();
    let (mut other_reader, other_writer) = std::io::pipe().unwrap();
    let args = words(&["-c", "echo out; echo err >&2"]);
    let stdio = [Stdio::Null, Stdio::Fd(writer.as_fd()), Stdio::Fd(other_writer.as_fd())];
    let spawned = spawn(&Spawn { program: b"sh", args: &args, stdio, ..Spawn::default() }).unwrap();
    reap::wait(&spawned.pidfd).unwrap();
    drop((writer, other_writer));
    let (mut out, mut err) = (String::new(), String::new());
    reader.read_to_string(&mut out).unwrap();
    other_reader.read_to_string(&mut err).unwrap();
    assert_eq!((out.as_str(), err.as_str()), ("out\n", "err\n"));
}

#[test]
fn every_failure_names_its_step() {
    type Case<'a> = (&'a [u8], Option<&'a Path>, Step, Errno, &'a str);
    let directory = tempfile::tempdir().unwrap();
    let file = |name: &str, content: &[u8], mode: u32| {
        let path = directory.path().join(name);
        std::fs::write(&path, content).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        path
    };
    let plain = file("plain", b"echo hi\n", 0o644);
    let binary = file("binary", b"\x7fELX\0\0\0\0", 0o755);
    let orphan = file("orphan", b"#!/no/such/interpreter -x\n", 0o755);
    let nowhere = directory.path().join("nowhere");
    let cases: [Case<'_>; 6] = [
        (b"no-such-program", None, Step::Execute, Errno::NOENT, "no-such-program: not found in PATH (ENOENT)"),
        (nowhere.as_os_str().as_bytes(), None, Step::Execute, Errno::NOENT, "No such file or directory (ENOENT)"),
        (plain.as_os_str().as_bytes(), None, Step::Execute, Errno::ACCESS, "Permission denied (EACCES)"),
        (binary.as_os_str().as_bytes(), None, Step::Execute, Errno::NOEXEC, "Exec format error (ENOEXEC)"),
        (orphan.as_os_str().as_bytes(), None, Step::Execute, Errno::NOENT, "No such file or directory (ENOENT)"),
        (b"true", Some(&nowhere), Step::Directory, Errno::NOENT, "cannot enter "),
    ];
    for (program, cwd, step, errno, sentence) in cases {
        let error = spawn(&Spawn { program, cwd, ..Spawn::default() }).unwrap_err();
        assert_eq!((error.step, error.errno), (step, errno), "{error}");
        assert!(error.to_string().contains(sentence), "{error}");
    }
    let error = spawn(&Spawn { program: orphan.as_os_str().as_bytes(), ..Spawn::default() }).unwrap_err();
    assert!(error.hint().unwrap().contains("/no/such/interpreter"));
    let error = spawn(&Spawn { program: b"true", args: &words(&["a\0b"]), ..Spawn::default() }).unwrap_err();
    assert_eq!(error.step, Step::Nul);
    // No child may be left behind by a failure.
    assert_eq!(unreaped_children(), 0);
}

/// Children of this thread's process that nobody reaped, those of tests that
/// run at the same time apart: a failed child has the name of this thread.
fn unreaped_children() -> usize {
    let me = std::process::id().to_string();
    let zombies = std::fs::read_dir("/proc").unwrap().flatten().filter(|entry| {
        let Ok(stat) = std::fs::read_to_string(entry.path().join("stat")) else { return false };
        let Some((head, tail)) = stat.rsplit_once(')') else { return false };
        let mut fields = tail.split_whitespace();
        fields.next() == Some("Z") && fields.next() == Some(me.as_str()) && head.contains("every_failure")
    });
    zombies.count()
}

#[test]
fn a_script_without_interpreter_line_is_handed_to_the_shell() {
    let directory = tempfile::tempdir().unwrap();
    let script = directory.path().join("script");
    std::fs::write(&script, "exit $(($# + 40))\n").unwrap();
    std::fs::set_permissions(&script, std::fs::Permissions::from_mode(0o755)).unwrap();
    let args = words(&["x", "y"]);
    let spawned = spawn(&Spawn { program: b"./script", args: &args, cwd: Some(directory.path()), ..Spawn::default() });
    let spawned = spawned.unwrap();
    assert_eq!(reap::wait(&spawned.pidfd).unwrap().0.code, Some(42));
    // Two attempts were made, each with the file that it was made with.
    let Trail { calls, candidates } = spawned.trail;
    let tries: Vec<_> = calls.iter().filter(|call| call.name() == "execve").collect();
    let tried: Vec<_> = tries.iter().map(|call| (candidates[call.args[0]].as_path(), call.error())).collect();
    assert_eq!(tried, [(Path::new("./script"), Some(Errno::NOEXEC)), (Path::new("/bin/sh"), None)]);
    assert_eq!(calls.iter().filter(|call| call.name().starts_with("clone")).count(), 2);
}

#[test]
fn the_child_s_path_is_the_one_that_is_searched() {
    let directory = tempfile::tempdir().unwrap();
    let program = directory.path().join("sh");
    std::fs::copy("/bin/true", &program).unwrap();
    let path = format!("/no/such/directory:{}:/bin", directory.path().display());
    let env = [("PATH".into(), path.into())];
    let args = words(&["-c", "exit 3"]);
    // A copy that was just written may still be open for writing in a child
    // that another test is starting; execve says ETXTBSY then.
    let spawned = loop {
        match spawn(&Spawn { program: b"sh", args: &args, env: &env, ..Spawn::default() }) {
            Err(error) if error.errno == Errno::TXTBSY => std::thread::yield_now(),
            other => break other.unwrap(),
        }
    };
    assert_eq!(reap::wait(&spawned.pidfd).unwrap().0.code, Some(0), "true ran, not the shell");
}

#[test]
fn signals_rusage_and_cpu_time_are_reported() {
    let args = words(&["-c", "while :; do :; done"]);
    let spawned = spawn(&Spawn { program: b"sh", args: &args, ..Spawn::default() }).unwrap();
    while clock::cpu_of_process(spawned.pid).unwrap() < crate::model::Nanos::from_millis(20) {
        std::thread::yield_now();
    }
    assert_eq!(reap::try_wait(&spawned.pidfd).unwrap(), None);
    spawned.pidfd.send(libc::SIGSTOP).unwrap();
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(10);
    let next = || loop {
        if let Some(change) = reap::change(&spawned.pidfd).unwrap() {
            break change;
        }
        assert!(std::time::Instant::now() < deadline);
    };
    assert_eq!(next(), reap::Change::Stopped(libc::SIGSTOP));
    spawned.pidfd.send(libc::SIGCONT).unwrap();
    assert_eq!(next(), reap::Change::Continued);
    let before = clock::cpu_of_process(spawned.pid).unwrap();
    let (exit, usage) = reap::kill_and_wait(&spawned.pidfd);
    assert_eq!(exit, Exit { code: None, signal: Some(libc::SIGKILL), core: false });
    assert!(usage.user + usage.system + crate::model::Nanos(2_000) >= before, "{usage:?} after {before}");
    assert_eq!(reap::try_wait(&spawned.pidfd), Err(Errno::CHILD));
}

#[test]
fn the_child_announces_itself_with_its_pidfd() {
    let (ours, theirs) = PacketSocket::pair().unwrap();
    let (reader, mut writer) = std::io::pipe().unwrap();
    let stdio = [Stdio::Fd(reader.as_fd()), Stdio::Null, Stdio::Null];
    let register = Some(Register { socket: theirs.as_fd(), message: b"u" });
    let spawned = spawn(&Spawn { program: b"cat", stdio, register, ..Spawn::default() }).unwrap();
    drop(theirs);
    let mut body = [0; 8];
    let packet = ours.receive(&mut body).unwrap();
    assert_eq!(&body[..packet.length], b"u");
    let mut info = String::new();
    let announced = packet.fd.unwrap();
    let path = format!("/proc/self/fdinfo/{}", announced.as_raw_fd());
    std::fs::File::open(path).unwrap().read_to_string(&mut info).unwrap();
    assert!(info.contains(&format!("Pid:\t{}\n", spawned.pid)), "{info}");
    assert_eq!(ours.receive(&mut body).unwrap().length, 0, "closed in the program");
    writer.write_all(b"x").unwrap();
    drop((reader, writer));
    assert_eq!(reap::wait(&spawned.pidfd).unwrap().0.code, Some(0));
}

#[test]
fn attributes_reach_the_program() {
    let cpu = crate::sys::affinity::allowed().unwrap()[0];
    let limits =
        [(libc::RLIMIT_CORE as c_int, (Some(0), Some(0))), (libc::RLIMIT_NOFILE as c_int, (Some(77), Some(99)))];
    let attributes =
        Attributes { limits: &limits, nice: Some(7), cpus: Some(&[cpu]), umask: Some(0o027), ..Attributes::default() };
    let script = "ulimit -Sn; ulimit -Hn; ulimit -c; umask; cut -d' ' -f19 /proc/self/stat; \
                  grep Cpus_allowed_list /proc/self/status | cut -f2";
    let (out, _) = shell(script, &Spawn { attributes, ..Spawn::default() });
    assert_eq!(out, format!("77\n99\n0\n0027\n7\n{cpu}\n"));
}

#[test]
fn the_environment_can_be_cleared_and_thinned() {
    let env = [("KEPT".into(), "yes".into()), ("PATH".into(), "/bin:/usr/bin".into())];
    let (out, _) = shell(
        "env | grep -v ^PWD | grep -v ^SHLVL | grep -v ^_= | sort",
        &Spawn { env: &env, clear: true, ..Spawn::default() },
    );
    assert_eq!(out, "KEPT=yes\nPATH=/bin:/usr/bin\n");
    let unset = ["CARGO_MANIFEST_DIR".into(), "KEPT".into()];
    // What is set on top wins over what is taken away.
    let (out, _) =
        shell("echo ${CARGO_MANIFEST_DIR-none} $KEPT", &Spawn { env: &env, unset: &unset, ..Spawn::default() });
    assert_eq!(out, "none yes\n");
}

/// Needs root, as becoming somebody does; without it, the refusal is what is
/// looked at.
#[test]
fn somebody_else_runs_it_and_we_stay_dumpable() {
    let user = Some(Credentials { uid: 65_534, gid: 65_534, groups: Some(&[65_534]) });
    let attributes = Attributes { user, ..Attributes::default() };
    let before = rustix::process::dumpable_behavior().unwrap();
    if rustix::process::geteuid().is_root() {
        let (out, _) = shell("id -u; id -g; id -G", &Spawn { attributes, ..Spawn::default() });
        assert_eq!(out, "65534\n65534\n65534\n");
    } else {
        let error = spawn(&Spawn { program: b"true", attributes, ..Spawn::default() }).unwrap_err();
        assert_eq!((error.step, error.errno), (Step::User, Errno::PERM));
        assert!(error.hint().unwrap().contains("CAP_SETUID"));
    }
    assert_eq!(rustix::process::dumpable_behavior().unwrap(), before);
}

#[test]
fn the_calls_are_those_that_were_made() {
    let env = [("PATH".into(), "/no/such/directory:/bin:/usr/bin".into())];
    let attributes = Attributes { umask: Some(0o22), ..Attributes::default() };
    let request = Spawn { program: b"true", env: &env, group: Group::Own, attributes, ..Spawn::default() };
    let spawned = spawn(&request).unwrap();
    reap::wait(&spawned.pidfd).unwrap();
    let names: Vec<&str> = spawned.trail.calls.iter().map(Call::name).collect();
    let expected = ["rt_sigaction", "setpgid", "prlimit64", "umask", "rt_sigprocmask", "execve", "execve"];
    assert_eq!(names[1..], expected);
    let signals = match names[0] {
        // What Rust's runtime ignores on its own account.
        "clone3" => 1..=1,
        // One for each signal, and to set some back.
        clone => {
            assert_eq!(clone, "clone");
            64..=128
        }
    };
    assert!(signals.contains(&spawned.trail.calls[1].times), "{:?}", spawned.trail.calls);
    let (missing, found) = (spawned.trail.calls[6], spawned.trail.calls[7]);
    assert_eq!((missing.error(), missing.args[0]), (Some(Errno::NOENT), 0));
    assert_eq!((found.returned, found.args[0]), (false, 1), "it never came back");
    assert_eq!(spawned.trail.candidates[1], Path::new("/bin/true"));
    let error =
        spawn(&Spawn { attributes: Attributes { nice: Some(19), cpus: Some(&[4_000]), ..attributes }, ..request });
    assert_eq!(error.unwrap_err().step, Step::Affinity);
}

/// This thread, and whom it starts, have no clone3(2) from now on, as under an
/// older kernel or in a sandbox.
fn lose_clone3() {
    let step = |code: u32, jt, jf, k| libc::sock_filter { code: code as u16, jt, jf, k };
    let mut filter = [
        step(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, 0, 0),
        step(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, 0, 1, libc::SYS_clone3 as u32),
        step(libc::BPF_RET | libc::BPF_K, 0, 0, libc::SECCOMP_RET_ERRNO | libc::ENOSYS as u32),
        step(libc::BPF_RET | libc::BPF_K, 0, 0, libc::SECCOMP_RET_ALLOW),
    ];
    let program = libc::sock_fprog { len: filter.len() as u16, filter: filter.as_mut_ptr() };
    // SAFETY: numbers, and a filter that lives until the call returns; both
    // change this thread alone.
    let done = unsafe {
        libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0
            && libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &raw const program) == 0
    };
    assert!(done, "{}", std::io::Error::last_os_error());
}

#[test]
fn signals_are_as_they_should_be_with_clone3_and_without() {
    let look = || {
        let (mut reader, writer) = std::io::pipe().unwrap();
        let args = words(&["/proc/self/status"]);
        let stdio = [Stdio::Null, Stdio::Fd(writer.as_fd()), Stdio::Null];
        let request = Spawn { program: b"cat", args: &args, stdio, ignore: &[libc::SIGUSR2], ..Spawn::default() };
        let spawned = spawn(&request).unwrap();
        drop(writer);
        let mut text = String::new();
        reader.read_to_string(&mut text).unwrap();
        reap::wait(&spawned.pidfd).unwrap();
        // Not how many signals wait for all of the user's processes.
        let is_mask = |line: &&str| line.starts_with("Sig") && !line.starts_with("SigQ");
        let masks: Vec<String> = text.lines().filter(is_mask).map(str::to_owned).collect();
        (masks, spawned.trail.calls)
    };
    let (with, _) = look();
    let (without, calls) = std::thread::spawn(move || {
        lose_clone3();
        look()
    })
    .join()
    .unwrap();
    assert_eq!(calls[0].name(), "clone");
    assert_eq!(with, without);
    let ignored = with.iter().find_map(|line| line.strip_prefix("SigIgn:\t")).unwrap();
    let ignored = u64::from_str_radix(ignored, 16).unwrap();
    assert_eq!((ignored >> (libc::SIGUSR2 - 1) & 1, ignored >> (libc::SIGPIPE - 1) & 1), (1, 0));
}
