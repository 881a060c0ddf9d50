//! Reads and decodes one thread, the simple way.

use rustix::io::Errno;

use super::{Call, Facts, World, decode};
use crate::model::Pid;
use crate::model::process::State;
use crate::model::wait::Wait;

/// What thread `tid` of process `pid` waits for; `None` for one that does not.
///
/// # Errors
/// `ENOENT` or `ESRCH` where there is no such thread.
pub fn read_task(pid: Pid, tid: Pid, world: &mut World) -> Result<Option<Wait>, Errno> {
    let task = format!("{pid}/task/{tid}");
    let mut content = Vec::new();
    world.root.read_into(&format!("{task}/stat"), &mut content)?;
    let state = state_in(&content).ok_or(Errno::INVAL)?;
    let call = match world.root.read_into(&format!("{task}/syscall"), &mut content) {
        Ok(()) => Call::parse(&content).ok_or(Errno::INVAL)?,
        Err(error @ (Errno::SRCH | Errno::NOENT)) if !world.has_thread(pid, tid) => return Err(error),
        Err(error) => Call::Unreadable(error),
    };
    let wchan = match world.root.read_into(&format!("{task}/wchan"), &mut content) {
        Ok(()) => String::from_utf8_lossy(&content).trim().to_owned(),
        Err(_) => String::new(),
    };
    Ok(decode(&Facts { pid, tid, state, call: &call, wchan: &wchan, since: None }, world))
}

/// The state letter, behind the name, which may hold anything.
fn state_in(stat: &[u8]) -> Option<State> {
    let end = stat.iter().rposition(|&byte| byte == b')')?;
    stat.get(end + 2).map(|&letter| State::from(char::from(letter)))
}
