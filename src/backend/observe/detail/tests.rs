//! The detail of processes of our own, and of a tree made of files.

use std::io::Write;
use std::os::fd::AsRawFd;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::*;
use crate::backend::observe::parse::Stat;
use crate::model::Nanos;
use crate::model::detail::{Descriptor, DescriptorKind, OtherEnd};
use crate::model::process::State;

struct Reader {
    root: Arc<ProcRoot>,
    users: Users,
    world: World,
}

impl Reader {
    fn of(path: &Path) -> Self {
        let root = Arc::new(ProcRoot::open(path).unwrap());
        Reader { world: World::new(root.clone()), users: Users::default(), root }
    }

    fn read(&mut self, pid: Pid) -> ProcessDetail {
        self.world.begin_scan();
        self.read_again(pid)
    }

    /// A reading in the same scan: with the same index of open ends.
    fn read_again(&mut self, pid: Pid) -> ProcessDetail {
        read(&self.root, pid, &ProcessTable::default(), &mut self.users, &mut self.world)
    }

    /// Reads until `ready`, for at most ten seconds.
    fn read_until(&mut self, pid: Pid, ready: impl Fn(&ProcessDetail) -> bool) -> ProcessDetail {
        let deadline = Instant::now() + Duration::from_secs(10);
        loop {
            let detail = self.read(pid);
            if ready(&detail) {
                return detail;
            }
            assert!(Instant::now() < deadline, "never came to pass: {detail:#?}");
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

/// A `cat` that waits for what we write, with an environment of its own.
fn cat() -> Child {
    let mut command = Command::new("cat");
    command.stdin(Stdio::piped()).stdout(Stdio::null()).env_clear();
    command.env("PATH", "/usr/bin:/bin").env("ESCAPE", "\x1b[2J").current_dir("/").spawn().unwrap()
}

fn descriptor(detail: &ProcessDetail, fd: i32) -> &Descriptor {
    detail.descriptors.as_ref().unwrap().iter().find(|d| d.fd == fd).unwrap()
}

#[test]
fn a_child_is_read_in_depth() {
    let mut child = cat();
    let pid = child.id() as Pid;
    let mut reader = Reader::of(Path::new("/proc"));
    let is_cat = |detail: &ProcessDetail| {
        detail.process.as_ref().is_some_and(|p| &*p.name == "cat" && p.state == State::Sleeping)
    };
    let detail = reader.read_until(pid, is_cat);
    let process = detail.process.as_ref().unwrap();
    assert_eq!((process.pid, process.ppid, process.threads), (pid, std::process::id() as Pid, 1));
    assert_eq!(process.uid, rustix::process::geteuid().as_raw());
    assert_eq!(process.command(), "cat");
    assert!(process.started > Nanos::ZERO && process.rss.0 > 0 && !process.kernel);

    assert!(detail.exe.as_ref().unwrap().starts_with('/'));
    assert_eq!((&**detail.cwd.as_ref().unwrap(), &**detail.root.as_ref().unwrap()), ("/", "/"));
    assert!(detail.environment.as_ref().unwrap().iter().any(|variable| &**variable == "ESCAPE=\\x1b[2J"));
    assert!(detail.limits.as_ref().unwrap().iter().any(|l| &*l.name == "Max open files" && l.soft.is_some()));
    assert!(detail.cgroup.is_ok() && detail.children.as_ref().unwrap().is_empty());
    let namespaces = detail.namespaces.as_ref().unwrap();
    assert!(namespaces.iter().any(|n| &*n.kind == "net" && n.inode > 0));
    assert!(namespaces.iter().all(|n| n.ours), "a child shares all of ours: {namespaces:?}");

    let memory = detail.memory.as_ref().unwrap();
    assert!(memory.rss.0 > 0 && memory.pss <= memory.rss && memory.private <= memory.rss, "{memory:?}");
    let mappings = detail.mappings.as_ref().unwrap();
    assert!(mappings.iter().any(|m| &*m.name == "[stack]") && mappings.is_sorted_by_key(|m| std::cmp::Reverse(m.rss)));
    let rss: u64 = mappings.iter().map(|m| m.rss.0).sum();
    assert!(rss.abs_diff(memory.rss.0) <= 64 << 10, "mappings {rss}, in all {}", memory.rss.0);

    let threads = detail.threads.as_ref().unwrap();
    assert_eq!((threads.len(), threads[0].tid, &*threads[0].name), (1, pid, "cat"));
    assert!(threads[0].switches.is_some());
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn descriptors_say_what_they_are() {
    let file = tempfile::NamedTempFile::new().unwrap();
    file.as_file().write_all(b"12345").unwrap();
    let fifo = tempfile::tempdir().unwrap();
    nix::unistd::mkfifo(&fifo.path().join("fifo"), nix::sys::stat::Mode::S_IRWXU).unwrap();
    let fifo = std::fs::File::options().read(true).write(true).open(fifo.path().join("fifo")).unwrap();
    let directory = std::fs::File::open("/").unwrap();
    let null = std::fs::File::options().write(true).open("/dev/null").unwrap();
    let pty = nix::pty::openpty(None, None).unwrap();
    let (reader, writer) = std::io::pipe().unwrap();
    let (unix, _other) = std::os::unix::net::UnixStream::pair().unwrap();
    let tcp = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let udp = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let eventfd = rustix::event::eventfd(0, rustix::event::EventfdFlags::empty()).unwrap();
    let epoll = rustix::event::epoll::create(rustix::event::epoll::CreateFlags::CLOEXEC).unwrap();
    let memfd = rustix::fs::memfd_create("ring", rustix::fs::MemfdFlags::CLOEXEC).unwrap();
    let pidfd = crate::sys::pidfd::Pidfd::open(std::process::id() as Pid).unwrap();
    let detail = Reader::of(Path::new("/proc")).read(std::process::id() as Pid);
    let cases: [(i32, DescriptorKind, &str, bool, Option<u64>); 14] = [
        (file.as_raw_fd(), DescriptorKind::File, "rw", true, Some(5)),
        (directory.as_raw_fd(), DescriptorKind::Directory, "r", true, Some(0)),
        (null.as_raw_fd(), DescriptorKind::Device, "w", true, None),
        (pty.slave.as_raw_fd(), DescriptorKind::Terminal, "rw", false, None),
        (fifo.as_raw_fd(), DescriptorKind::Fifo, "rw", true, None),
        (reader.as_raw_fd(), DescriptorKind::Pipe, "r", true, None),
        (writer.as_raw_fd(), DescriptorKind::Pipe, "w", true, None),
        (unix.as_raw_fd(), DescriptorKind::UnixSocket, "rw", true, None),
        (tcp.as_raw_fd(), DescriptorKind::InetSocket, "rw", true, None),
        (udp.as_raw_fd(), DescriptorKind::InetSocket, "rw", true, None),
        (eventfd.as_raw_fd(), DescriptorKind::Eventfd, "rw", false, None),
        (epoll.as_raw_fd(), DescriptorKind::Epoll, "rw", true, None),
        (memfd.as_raw_fd(), DescriptorKind::Memfd, "rw", true, Some(0)),
        (std::os::fd::AsFd::as_fd(&pidfd).as_raw_fd(), DescriptorKind::Pidfd, "rw", true, None),
    ];
    for (fd, kind, access, cloexec, position) in cases {
        let found = descriptor(&detail, fd);
        assert_eq!(
            (found.kind, &*found.access, found.cloexec, found.position),
            (kind, access, cloexec, position),
            "{found:?}"
        );
    }
}

#[test]
fn other_ends_are_named() {
    let mut child = cat();
    let (pid, own) = (child.id() as Pid, std::process::id() as Pid);
    let mut reader = Reader::of(Path::new("/proc"));
    // Taken out: waiting for the child would close it.
    let stdin = child.stdin.take().unwrap();
    let writer = stdin.as_raw_fd();
    // Between fork and exec the child still holds a copy of our end too.
    let detail = reader.read_until(pid, |detail| {
        let ready = |d: &Descriptor| d.fd == 0 && d.other_ends.len() == 1;
        detail.process.as_ref().is_some_and(|p| &*p.name == "cat")
            && detail.descriptors.as_ref().is_ok_and(|all| all.iter().any(ready))
    });
    let end = &descriptor(&detail, 0).other_ends[0];
    // A pipe that the index of this scan does not know yet; it is read anew
    // once it is half a second old.
    let (late_reader, late_writer) = std::io::pipe().unwrap();
    let deadline = Instant::now() + Duration::from_secs(10);
    let knows = |end: &OtherEnd| (end.pid, end.fd) == (own, late_writer.as_raw_fd());
    while !descriptor(&reader.read_again(own), late_reader.as_raw_fd()).other_ends.iter().any(knows) {
        assert!(Instant::now() < deadline, "the other end of the new pipe is never found");
    }
    assert_eq!((end.pid, end.fd, &*end.role), (own, writer, "writes"));
    assert!(!end.name.is_empty());
    let detail = reader.read(own);
    let ends: Vec<_> = descriptor(&detail, writer).other_ends.iter().map(|e| (e.pid, e.fd, &*e.role)).collect();
    assert_eq!(ends, [(pid, 0, "reads")]);
    child.kill().unwrap();
    child.wait().unwrap();
    // The index may still know the child; its end is gone all the same.
    assert!(descriptor(&reader.read_again(own), writer).other_ends.is_empty());
    drop(stdin);
}

#[test]
fn peers_of_sockets_and_of_fifos_are_named() {
    let own = std::process::id() as Pid;
    let (one, other) = std::os::unix::net::UnixStream::pair().unwrap();
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("fifo");
    nix::unistd::mkfifo(&path, nix::sys::stat::Mode::S_IRWXU).unwrap();
    let both = std::fs::File::options().read(true).write(true).open(&path).unwrap();
    let writer = std::fs::File::options().write(true).open(&path).unwrap();
    let detail = Reader::of(Path::new("/proc")).read(own);
    let ends = |fd: i32| -> Vec<(i32, &str)> {
        let ends = descriptor(&detail, fd).other_ends.iter().filter(|end| end.pid == own);
        ends.map(|end| (end.fd, &*end.role)).collect()
    };
    assert_eq!(ends(one.as_raw_fd()), [(other.as_raw_fd(), "peer")]);
    assert_eq!(ends(writer.as_raw_fd()), [(both.as_raw_fd(), "reads and writes")]);
    assert_eq!(ends(both.as_raw_fd()), [(writer.as_raw_fd(), "writes")]);
}

#[test]
fn sockets_are_called_by_their_names() {
    use std::os::linux::net::SocketAddrExt;
    use std::os::unix::net::{SocketAddr, UnixListener, UnixStream};
    let own = std::process::id() as Pid;
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let local = listener.local_addr().unwrap();
    let client = std::net::TcpStream::connect(local).unwrap();
    let (server, from) = listener.accept().unwrap();
    let name = SocketAddr::from_abstract_name(format!("syncscope-{own}\n\u{1b}[2J")).unwrap();
    let unix = UnixListener::bind_addr(&name).unwrap();
    let guest = UnixStream::connect_addr(&name).unwrap();
    let (host, _) = unix.accept().unwrap();
    let detail = Reader::of(Path::new("/proc")).read(own);
    let address = |fd: i32| descriptor(&detail, fd).address.as_deref().unwrap().to_owned();
    assert_eq!(address(listener.as_raw_fd()), format!("TCP {local} listens"));
    assert_eq!(address(client.as_raw_fd()), format!("TCP {from} ↔ {local}"));
    let ends: Vec<_> = descriptor(&detail, client.as_raw_fd()).other_ends.iter().map(|e| (e.pid, e.fd)).collect();
    // A child of another test may have inherited it for a moment.
    assert!(ends.contains(&(own, server.as_raw_fd())), "{ends:?}");
    let shown = format!("@syncscope-{own}\\n\\x1b[2J");
    assert_eq!(address(unix.as_raw_fd()), format!("{shown} listens"));
    assert_eq!(address(host.as_raw_fd()), shown);
    assert_eq!(address(guest.as_raw_fd()), format!("→ {shown}"));
}

#[test]
fn a_zombie_and_a_process_that_is_gone_are_said_to_be_so() {
    let mut child = cat();
    let pid = child.id() as Pid;
    let mut reader = Reader::of(Path::new("/proc"));
    child.kill().unwrap();
    let zombie = |detail: &ProcessDetail| detail.process.as_ref().is_some_and(|p| p.state == State::Zombie);
    let detail = reader.read_until(pid, zombie);
    for (part, fault) in [("exe", detail.exe.err()), ("memory", detail.memory.err()), ("smaps", detail.mappings.err())]
    {
        assert!(fault.as_ref().is_some_and(|f| f.what.contains("zombie")), "{part}: {fault:?}");
    }
    child.wait().unwrap();
    let detail = reader.read(pid);
    assert!(detail.process.is_none());
    assert!(detail.descriptors.unwrap_err().what.contains("has ended"));
}

#[test]
fn a_process_that_dies_while_it_is_read_never_panics() {
    let mut reader = Reader::of(Path::new("/proc"));
    for _ in 0..50 {
        let mut child = cat();
        let pid = child.id() as Pid;
        let killer = std::thread::spawn(move || {
            child.kill().unwrap();
            child.wait().unwrap();
        });
        reader.read_until(pid, |detail| detail.process.is_none());
        killer.join().unwrap();
    }
}

/// Kernel threads have no memory, files or program.
#[test]
fn a_kernel_thread_has_nothing() {
    let Ok(content) = std::fs::read("/proc/2/stat") else { return };
    if !Stat::parse(&content).unwrap().is_kernel() {
        return; // A container numbers its own processes from 1.
    }
    let detail = Reader::of(Path::new("/proc")).read(2);
    assert!(detail.process.unwrap().kernel);
    let fault = detail.memory.unwrap_err();
    assert!(fault.what.contains("kernel thread") || fault.hint.is_some(), "{fault}");
}

#[test]
fn a_tree_of_files_is_enough() {
    let tree = tempfile::tempdir().unwrap();
    let home = tree.path().join("812");
    for directory in ["fd", "fdinfo", "ns", "task/812"] {
        std::fs::create_dir_all(home.join(directory)).unwrap();
    }
    let stat = "812 (ev\\nil) S 1 812 812 0 -1 4194304 100 0 7 0 12 30 0 0 20 -5 1 0 190801 3133440 373 \
                18446744073709551615 1 1 1 0 0 0 0 0 0 0 0 0 17 1 0 0 0 0 0 1 1 1 1 1 1 1 0\n";
    let files: [(&str, &[u8]); 7] = [
        ("stat", stat.as_bytes()),
        ("task/812/stat", stat.as_bytes()),
        ("comm", b"ev\x1b[2Jil\n"),
        ("cmdline", b"/bin/\xff\0-x\0"),
        ("environ", b"A=1\0B=\x1b]0;pwned\x07\0"),
        ("cgroup", b"3:cpu,cpuacct:/a:b\n0::/user.slice\n"),
        ("fdinfo/3", b"pos:\t17\nflags:\t02100001\nmnt_id:\t9\n"),
    ];
    for (name, text) in files {
        std::fs::write(home.join(name), text).unwrap();
    }
    symlink("pipe:[77]", home.join("fd/3")).unwrap();
    symlink("pipe:[78]", home.join("fd/4")).unwrap();
    symlink("net:[5]", home.join("ns/net")).unwrap();
    let detail = Reader::of(tree.path()).read(812);
    let process = detail.process.unwrap();
    assert_eq!((&*process.name, process.command().as_str()), ("ev\\x1b[2Jil", "/bin/\\xff -x"));
    assert_eq!(process.uid, rustix::process::geteuid().as_raw());
    assert_eq!((process.ppid, process.nice, process.virt.0), (1, -5, 3_133_440));
    assert_eq!(detail.environment.unwrap(), ["A=1".into(), "B=\\x1b]0;pwned\\x07".into()]);
    assert_eq!(detail.cgroup.unwrap(), ["cpu,cpuacct:/a:b".into(), "/user.slice".into()]);
    let descriptors = detail.descriptors.unwrap();
    assert_eq!(descriptors.len(), 1, "4 was closed between link and fdinfo");
    let pipe = &descriptors[0];
    assert_eq!((pipe.fd, pipe.kind, &*pipe.target, &*pipe.access), (3, DescriptorKind::Pipe, "pipe:[77]", "w"));
    assert!(pipe.cloexec && pipe.position.is_none());
    let namespaces = detail.namespaces.unwrap();
    assert_eq!((&*namespaces[0].kind, namespaces[0].inode, namespaces[0].ours), ("net", 5, false));
    assert!(detail.memory.unwrap_err().what.contains("no such file"));
    assert_eq!(detail.threads.unwrap().len(), 1);
}
