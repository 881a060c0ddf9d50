//! Two Unix sockets that are connected to each other.

use std::io;
use std::os::fd::OwnedFd;

use rustix::net::{
    AddressFamily, SocketAddrUnix, SocketFlags, SocketType, accept_with, bind, connect, listen, socket_with, socketpair,
};

use super::Naming;
use crate::backend::lab::ipc::private::{self, Directory};
use crate::model::Fault;

/// Makes them.
///
/// # Errors
/// A fault that says what the kernel refused.
pub(super) fn connected(key: &'static str, kind: SocketType, naming: Naming) -> Result<(OwnedFd, OwnedFd), Fault> {
    let fault = |error: io::Error| Fault::new(key, format!("cannot connect two sockets: {error}"));
    match naming {
        Naming::Pair => {
            socketpair(AddressFamily::UNIX, kind, SocketFlags::CLOEXEC, None).map_err(|error| fault(error.into()))
        }
        Naming::Path => {
            // Goes at the end of this arm, and the names in it.
            let directory = Directory::make(key)?;
            let address = |name: &str| Ok(SocketAddrUnix::new(directory.join(name))?);
            meet(kind, address).map_err(fault)
        }
        Naming::Abstract => {
            let unique = private::name();
            let address = |name: &str| Ok(SocketAddrUnix::new_abstract_name(format!("{unique}-{name}").as_bytes())?);
            meet(kind, address).map_err(fault)
        }
    }
}

/// Connects two sockets by names: datagram sockets bind one each and connect
/// to each other's, the others listen, connect and accept.
fn meet(kind: SocketType, address: impl Fn(&str) -> io::Result<SocketAddrUnix>) -> io::Result<(OwnedFd, OwnedFd)> {
    let new = || socket_with(AddressFamily::UNIX, kind, SocketFlags::CLOEXEC, None);
    let (here, there) = (address("a")?, address("b")?);
    let (a, b) = (new()?, new()?);
    bind(&a, &here)?;
    if kind == SocketType::DGRAM {
        bind(&b, &there)?;
        connect(&a, &there)?;
        connect(&b, &here)?;
        return Ok((a, b));
    }
    listen(&a, 1)?;
    connect(&b, &here)?;
    let accepted = accept_with(&a, SocketFlags::CLOEXEC)?;
    Ok((accepted, b))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::net::{RecvFlags, SendFlags, recv, send};

    #[test]
    fn every_kind_meets_in_every_way_and_keeps_no_file() {
        let before = leftovers();
        for kind in [SocketType::STREAM, SocketType::DGRAM, SocketType::SEQPACKET] {
            for naming in [Naming::Pair, Naming::Path, Naming::Abstract] {
                let (a, b) = connected("test", kind, naming).unwrap();
                for (from, to) in [(&a, &b), (&b, &a)] {
                    send(from, b"hello", SendFlags::empty()).unwrap();
                    let mut got = [0; 8];
                    assert_eq!(recv(to, &mut got, RecvFlags::empty()).unwrap(), (5, 5), "{kind:?} {naming:?}");
                }
            }
        }
        assert_eq!(leftovers(), before);
    }

    /// Private directories of this very thread's making: other tests make
    /// theirs meanwhile, with sockets called otherwise than `a`.
    fn leftovers() -> usize {
        let prefix = format!("syncscope-{}-", std::process::id());
        let entries = std::fs::read_dir(std::env::temp_dir()).unwrap().flatten();
        let ours = entries.filter(|entry| entry.file_name().to_string_lossy().starts_with(&prefix));
        ours.filter(|entry| entry.path().join("a").exists()).count()
    }
}
