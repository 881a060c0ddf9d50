//! What fork leaves behind in a process with several threads.

use std::io;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use super::Stage;
use super::stage::Expect;
use crate::model::wait::WaitKind;
use crate::sys::fork::{self, Fork, PlainMutex, allocate, before_exec, share_one_arena};
use crate::sys::reap;
use crate::sys::thread::start_thread;

static STD: Mutex<u32> = Mutex::new(0);
static PTHREAD: PlainMutex = PlainMutex::new();

/// How often one forks until the other thread is met with the lock in its
/// hand.
const ATTEMPTS: u32 = 2_000;
/// Nobody needs so long for one allocation.
const HANGS: Duration = Duration::from_millis(500);

/// A thread that holds both mutexes for ever.
fn hold_both() -> io::Result<()> {
    let (tell, told): (_, Receiver<()>) = channel();
    let life = move || {
        let _guard = STD.lock().unwrap_or_else(PoisonError::into_inner);
        PTHREAD.lock();
        let _ = tell.send(());
        loop {
            thread::park();
        }
    };
    start_thread("holder", Box::new(life))?;
    told.recv().map_err(|_| io::ErrorKind::BrokenPipe.into())
}

fn lock_std() -> i32 {
    *STD.lock().unwrap_or_else(PoisonError::into_inner) as i32
}

pub(super) fn fork_with_mutex(stage: &mut Stage) -> io::Result<()> {
    hold_both()?;
    stage.seen("another thread of this process holds a std::sync::Mutex and a pthread mutex", true)?;
    let name = |how: Fork| match how {
        Fork::Library => "fork of the C library",
        Fork::Kernel => "the bare system call",
    };
    for how in [Fork::Library, Fork::Kernel] {
        let (pid, child) = fork::fork(how, || PTHREAD.lock())?;
        stage.look(pid, format!("{}: {pid}, the child, locks the pthread mutex", name(how)), Expect::ForEver)?;
        child.send(libc::SIGKILL)?;
        reap::wait(&child)?;
        let (pid, child) = fork::fork(how, lock_std)?;
        let expect = Expect::Waits(WaitKind::RustMutex);
        stage.look(pid, format!("{}: {pid}, the child, locks the std Mutex", name(how)), expect)?;
        let hangs = !child.ended(Some(HANGS))?;
        child.send(libc::SIGKILL)?;
        reap::wait(&child)?;
        stage.seen(format!("{pid} was still there half a second later: {hangs}"), hangs)?;
    }
    Ok(())
}

/// A thread that allocates until it is told to stop.
fn allocating(stop: &'static AtomicBool) -> io::Result<thread::JoinHandle<()>> {
    let life = move || {
        while !stop.load(Relaxed) {
            allocate();
        }
    };
    start_thread("allocating", Box::new(life))
}

pub(super) fn fork_with_malloc(stage: &mut Stage) -> io::Result<()> {
    static STOP: AtomicBool = AtomicBool::new(false);
    if cfg!(not(target_env = "gnu")) {
        return stage.seen("this program is not linked to glibc: there is no such lock to be met", true);
    }
    // As in a program with many more threads than arenas.
    share_one_arena();
    let other = allocating(&STOP)?;
    let mut fine = 0;
    for _ in 0..ATTEMPTS / 10 {
        let (_, child) = fork::fork(Fork::Library, || i32::from(!allocate()))?;
        fine += u32::from(child.ended(Some(Duration::from_secs(5)))?);
        child.send(libc::SIGKILL).or_else(gone)?;
        reap::wait(&child)?;
    }
    let all = ATTEMPTS / 10;
    stage.seen(
        format!("fork of glibc, {all} times while another thread allocates: {fine} children could"),
        fine == all,
    )?;
    for attempt in 1..=ATTEMPTS {
        let (pid, child) = fork::fork(Fork::Kernel, || i32::from(!allocate()))?;
        if child.ended(Some(HANGS))? {
            reap::wait(&child)?;
            continue;
        }
        stage.look(
            pid,
            format!("the bare system call: child number {attempt} hangs in malloc"),
            Expect::Waits(WaitKind::Futex),
        )?;
        let hangs = !child.ended(Some(HANGS))?;
        child.send(libc::SIGKILL)?;
        reap::wait(&child)?;
        stage.seen(format!("{pid} was still there half a second later: {hangs}"), hangs)?;
        STOP.store(true, Relaxed);
        let _ = other.join();
        return Ok(());
    }
    stage.seen(format!("{ATTEMPTS} bare forks never met the lock held: the other thread hardly ran"), false)
}

/// It may have ended by itself.
fn gone(error: rustix::io::Errno) -> Result<(), rustix::io::Errno> {
    if error == rustix::io::Errno::SRCH { Ok(()) } else { Err(error) }
}

pub(super) fn pre_exec(stage: &mut Stage) -> io::Result<()> {
    hold_both()?;
    let mut command = Command::new("true");
    before_exec(&mut command, || {
        PTHREAD.lock();
        Ok(())
    });
    stage.seen("pre_exec locks a mutex that another thread holds", true)?;
    stage.look_at_me("spawn waits for the child, and the child for nobody", Expect::ForEver)?;
    let spawned = command.spawn();
    stage.seen(format!("spawn came back: {spawned:?}"), false)
}
