//! Shared memory: a holder that dies, reads without synchronisation, and
//! memory that outlives its maker. The other process is a worker.
//!
//! ```text
//! offset 0     a robust mutex that processes share
//!        64    a record: 15 words that follow from its number, and a check word
//! ```

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use super::{Finding, Job, Notes, fault};
use crate::backend::janitor::{Name, register_name};
use crate::backend::lab::ipc::private::{self, Directory};
use crate::backend::lab::worker::Worker;
use crate::model::{Fault, Nanos};
use crate::sys::clock;
use crate::sys::robust_mutex::{Locked, RobustMutex};
use crate::sys::shm::{SharedMap, memfd, reserve};

/// The number of the record that is left behind.
pub(super) const MARK: u64 = 0x5ca1_ab1e;
const WORDS: usize = 16;
const LEN: usize = 4096;

/// The memory of an experiment.
pub(super) struct Cell {
    map: Arc<SharedMap>,
}

impl Cell {
    pub(super) fn of(file: &OwnedFd) -> io::Result<Self> {
        Ok(Cell::at(&Arc::new(SharedMap::new(file)?)))
    }

    pub(super) fn at(map: &Arc<SharedMap>) -> Self {
        Cell { map: map.clone() }
    }

    fn mutex(&self) -> io::Result<RobustMutex> {
        RobustMutex::at(&self.map, 0)
    }

    pub(super) fn hold(&self) -> io::Result<()> {
        self.mutex()?.lock().map(drop)
    }

    fn words(&self) -> &[AtomicU64; WORDS] {
        self.map.words(64)
    }

    /// Writes a record word by word; relaxed stores order nothing.
    pub(super) fn scribble(&self, number: u64) {
        for (index, word) in self.words().iter().enumerate() {
            word.store(number.wrapping_mul(index as u64 + 1), Relaxed);
        }
    }

    /// The record's number, if all its words belong together.
    fn record(&self) -> Option<u64> {
        let words = self.words();
        let number = words[0].load(Relaxed);
        let whole = words.iter().enumerate().all(|(i, word)| word.load(Relaxed) == number.wrapping_mul(i as u64 + 1));
        whole.then_some(number)
    }
}

/// Starts a helper and waits until it has done its part.
fn helper(name: &str, job: Job, file: &OwnedFd) -> Result<Worker, Fault> {
    let mut helper = Worker::start(name, &job, &[file.as_fd()])?;
    match helper.hear::<String>(Duration::from_secs(5))? {
        Some(said) if said == "done" || said == "at work" => Ok(helper),
        Some(said) => Err(Fault::new(name.to_owned(), said)),
        None => Err(Fault::new(name.to_owned(), "it did not do its part within 5 s")),
    }
}

pub(super) fn dead_holder() -> Result<Finding, Fault> {
    let mut notes = Notes::new();
    let file = memfd("syncscope-experiment", LEN).map_err(fault("cannot make shared memory"))?;
    let cell = Cell::of(&file).map_err(fault("cannot map it"))?;
    let mutex = cell.mutex().map_err(fault("no room for a mutex"))?;
    mutex.initialise().map_err(fault("cannot make a robust mutex"))?;
    let holder = helper("holder", Job::Hold, &file)?;
    let held = mutex.try_lock().map_err(fault("pthread_mutex_trylock"))?;
    notes.add(format!("process {} holds the mutex: trying says {held}", holder.pid()), held == Locked::Busy);
    let pid = holder.pid();
    drop(holder);
    let orphaned = soon(&mutex)?;
    notes.add(format!("process {pid} is killed: locking says {orphaned}"), orphaned == Locked::OwnerDied);
    if orphaned != Locked::OwnerDied {
        return Ok(notes.end("The mutex stayed locked for ever: this C library or kernel knows no robust ones."));
    }
    mutex.recover().map_err(fault("pthread_mutex_consistent"))?;
    mutex.unlock().map_err(fault("pthread_mutex_unlock"))?;
    let again = soon(&mutex)?;
    notes.add(format!("made consistent, unlocked and locked again: {again}"), again == Locked::Yes);
    mutex.unlock().map_err(fault("pthread_mutex_unlock"))?;
    Ok(notes.end(
        "The kernel goes through the list of robust mutexes of a thread that ends and marks those it held. The next who \
         locks gets the lock and EOWNERDEAD: it has to put the data right, then say so. An ordinary mutex would stay \
         locked for ever.",
    ))
}

/// Locks it, trying for a second: where a mutex is not robust after all, its
/// holder's end leaves it locked for ever.
fn soon(mutex: &RobustMutex) -> Result<Locked, Fault> {
    let until = clock::monotonic() + Nanos::from_secs(1);
    loop {
        match mutex.try_lock().map_err(fault("pthread_mutex_trylock"))? {
            Locked::Busy if clock::monotonic() < until => std::thread::sleep(Duration::from_millis(1)),
            other => return Ok(other),
        }
    }
}

pub(super) fn torn_reads() -> Result<Finding, Fault> {
    let mut notes = Notes::new();
    let file = memfd("syncscope-experiment", LEN).map_err(fault("cannot make shared memory"))?;
    let cell = Cell::of(&file).map_err(fault("cannot map it"))?;
    let writer = helper("writer", Job::Scribble, &file)?;
    let until = clock::monotonic() + Nanos::from_millis(400);
    let (mut reads, mut torn) = (0_u64, 0_u64);
    while clock::monotonic() < until {
        for _ in 0..1000 {
            reads += 1;
            torn += u64::from(cell.record().is_none());
        }
    }
    drop(writer);
    notes.add(format!("{reads} reads of a record of 128 bytes while another process writes it: {torn} torn"), torn > 0);
    Ok(notes.end(
        "Memory is shared word by word, not record by record: a reader without a lock, a sequence counter or a ring's \
         index sees half of one record and half of the next. Nothing says so but a check over the content.",
    ))
}

pub(super) fn outlived() -> Result<Finding, Fault> {
    let mut notes = Notes::new();
    let directory = Directory::make("experiment")?;
    let path = directory.join("memory");
    let open = || File::options().read(true).write(true).create(true).truncate(false).open(&path);
    let file = open().map_err(fault("cannot make a file"))?;
    reserve(&file, LEN).map_err(fault("cannot make a file"))?;
    let file = OwnedFd::from(file);
    let key = (private::random() >> 33) as i32 | 1;
    // Registered before it is made, by whomever.
    let name = register_name(Name::SysvMemoryKey(key))?;
    let maker = helper("maker", Job::Leave(key), &file)?;
    let pid = maker.pid();
    drop((maker, file));
    let segment = crate::sys::sysv::segment(key).map_err(fault("the segment is gone"))?;
    let map = SharedMap::of_segment(segment).map_err(fault("cannot attach the segment"))?;
    let found = Cell::at(&Arc::new(map)).record();
    notes.add(
        format!("process {pid} made a System V segment, wrote, and was killed: {}", read(found)),
        found == Some(MARK),
    );
    let again = OwnedFd::from(open().map_err(fault("the file is gone"))?);
    let found = Cell::of(&again).map_err(fault("cannot map the file"))?.record();
    notes.add(format!("what it wrote into a mapped file: {}", read(found)), found == Some(MARK));
    drop(name);
    let gone = crate::sys::sysv::segment(key).is_err();
    notes.add(format!("the segment after IPC_RMID: {}", if gone { "gone" } else { "still there" }), gone);
    Ok(notes.end(
        "A System V segment lives in the kernel until somebody removes it by its id, and a file until it is unlinked: \
         both keep what a dead process wrote. A memfd or an anonymous mapping goes with its last user.",
    ))
}

fn read(found: Option<u64>) -> &'static str {
    if found == Some(MARK) { "still there, with its content" } else { "another content" }
}
