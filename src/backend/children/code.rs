//! What one would write with std's `Command` to start a child the same way.

use std::ffi::OsStr;
use std::fmt::Write;

use super::request::credentials;
use crate::model::launch::{Attributes, ChildSpec, Fate, Grouping, Redirect, ResourceLimit};

/// The code, ready to be copied; what std has no method for is in a `pre_exec`
/// with the crate libc, and says what that costs.
pub fn rust(spec: &ChildSpec) -> String {
    let mut out = String::new();
    // Writing to a String cannot fail.
    let mut line = |text: &str| {
        let _ = writeln!(out, "{text}");
    };
    let attributes = &spec.attributes;
    let (mut steps, mut identity) = (before_exec(spec), identity(attributes));
    // Who has become somebody may not ask for more: std does that first.
    if !identity.is_empty() && (!attributes.limits.is_empty() || attributes.nice.is_some()) {
        steps.append(&mut become_last(attributes));
        identity.clear();
    }
    if attributes.grouping == Grouping::Group || !identity.is_empty() || !steps.is_empty() {
        line("use std::os::unix::process::CommandExt; // Unix only");
    }
    let named = |stream: &Redirect| matches!(stream, Redirect::Inherit | Redirect::Null | Redirect::Pipe);
    let stdio = spec.streams.iter().any(named);
    line(if stdio { "use std::process::{Command, Stdio};" } else { "use std::process::Command;" });
    line("");
    if spec.streams.contains(&Redirect::Pty) {
        line("// Crate nix: std has no terminals. Ours is .master:");
        line("// read it meanwhile, or who writes much waits for ever.");
        line("let terminal = nix::pty::openpty(None, None)?;");
    }
    line(&format!("let mut command = Command::new({});", quoted(&spec.program)));
    if !spec.args.is_empty() {
        let args: Vec<String> = spec.args.iter().map(|arg| quoted(arg)).collect();
        line(&format!("command.args([{}]);", args.join(", ")));
    }
    if spec.env.clear {
        line("command.env_clear();");
    }
    for name in &spec.env.remove {
        line(&format!("command.env_remove({});", quoted(name)));
    }
    for (name, value) in &spec.env.set {
        line(&format!("command.env({}, {});", quoted(name), quoted(value)));
    }
    if let Some(cwd) = &spec.cwd {
        line(&format!("command.current_dir({});", quoted(cwd.as_os_str())));
    }
    for (name, redirect) in ["stdin", "stdout", "stderr"].into_iter().zip(&spec.streams) {
        line(&stream(name, redirect));
    }
    if attributes.grouping == Grouping::Group {
        line("command.process_group(0);");
    }
    for text in &identity {
        line(text);
    }
    if !steps.is_empty() {
        line("// Costs: std forks here instead of posix_spawn,");
        line("// dearer the more memory this program has.");
        line("// SAFETY: async-signal-safe calls only.");
        line("unsafe {");
        line("    command.pre_exec(|| {");
        line("        let check = |result: i32| match result {");
        line("            0.. => Ok(()),");
        line("            _ => Err(std::io::Error::last_os_error()),");
        line("        };");
        for step in &steps {
            line(&format!("        {step}"));
        }
        line("        Ok(())");
        line("    });");
        line("}");
    }
    if spec.fate == Fate::End {
        line("// std ends no child for you, however you end:");
        line("// call kill() and wait() on every way out.");
    }
    line("let mut child = command.spawn()?;");
    if spec.streams.contains(&Redirect::Pty) {
        line("// Our copies of its end, or .master never ends:");
        line("drop((command, terminal.slave));");
    }
    if spec.streams[0] == Redirect::Pipe {
        line("// Closed, for the child to see the end of its input:");
        line("drop(child.stdin.take());");
    }
    let reads = spec.streams[1..].contains(&Redirect::Pipe);
    line(if reads { "let output = child.wait_with_output()?;" } else { "let status = child.wait()?;" });
    out
}

fn stream(name: &str, redirect: &Redirect) -> String {
    let path = |path: &std::path::Path| quoted(path.as_os_str());
    match redirect {
        Redirect::Inherit => format!("command.{name}(Stdio::inherit());"),
        Redirect::Null => format!("command.{name}(Stdio::null());"),
        Redirect::Pipe => format!("command.{name}(Stdio::piped());"),
        Redirect::File { path: file, .. } if name == "stdin" => {
            format!("command.stdin(std::fs::File::open({})?);", path(file))
        }
        Redirect::File { path: file, append: false } => {
            format!("command.{name}(std::fs::File::create({})?);", path(file))
        }
        Redirect::File { path: file, append: true } => {
            format!("command.{name}(std::fs::OpenOptions::new().create(true).append(true).open({})?);", path(file))
        }
        Redirect::Pty => format!("command.{name}(terminal.slave.try_clone()?);"),
    }
}

/// What std has no method for, as statements between fork and exec.
fn before_exec(spec: &ChildSpec) -> Vec<String> {
    let attributes = &spec.attributes;
    let mut steps = Vec::new();
    if attributes.grouping == Grouping::Session {
        steps.push("check(libc::setsid())?;".to_owned());
        if spec.streams[0] == Redirect::Pty {
            steps.push("check(libc::ioctl(0, libc::TIOCSCTTY, 0))?;".to_owned());
        }
    }
    steps.extend(attributes.limits.iter().map(limit));
    steps.extend(attributes.nice.map(|nice| format!("check(libc::setpriority(libc::PRIO_PROCESS, 0, {nice}))?;")));
    if !attributes.cpus.is_empty() {
        steps.push("// Linux only; macOS has no such call:".to_owned());
        steps.push("let mut cpus: libc::cpu_set_t = std::mem::zeroed();".to_owned());
        steps.extend(attributes.cpus.iter().map(|cpu| format!("libc::CPU_SET({cpu}, &mut cpus);")));
        steps.push("check(libc::sched_setaffinity(0, size_of_val(&cpus), &cpus))?;".to_owned());
    }
    steps.extend(attributes.umask.map(|umask| format!("libc::umask(0o{umask:03o});")));
    steps
}

fn limit(limit: &ResourceLimit) -> String {
    let value = |value: Option<u64>| value.map_or("libc::RLIM_INFINITY".to_owned(), |value| value.to_string());
    format!(
        "check(libc::setrlimit(libc::RLIMIT_{}, &libc::rlimit {{ rlim_cur: {}, rlim_max: {} }}))?;",
        limit.name.to_uppercase(),
        value(limit.soft),
        value(limit.hard)
    )
}

/// As whom it runs, by numbers: std takes no names. Who is not there must not
/// become somebody else.
fn identity(attributes: &Attributes) -> Vec<String> {
    let (user, group) = (attributes.user.as_deref(), attributes.group.as_deref());
    if user.is_none() && group.is_none() {
        return Vec::new();
    }
    match credentials(user, group) {
        Ok((_, gid, groups)) if user.is_none() => {
            let mut lines = vec![format!("command.gid({gid});")];
            if groups.is_some() {
                lines.push("// Our other groups stay: std has no stable method for them.".to_owned());
            }
            lines
        }
        Ok((uid, gid, groups)) => {
            let mut lines = vec![format!("command.uid({uid}).gid({gid});")];
            if groups.is_some_and(|groups| groups.iter().any(|other| *other != gid)) {
                lines.push("// Without the user's other groups: std has no stable method for them.".to_owned());
            }
            lines
        }
        Err(fault) => vec![format!("compile_error!({:?});", fault.what)],
    }
}

/// The same by calls, behind all that it might forbid; with the user's other
/// groups, that std has no stable method for.
fn become_last(attributes: &Attributes) -> Vec<String> {
    let (user, group) = (attributes.user.as_deref(), attributes.group.as_deref());
    let (uid, gid, groups) = match credentials(user, group) {
        Ok(known) => known,
        Err(fault) => return vec![format!("compile_error!({:?});", fault.what)],
    };
    let mut steps = Vec::new();
    if let Some(groups) = groups {
        let all: Vec<String> = groups.iter().map(u32::to_string).collect();
        steps.push(format!("check(libc::setgroups({}, [{}].as_ptr()))?;", groups.len(), all.join(", ")));
    }
    steps.push(format!("check(libc::setresgid({gid}, {gid}, {gid}))?;"));
    steps.push(format!("check(libc::setresuid({uid}, {uid}, {uid}))?;"));
    steps
}

/// As a literal of Rust's.
#[expect(clippy::unnecessary_debug_formatting, reason = "the quotes and escapes are what is wanted")]
fn quoted(text: &OsStr) -> String {
    format!("{text:?}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::launch::Environment;

    #[test]
    fn the_simplest_is_what_one_would_write() {
        let attributes = Attributes { grouping: Grouping::Inherit, ..Attributes::default() };
        let spec = ChildSpec {
            program: "ls".into(),
            args: vec!["-l".into(), "a \"b\"".into()],
            attributes,
            fate: Fate::Keep,
            ..ChildSpec::default()
        };
        let expected = "use std::process::{Command, Stdio};\n\n\
            let mut command = Command::new(\"ls\");\n\
            command.args([\"-l\", \"a \\\"b\\\"\"]);\n\
            command.stdin(Stdio::piped());\n\
            command.stdout(Stdio::piped());\n\
            command.stderr(Stdio::piped());\n\
            let mut child = command.spawn()?;\n\
            // Closed, for the child to see the end of its input:\n\
            drop(child.stdin.take());\n\
            let output = child.wait_with_output()?;\n";
        assert_eq!(rust(&spec), expected);
    }

    /// A name that is put off for later would be root's number until then.
    #[test]
    fn names_become_the_numbers_that_we_use_ourselves() {
        let of = |user: Option<&str>, group: Option<&str>| {
            let (user, group) = (user.map(str::to_owned), group.map(str::to_owned));
            let attributes = Attributes { user, group, ..Attributes::default() };
            rust(&ChildSpec { program: "id".into(), attributes, ..ChildSpec::default() })
        };
        assert!(of(Some("root"), None).contains("command.uid(0).gid(0);"));
        assert!(of(Some("12345"), Some("root")).contains("command.uid(12345).gid(0);"));
        let group = of(None, Some("12345"));
        assert!(group.contains("command.gid(12345);") && !group.contains("uid("), "{group}");
        let nobody = of(Some("no such user"), None);
        assert!(nobody.contains("compile_error!(") && !nobody.contains("uid("), "{nobody}");
    }

    /// The compiler judges what is generated: everything that std can do. What
    /// needs the crate libc is declared beside it, by name and types.
    #[test]
    fn all_of_it_compiles() {
        let file = |append| Redirect::File { path: "/tmp/x".into(), append };
        let spec = ChildSpec {
            program: "sh".into(),
            args: vec!["-c".into(), "exit 1".into()],
            env: Environment { clear: true, remove: vec!["A".into()], set: vec![("B".into(), "1".into())] },
            cwd: Some("/".into()),
            streams: [file(false), file(false), file(true)],
            attributes: Attributes {
                grouping: Grouping::Session,
                user: Some("65534".into()),
                nice: Some(-3),
                cpus: vec![0, 2],
                limits: vec![ResourceLimit { name: "nofile".into(), soft: Some(5), hard: None }],
                umask: Some(0o22),
                ..Attributes::default()
            },
            ..ChildSpec::default()
        };
        let libc = "mod libc { #![allow(non_camel_case_types, non_snake_case, missing_docs)] use std::ffi::*;
            pub const PRIO_PROCESS: c_uint = 0; pub const RLIMIT_NOFILE: c_uint = 7;
            pub const RLIM_INFINITY: u64 = !0; pub struct rlimit { pub rlim_cur: u64, pub rlim_max: u64 }
            pub struct cpu_set_t { _bits: [u64; 16] }
            pub unsafe fn setsid() -> c_int { 0 } pub unsafe fn umask(_: c_uint) -> c_uint { 0 }
            pub unsafe fn setpriority(_: c_uint, _: c_uint, _: c_int) -> c_int { 0 }
            pub unsafe fn setrlimit(_: c_uint, _: *const rlimit) -> c_int { 0 }
            pub fn CPU_SET(_: usize, _: &mut cpu_set_t) {}
            pub unsafe fn setgroups(_: usize, _: *const u32) -> c_int { 0 }
            pub unsafe fn setresgid(_: u32, _: u32, _: u32) -> c_int { 0 }
            pub unsafe fn setresuid(_: u32, _: u32, _: u32) -> c_int { 0 }
            pub const TIOCSCTTY: c_ulong = 0; pub unsafe fn ioctl(_: c_int, _: c_ulong, _: c_int) -> c_int { 0 }
            pub unsafe fn sched_setaffinity(_: c_int, _: usize, _: *const cpu_set_t) -> c_int { 0 } }
            mod nix { pub mod pty { use std::os::fd::OwnedFd; pub struct OpenptyResult { pub slave: OwnedFd }
            pub fn openpty(_: Option<&()>, _: Option<&()>) -> std::io::Result<OpenptyResult> { loop {} } } }";
        // The same as whom we are, in a terminal.
        let attributes = Attributes { user: None, nice: None, limits: Vec::new(), ..spec.attributes.clone() };
        let terminal =
            ChildSpec { streams: [Redirect::Pty, Redirect::Pty, Redirect::Null], attributes, ..spec.clone() };
        let attributes = Attributes { user: Some("65534".into()), ..Attributes::default() };
        let somebody = ChildSpec { attributes, ..spec.clone() };
        let body = |name: &str, spec: &ChildSpec| {
            let code = rust(spec);
            let (uses, body) = code.split_once("\n\n").unwrap();
            format!("pub fn {name}() -> std::io::Result<()> {{\n{uses}\n{body}\nlet _ = status; Ok(()) }}\n")
        };
        let all = [("main", &spec), ("terminal", &terminal), ("somebody", &somebody)];
        let bodies: String = all.into_iter().map(|(name, spec)| body(name, spec)).collect();
        assert!(bodies.contains("check(libc::setresuid(65534") && bodies.contains("command.uid(65534)"));
        let program = format!("{libc}\n{bodies}");
        let directory = tempfile::tempdir().unwrap();
        let source = directory.path().join("main.rs");
        std::fs::write(&source, &program).unwrap();
        let compiler = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
        let output = std::process::Command::new(compiler)
            .args(["--edition=2024", "--emit=metadata", "-Adead_code", "-Aunused", "-Dunused-imports", "-o"])
            .arg(directory.path().join("out"))
            .arg(&source)
            .output()
            .unwrap();
        assert!(output.status.success(), "{program}\n{}", String::from_utf8_lossy(&output.stderr));
    }
}
