//! The address that a call on a Unix socket is given: `struct sockaddr_un`, `unix(7)`.
//!
//! ```text
//! connect(fd, address, length)    sendto(fd, data, count, flags, address, length)
//! sendmsg(fd, message, flags)     message: address 8, length 4, …
//! address   +0 family 2   +2 a path up to a NUL, or a NUL and a name of no file system
//! ```

use super::{Facts, World, path};
use crate::backend::observe::endpoints::words;
use crate::sys::diag::UnixSocket;

const UNIX: [u8; 2] = (libc::AF_UNIX as u16).to_ne_bytes();
/// `sizeof(struct sockaddr_un)`.
const LONGEST: u64 = 110;

/// Where a call goes to.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Address {
    /// A path, as the calling process writes it.
    Path(Vec<u8>),
    /// A name that begins with a NUL.
    Abstract(Vec<u8>),
}

/// Where a call of connect(2) goes to.
pub(super) fn connects_to(facts: &Facts<'_>, world: &World) -> Option<Address> {
    let [_, address, length, ..] = *facts.call_in(&[libc::SYS_connect])?;
    read(facts, world, address, length)
}

/// Where a call of sendto(2) or sendmsg(2) goes to, if it says so.
pub(super) fn sends_to(facts: &Facts<'_>, world: &World) -> Option<Address> {
    if let Some(&[.., address, length]) = facts.call_in(&[libc::SYS_sendto]) {
        return read(facts, world, address, length);
    }
    let [_, message, ..] = *facts.call_in(&[libc::SYS_sendmsg])?;
    let [address, length] = world.longs(facts.pid, message).ok()?;
    read(facts, world, address, length & 0xffff_ffff)
}

fn read(facts: &Facts<'_>, world: &World, address: u64, length: u64) -> Option<Address> {
    let mut bytes = vec![0; length.min(LONGEST) as usize];
    if address == 0 || bytes.len() <= UNIX.len() {
        return None;
    }
    world.memory(facts.pid, address, &mut bytes).ok()?;
    let name = bytes.strip_prefix(&UNIX)?;
    Some(match name.split(|&byte| byte == 0).next()? {
        [] => Address::Abstract(name.to_vec()),
        path => Address::Path(path.to_vec()),
    })
}

impl Address {
    /// As it is written: a path, or `@` and the name of one that is in no file system.
    pub(super) fn words(&self) -> String {
        let (Address::Path(name) | Address::Abstract(name)) = self;
        words(name)
    }

    /// The socket that has this address and is `wanted`.
    pub(super) fn socket(
        &self,
        facts: &Facts<'_>,
        world: &mut World,
        wanted: impl Fn(&UnixSocket) -> bool,
    ) -> Option<UnixSocket> {
        match self {
            Address::Path(path) => {
                let status = path::status(facts, world, libc::AT_FDCWD, path)?;
                let bound = (status.st_ino as u32, path::device(&status));
                world.ends().ok()?.unix_at(bound, wanted)
            }
            // Such names are of one network namespace: the caller's, whose sockets are
            // those that the kernel tells of, or the caller's would not have been found.
            Address::Abstract(name) => world.ends().ok()?.unix_named(name, wanted),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::observe::wait::Call;
    use crate::backend::observe::wait::fixture::{DATA, Machine, PID, TID};

    fn address(bytes: &[u8], length: usize) -> Option<Address> {
        let machine = Machine::new(&format!("42 0x3 {DATA:#x} {length:#x} 0x0 0x0 0x0"), "unix_wait_for_peer");
        machine.set_bytes(PID, DATA, &[0; 128]);
        machine.set_bytes(PID, DATA, bytes);
        let call = Call::parse(machine.syscall.as_bytes()).unwrap();
        let state = machine.state;
        let facts = Facts { pid: PID, tid: TID, state, call: &call, wchan: machine.wchan, since: None };
        connects_to(&facts, &machine.world())
    }

    #[test]
    fn a_path_ends_at_a_nul_and_an_abstract_name_where_the_address_does() {
        let path = |path: &[u8]| Some(Address::Path(path.to_vec()));
        assert_eq!(address(b"\x01\0/run/x\0rest", 110), path(b"/run/x"));
        assert_eq!(address(b"\x01\0/run/x", 8), path(b"/run/x"));
        assert_eq!(address(b"\x01\0\0a\0b", 6), Some(Address::Abstract(b"\0a\0b".to_vec())));
        assert_eq!(address(b"\x01\0\0a\0b", 4), Some(Address::Abstract(b"\0a".to_vec())));
    }

    #[test]
    fn an_address_of_another_family_or_of_nothing_is_none() {
        assert_eq!(address(b"\x02\0\x1f\x90\x7f\0\0\x01", 16), None);
        assert_eq!(address(b"\x01\0", 2), None);
        assert_eq!(address(b"", 0), None);
    }
}
