//! System V semaphores of this program's own IPC namespace: `semctl(2)`.

use rustix::io::Errno;

use crate::model::Pid;

/// Who changed semaphore `number` of set `id` last (0 for nobody, or for a
/// process that is not visible from here), and its value.
///
/// # Errors
/// `EACCES` without permission to read it, `EINVAL` where there is no such set or
/// no such semaphore in it.
pub fn last_use(id: i32, number: u16) -> Result<(Pid, i32), Errno> {
    Ok((control(id, number, libc::GETPID)?, control(id, number, libc::GETVAL)?))
}

fn control(id: i32, number: u16, command: libc::c_int) -> Result<i32, Errno> {
    // SAFETY: these commands take no fourth argument and write to no memory.
    let answer = unsafe { libc::semctl(id, libc::c_int::from(number), command) };
    if answer >= 0 {
        return Ok(answer);
    }
    Err(Errno::from_io_error(&std::io::Error::last_os_error()).unwrap_or(Errno::INVAL))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_used_it_last_is_told_and_nothing_of_a_set_that_is_gone() {
        // SAFETY: semget takes three numbers.
        let id = unsafe { libc::semget(libc::IPC_PRIVATE, 2, 0o600) };
        assert!(id >= 0);
        // SAFETY: as above; SETVAL takes the value as its fourth argument.
        let set = unsafe { libc::semctl(id, 1, libc::SETVAL, 3) };
        let seen = (last_use(id, 0), last_use(id, 1));
        // SAFETY: as above.
        let removed = unsafe { libc::semctl(id, 0, libc::IPC_RMID) };
        assert_eq!((set, removed), (0, 0));
        assert_eq!(seen.0, Ok((0, 0)));
        assert_eq!(seen.1, Ok((std::process::id() as Pid, 3)));
        assert!(last_use(id, 0).is_err());
    }
}
