//! Who is whose child: one pass over `/proc/PID/stat`, `proc_pid_stat(5)`.

use std::io::Read;
use std::os::fd::{AsFd, AsRawFd};

use super::brand::Brand;
use super::pidfd::Pidfd;
use crate::model::Pid;

/// A process and what ties it to others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kin {
    /// The process.
    pub pid: Pid,
    /// Its parent.
    pub parent: Pid,
    /// Its process group.
    pub group: Pid,
    /// Its session.
    pub session: Pid,
    /// The state's letter; `Z` for one that has ended and was not reaped.
    pub state: u8,
    /// When it started, in clock ticks since boot.
    pub started: u64,
    /// Its name, as the kernel has it.
    pub name: Vec<u8>,
    /// The brand it bears, where it bears one and we may ask.
    pub brand: Option<Brand>,
}

/// All processes that can be seen. One that ends meanwhile is left out.
pub fn scan() -> Vec<Kin> {
    let Ok(directory) = std::fs::read_dir("/proc") else { return Vec::new() };
    let mut buffer = Vec::new();
    let pid = |entry: std::fs::DirEntry| entry.file_name().to_str()?.parse::<Pid>().ok();
    directory.flatten().filter_map(pid).filter_map(|pid| read(pid, &mut buffer)).collect()
}

/// One process.
pub fn of(pid: Pid) -> Option<Kin> {
    read(pid, &mut Vec::new())
}

/// The process as a descriptor, if it still is the one that was read.
pub fn open(kin: &Kin) -> Option<Pidfd> {
    let pidfd = Pidfd::open(kin.pid).ok()?;
    (of(kin.pid)?.started == kin.started).then_some(pidfd)
}

/// The number of the process that a pidfd stands for, until it is reaped.
pub fn pid_of(pidfd: &impl AsFd) -> Option<Pid> {
    let path = format!("/proc/self/fdinfo/{}", pidfd.as_fd().as_raw_fd());
    let info = std::fs::read_to_string(path).ok()?;
    let pid = info.lines().find_map(|line| line.strip_prefix("Pid:"))?.trim().parse().ok()?;
    (pid > 0).then_some(pid)
}

fn read(pid: Pid, buffer: &mut Vec<u8>) -> Option<Kin> {
    buffer.clear();
    std::fs::File::open(format!("/proc/{pid}/stat")).ok()?.read_to_end(buffer).ok()?;
    parse(pid, buffer).map(|kin| Kin { brand: Brand::of(pid), ..kin })
}

/// The name stands in parentheses and may hold any byte, parentheses among
/// them: the last one ends it.
fn parse(pid: Pid, stat: &[u8]) -> Option<Kin> {
    let (open, close) = (memchr::memchr(b'(', stat)?, memchr::memrchr(b')', stat)?);
    let name = stat.get(open + 1..close)?.to_vec();
    let mut fields = stat.get(close + 1..)?.split(u8::is_ascii_whitespace).filter(|field| !field.is_empty());
    let state = *fields.next()?.first()?;
    let mut number = || str::from_utf8(fields.next()?).ok()?.parse::<i64>().ok();
    let (parent, group, session) = (number()? as Pid, number()? as Pid, number()? as Pid);
    // Fields 7 to 21 lie between.
    let started = (7..=22).map(|_| number()).last()?? as u64;
    Some(Kin { pid, parent, group, session, state, started, name, brand: None })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_names_do_not_shift_the_fields() {
        let stat = b"812 (a) R (b) S 1 812 800 0 -1 4194304 1 2 3 4 5 6 7 8 20 0 1 0 4711 9 10\n";
        let kin = parse(812, stat).unwrap();
        assert_eq!(kin.name, b"a) R (b");
        assert_eq!((kin.parent, kin.group, kin.session, kin.state, kin.started), (1, 812, 800, b'S', 4711));
        assert_eq!(parse(812, b"812 (cut"), None);
    }

    #[test]
    fn this_process_is_among_all() {
        let me = std::process::id() as Pid;
        let kin = scan().into_iter().find(|kin| kin.pid == me).unwrap();
        assert_eq!(Some(&kin.parent), of(me).map(|kin| kin.parent).as_ref());
        assert_eq!(pid_of(&open(&kin).unwrap()), Some(me));
    }
}
