//! A made-up machine for the decoders' tests: a proc tree on disk, memory and
//! names of code in tables.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use rustix::io::Errno;

use super::beyond_proc::Source;
use super::{Call, Facts, World, decode};
use crate::backend::observe::target::lines::Line;
use crate::backend::observe::target::maps::{Mapping, Maps};
use crate::backend::observe::target::module::Runtime;
use crate::backend::observe::target::stack::Code;
use crate::backend::observe::target::unwind::FrameTable;
use crate::model::process::State;
use crate::model::wait::Wait;
use crate::model::{Nanos, Pid};
use crate::sys::procroot::ProcRoot;

/// Where the made-up process keeps its code, its data and its stack.
pub(super) const LIBC: u64 = 0x7000_0000_1000;
pub(super) const PROGRAM: u64 = 0x5000_0000_1000;
pub(super) const DATA: u64 = 0x5000_0001_0000;
pub(super) const STACK: u64 = 0x7fff_0000_0000;

const MAPS: &str = "\
500000001000-500000002000 r-xp 00001000 fd:00 11 /srv/payments
500000010000-500000011000 rw-p 00000000 00:00 0 [heap]
600000000000-600000001000 rw-s 00000000 00:18 7 /dev/shm/x
700000001000-700000002000 r-xp 00001000 fd:00 12 /lib/libc.so.6
7fff00000000-7fff00001000 rw-p 00000000 00:00 0 [stack]
";

#[derive(Clone, Debug, Default)]
pub(super) struct Tables {
    memory: BTreeMap<(Pid, u64), u8>,
    names: BTreeMap<u64, String>,
    runtime: Option<Runtime>,
    pub(super) shared_memory: Vec<(Pid, Pid)>,
    /// Whether kcmp(2) is refused.
    pub(super) refuses: bool,
    pub(super) go: bool,
    parking_lot: bool,
    pub(super) socket_limit: Option<Nanos>,
    /// Descriptors, each by its thread and number, that stand for one open file.
    pub(super) copies: Vec<((Pid, i32), (Pid, i32))>,
    /// Processes that share one table of descriptors.
    pub(super) with_one_table: Vec<Pid>,
    /// Functions of the C library that the code is linked to.
    pub(super) linked_to: Vec<&'static str>,
}

#[derive(Debug)]
struct Fake(Arc<Mutex<Tables>>);

impl Source for Fake {
    fn memory(&self, pid: Pid, ranges: &[(u64, usize)], buffer: &mut [u8]) -> Result<(), Errno> {
        let tables = self.0.lock().unwrap();
        let mut bytes = buffer.iter_mut();
        for &(address, length) in ranges {
            for at in address..address + length as u64 {
                *bytes.next().ok_or(Errno::INVAL)? = *tables.memory.get(&(pid, at)).ok_or(Errno::FAULT)?;
            }
        }
        Ok(())
    }

    fn shares_memory(&self, one: Pid, other: Pid) -> Option<bool> {
        let tables = self.0.lock().unwrap();
        (!tables.refuses).then(|| tables.shared_memory.contains(&(one, other)))
    }

    fn shares_table(&self, one: Pid, other: Pid) -> Option<bool> {
        let tables = self.0.lock().unwrap();
        Some([one, other].iter().all(|pid| tables.with_one_table.contains(pid)))
    }

    fn shares_open_file(&self, one: (Pid, i32), other: (Pid, i32)) -> Option<bool> {
        let own = |(pid, fd): (Pid, i32)| if pid == PID { (TID, fd) } else { (pid, fd) };
        let (one, other) = (own(one), own(other));
        Some(one == other || self.0.lock().unwrap().copies.contains(&(one, other)))
    }

    fn socket_limit(&self, _pid: Pid, _fd: i32, _receives: Option<bool>) -> Option<Nanos> {
        self.0.lock().unwrap().socket_limit
    }

    fn is_go(&mut self, _root: &ProcRoot, _pid: Pid, _mapping: &Mapping) -> bool {
        self.0.lock().unwrap().go
    }

    fn is_linked_to(&mut self, _root: &ProcRoot, _pid: Pid, _mapping: &Mapping, functions: &[&str]) -> bool {
        self.0.lock().unwrap().linked_to.iter().any(|name| functions.contains(name))
    }

    fn has_parking_lot(&mut self, _root: &ProcRoot, _pid: Pid, _mapping: &Mapping) -> bool {
        self.0.lock().unwrap().parking_lot
    }

    fn code(&mut self, _root: &ProcRoot, _pid: Pid, maps: &Maps, addresses: &[u64]) -> Vec<Code> {
        let tables = self.0.lock().unwrap();
        let code = |&address: &u64| {
            let file = maps.find(address - 1).map_or_else(|| "".into(), |mapping| mapping.name.clone());
            let is_libc = (LIBC..LIBC + 0x1000).contains(&address);
            let runtime = if is_libc { tables.runtime.unwrap_or(Runtime::Glibc(36)) } else { Runtime::Unknown };
            Code { address, file, runtime, function: tables.names.get(&address).map(|name| name.as_str().into()) }
        };
        addresses.iter().map(code).collect()
    }

    fn frames(&mut self, _: &ProcRoot, _: Pid, _: &Maps, _: u64) -> Option<(Arc<FrameTable>, u64)> {
        None
    }

    fn lines(&mut self, _: &ProcRoot, _: Pid, _: &Maps, _: u64) -> Vec<Line> {
        Vec::new()
    }

    fn import(&mut self, _: &ProcRoot, _: Pid, _: &Maps, _: u64) -> Option<Arc<str>> {
        None
    }

    fn place(&mut self, _root: &ProcRoot, _pid: Pid, maps: &Maps, address: u64) -> String {
        let Some(mapping) = maps.find(address) else { return "unmapped memory".to_owned() };
        format!("{} +{:#x}", mapping.name, address - mapping.range.start)
    }
}

/// The machine, with one process 100 whose thread 101 is asked about.
pub(super) struct Machine {
    pub(super) directory: tempfile::TempDir,
    pub(super) tables: Arc<Mutex<Tables>>,
    pub(super) syscall: String,
    pub(super) state: State,
    pub(super) wchan: &'static str,
}

pub(super) const PID: Pid = 100;
pub(super) const TID: Pid = 101;

impl Machine {
    /// A machine whose thread sleeps in the call of this line, as the `syscall`
    /// file has it but for stack pointer and program counter.
    pub(super) fn new(call: &str, wchan: &'static str) -> Self {
        let machine = Machine {
            directory: tempfile::tempdir().unwrap(),
            tables: Arc::default(),
            syscall: format!("{call} {STACK:#x} {:#x}", LIBC + 0x10),
            state: State::Sleeping,
            wchan,
        };
        machine.process(PID, &[PID, TID]);
        machine.write("100/maps", MAPS);
        machine.write("100/task/101/syscall", &machine.syscall);
        machine.write("100/task/101/schedstat", "1 1 7");
        machine.set_bytes(PID, STACK, &[0; 4096]);
        // Code that returns at once: `ret`.
        machine.set_bytes(PID, LIBC, &[0xc3; 4096]);
        machine.set_bytes(PID, PROGRAM, &[0xc3; 4096]);
        machine
    }

    /// The call `futex(DATA, operation, value, time-out)`.
    pub(super) fn futex(operation: u32, value: u32, timeout: u64) -> Self {
        let all = "0xffffffff";
        Self::new(&format!("202 {DATA:#x} {operation:#x} {value:#x} {timeout:#x} 0x0 {all}"), "futex_do_wait")
    }

    /// A process with these threads, in the state that sleeps.
    pub(super) fn process(&self, pid: Pid, tids: &[Pid]) {
        for tid in tids {
            self.write(&format!("{pid}/task/{tid}/stat"), &format!("{tid} (x) S 1 {pid} {pid} 0 -1 0"));
            let status = format!("Tgid:\t{pid}\nTracerPid:\t0\nNSpid:\t{tid}\nNSpgid:\t{pid}\n");
            self.write(&format!("{pid}/task/{tid}/status"), &status);
            self.write(&format!("{pid}/task/{tid}/children"), "");
        }
        let status = format!("Tgid:\t{pid}\nTracerPid:\t0\nNSpid:\t{pid}\nNSpgid:\t{pid}\n");
        self.write(&format!("{pid}/status"), &status);
        self.write(&format!("{pid}/stat"), &format!("{pid} (x) S 1 {pid} {pid} 0 -1 0"));
    }

    pub(super) fn write(&self, path: &str, content: &str) {
        let path = self.directory.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }

    pub(super) fn link(&self, path: &str, target: &str) {
        let path = self.directory.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::os::unix::fs::symlink(target, path).unwrap();
    }

    pub(super) fn set_bytes(&self, pid: Pid, address: u64, bytes: &[u8]) {
        let mut tables = self.tables.lock().unwrap();
        tables.memory.extend(bytes.iter().enumerate().map(|(at, byte)| ((pid, address + at as u64), *byte)));
    }

    pub(super) fn set_words(&self, address: u64, words: &[u32]) {
        let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_ne_bytes()).collect();
        self.set_bytes(PID, address, &bytes);
    }

    pub(super) fn runtime(&self, runtime: Runtime) {
        self.tables.lock().unwrap().runtime = Some(runtime);
    }

    /// Puts the thread into a function of the C library (empty: one without a
    /// name), called from these: in the C library unless they begin with `!`.
    pub(super) fn stack(&self, at: &str, callers: &[&str]) {
        self.name(LIBC + 0x10, at);
        for (depth, caller) in callers.iter().enumerate() {
            let (base, name) = match caller.strip_prefix('!') {
                Some(name) => (PROGRAM, name),
                None => (LIBC, *caller),
            };
            let address = base + 0x100 + depth as u64 * 0x20;
            self.set_bytes(PID, address - 7, &[0x90, 0x90, 0xe8, 1, 2, 3, 4]);
            self.set_bytes(PID, STACK + 8 * depth as u64, &address.to_ne_bytes());
            self.name(address, name);
        }
    }

    /// Whether the crate `parking_lot` is in the programs.
    pub(super) fn has_parking_lot(&self, is_there: bool) {
        self.tables.lock().unwrap().parking_lot = is_there;
    }

    fn name(&self, address: u64, name: &str) {
        if !name.is_empty() {
            self.tables.lock().unwrap().names.insert(address, name.to_owned());
        }
    }

    pub(super) fn world(&self) -> World {
        let root = Arc::new(ProcRoot::open(self.directory.path()).unwrap());
        World::with_source(root, Box::new(Fake(self.tables.clone())))
    }

    /// What a world that names every holder makes of the thread.
    pub(super) fn decode_precisely(&self) -> Option<Wait> {
        let call = Call::parse(self.syscall.as_bytes()).unwrap();
        let facts = Facts { pid: PID, tid: TID, state: self.state, call: &call, wchan: self.wchan, since: None };
        let mut world = self.world();
        world.precise(true);
        decode(&facts, &mut world)
    }

    /// What the registry makes of the thread.
    pub(super) fn decode(&self) -> Option<Wait> {
        let call = Call::parse(self.syscall.as_bytes()).unwrap();
        self.decode_call(&call)
    }

    /// The same, were the thread's call this.
    pub(super) fn decode_call(&self, call: &Call) -> Option<Wait> {
        let facts = Facts { pid: PID, tid: TID, state: self.state, call, wchan: self.wchan, since: None };
        decode(&facts, &mut self.world())
    }
}
