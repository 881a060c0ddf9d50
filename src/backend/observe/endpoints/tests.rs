use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use super::*;

fn me() -> Pid {
    std::process::id() as Pid
}

fn inode(fd: &impl AsRawFd, prefix: &[u8]) -> u64 {
    let link = std::fs::read_link(format!("/proc/self/fd/{}", fd.as_raw_fd())).unwrap();
    inode_in(link.as_os_str().as_bytes(), prefix).unwrap()
}

#[test]
fn both_ends_of_an_own_pipe_are_found_with_their_access() {
    let (read, write) = rustix::pipe::pipe().unwrap();
    let ends = Ends::read(&ProcRoot::open(Path::new("/proc")).unwrap()).unwrap();
    let of = |fd: &OwnedFd| {
        let all = ends.of_pipe(inode(fd, b"pipe:["));
        all.iter().find(|end| end.pid == me() && end.fd == fd.as_raw_fd()).copied().unwrap().access
    };
    assert_eq!(of(&read), Access { read: true, write: false });
    assert_eq!(of(&write), Access { read: false, write: true });
    assert!(ends.of_pipe(0).is_empty());
}

#[test]
fn a_renewed_index_has_what_came_and_not_what_went() {
    let root = ProcRoot::open(Path::new("/proc")).unwrap();
    let (first, _) = rustix::pipe::pipe().unwrap();
    let mut ends = Ends::read(&root).unwrap();
    let gone = inode(&first, b"pipe:[");
    assert!(ends.of_pipe(gone).iter().any(|end| end.pid == me()));
    drop(first);
    let (second, _) = rustix::pipe::pipe().unwrap();
    // The clock of a process that runs is brought up to date at its ticks.
    let began = clock::cpu_of_process(me()).unwrap();
    while clock::cpu_of_process(me()).unwrap() == began {}
    ends.renew(&root).unwrap();
    assert!(ends.of_pipe(gone).is_empty());
    assert!(ends.of_pipe(inode(&second, b"pipe:[")).iter().any(|end| end.pid == me()));
    let read = Ends::read(&root).unwrap();
    let own = |ends: &Ends| ends.holders.iter().find(|holder| holder.pid == me()).unwrap().pipes.clone();
    assert_eq!(own(&ends).is_empty(), own(&read).is_empty());
}

#[test]
fn the_peer_of_a_unix_socket_is_found() {
    let (a, b) = std::os::unix::net::UnixStream::pair().unwrap();
    let ends = Ends::read(&ProcRoot::open(Path::new("/proc")).unwrap()).unwrap();
    let peer = ends.of_socket(ends.unix_socket(inode(&a, b"socket:[")).unwrap().peer.unwrap());
    assert!(peer.iter().any(|end| end.pid == me() && end.fd == b.as_raw_fd()), "{peer:?}");
    assert_eq!(ends.unix_socket(1), None);
}

#[test]
fn a_fifo_is_found_by_what_it_is_not_by_its_name() {
    let directory = tempfile::tempdir().unwrap();
    let make = |name: &str| {
        let path = directory.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        nix::unistd::mkfifo(&path, nix::sys::stat::Mode::S_IRWXU).unwrap();
        (std::fs::File::options().read(true).write(true).open(&path).unwrap(), path)
    };
    let ((one, path), (_other, _)) = (make("f"), make("sub/f"));
    let status = rustix::fs::fstat(&one).unwrap();
    let root = ProcRoot::open(Path::new("/proc")).unwrap();
    let (ends, _) = of_fifo(&root, path.as_os_str().as_bytes(), status.st_dev, status.st_ino).unwrap();
    let mine: Vec<_> = ends.iter().filter(|end| end.pid == me()).collect();
    assert_eq!(mine.len(), 1, "the other FIFO has the same name");
    assert_eq!(mine[0].access, Access { read: true, write: true });
}

#[test]
fn a_tree_without_processes_has_no_ends() {
    let directory = tempfile::tempdir().unwrap();
    let ends = Ends::read(&ProcRoot::open(directory.path()).unwrap()).unwrap();
    assert!(ends.unreadable().is_empty() && ends.of_pipe(1).is_empty());
    assert!(ends.unix_fault().is_some(), "a made-up tree says nothing about real sockets");
}
