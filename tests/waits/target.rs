//! Builds, starts and reads a program under test.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use syncscope::backend::observe::wait::{World, read_task};
use syncscope::model::wait::{Wait, WaitKind};
use syncscope::sys::procroot::ProcRoot;

/// A running program; killed and reaped at the end of a test.
pub(crate) struct Target {
    child: Child,
    lines: BufReader<std::process::ChildStdout>,
}

impl Drop for Target {
    fn drop(&mut self) {
        // The whole group: a program under test may have made children.
        let group = nix::unistd::Pid::from_raw(self.child.id() as i32);
        let _ = nix::sys::signal::killpg(group, nix::sys::signal::Signal::SIGKILL);
        let _ = self.child.wait();
    }
}

impl Target {
    /// Starts a command in a process group of its own.
    pub(crate) fn start(command: &mut Command) -> Self {
        use std::os::unix::process::CommandExt;
        command.process_group(0);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap());
        Target { child, lines }
    }

    /// Compiles and starts a program of `tests/programs`, with these options of
    /// the compiler and arguments of its own.
    pub(crate) fn program(name: &str, options: &[&str], args: &[&str]) -> Self {
        Self::start(Command::new(build(name, options)).args(args))
    }

    pub(crate) fn pid(&self) -> i32 {
        self.child.id() as i32
    }

    /// The next line the program prints: what it declares about itself.
    pub(crate) fn line(&mut self) -> String {
        let mut line = String::new();
        self.lines.read_line(&mut line).unwrap();
        assert!(line.ends_with('\n'), "the program ended early");
        line.trim_end().to_owned()
    }

    /// The next line, as numbers.
    pub(crate) fn numbers<const N: usize>(&mut self) -> [u64; N] {
        let line = self.line();
        let parse = |field: &str| match field.strip_prefix("0x") {
            Some(hex) => u64::from_str_radix(hex, 16).unwrap(),
            None => field.parse().unwrap(),
        };
        let all: Vec<u64> = line.split_ascii_whitespace().map(parse).collect();
        all.try_into().unwrap_or_else(|_| panic!("{N} numbers in {line:?}"))
    }

    /// Waits until the thread sleeps in a wait that satisfies `test`.
    pub(crate) fn wait_until(&self, tid: i32, test: impl Fn(&Wait) -> bool) -> Wait {
        wait_until(self.pid(), tid, test)
    }

    /// Waits until the thread's wait is of this kind, and has been so twice.
    pub(crate) fn wait_of(&self, tid: i32, kind: WaitKind) -> Wait {
        self.wait_until(tid, |wait| wait.kind == kind)
    }
}

/// Waits until thread `tid` of `pid` waits in a way that satisfies `test`.
pub(crate) fn wait_until(pid: i32, tid: i32, test: impl Fn(&Wait) -> bool) -> Wait {
    let deadline = Instant::now() + Duration::from_secs(20);
    let mut last = None;
    while Instant::now() < deadline {
        let wait = read(pid, tid);
        if let Some(wait) = wait.as_ref().filter(|wait| test(wait)) {
            return wait.clone();
        }
        last = wait;
        std::thread::sleep(Duration::from_millis(5));
    }
    panic!("thread {tid} of {pid}: {last:#?}");
}

/// Waits until the thread sleeps in a system call of this name for good: the
/// same call at two readings with a pause between, whatever it is decoded as.
pub(crate) fn settled(pid: i32, tid: i32, place: &str) -> Wait {
    let deadline = Instant::now() + Duration::from_secs(20);
    let task = format!("/proc/{pid}/task/{tid}");
    let read_call = || {
        let wchan = std::fs::read_to_string(format!("{task}/wchan")).unwrap_or_default();
        (wchan.contains(place), std::fs::read_to_string(format!("{task}/syscall")).unwrap_or_default())
    };
    while Instant::now() < deadline {
        let before = read_call();
        std::thread::sleep(Duration::from_millis(20));
        if before.0 && before.1 != "running\n" && before == read_call() {
            return read(pid, tid).unwrap();
        }
    }
    panic!("thread {tid} of {pid} never settled in {place}: {:?}", read_call());
}

/// One precise reading.
pub(crate) fn read(pid: i32, tid: i32) -> Option<Wait> {
    let root = Arc::new(ProcRoot::open(Path::new("/proc")).unwrap());
    let mut world = World::new(root);
    world.precise(true);
    world.thorough(true);
    read_task(pid, tid, &mut world).ok().flatten()
}

/// Each program is made once; different ones are made at the same time.
static MADE: Mutex<BTreeMap<PathBuf, Arc<Mutex<()>>>> = Mutex::new(BTreeMap::new());

/// Compiles a program of `tests/programs`, C, C++ or Rust by its extension,
/// into the build directory; what is there already for the same source and
/// options is used again.
pub(crate) fn build(name: &str, options: &[&str]) -> PathBuf {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/programs").join(name);
    let mut key = DefaultHasher::new();
    (name, options, std::fs::read(&source).unwrap()).hash(&mut key);
    let binary = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-{:016x}", key.finish()));
    let own = MADE.lock().unwrap_or_else(PoisonError::into_inner).entry(binary.clone()).or_default().clone();
    let _guard = own.lock().unwrap_or_else(PoisonError::into_inner);
    if !binary.exists() {
        // In a folder of its own: compilers name what they make on the way after
        // what they shall make.
        let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let new = folder.path().join("program");
        compile(&source, options, &new);
        std::fs::rename(&new, &binary).unwrap();
    }
    binary
}

fn compile(source: &Path, options: &[&str], binary: &Path) {
    let is_musls = source.file_name().unwrap().to_str().unwrap().starts_with("musl");
    let mut command = match source.extension().unwrap().to_str().unwrap() {
        "c" if is_musls => Command::new("musl-gcc"),
        "c" => Command::new(std::env::var_os("CC").unwrap_or("cc".into())),
        "cpp" => cxx(),
        _ => {
            let mut rustc = Command::new(std::env::var_os("RUSTC").unwrap_or("rustc".into()));
            rustc.args(["--edition=2024", "--crate-name=program"]);
            rustc
        }
    };
    let output = command.args(options).arg("-o").arg(binary).arg(source).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

fn cxx() -> Command {
    Command::new(std::env::var_os("CXX").unwrap_or("c++".into()))
}

/// Whether there is a compiler of C++.
pub(crate) fn has_cxx() -> bool {
    let here = cxx().arg("--version").output().is_ok();
    if !here {
        eprintln!("skipped: there is no compiler of C++ (package g++)");
    }
    here
}

/// Whether everybody's descriptors can be read. Otherwise whoever cannot be looked at may
/// have the other end of anything, and little is called dead.
pub(crate) fn sees_all() -> bool {
    let root = nix::unistd::geteuid().is_root();
    if !root {
        eprintln!("not tested, for want of root: that it is told as dead");
    }
    root
}
