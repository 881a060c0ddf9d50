use std::collections::BTreeMap;
use std::fs::File;
use std::sync::Mutex;
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use super::*;
use crate::backend::observe::target::elf::Elf;
use crate::backend::observe::target::maps::{FileId, Maps};
use crate::backend::observe::wait::Call;
use crate::model::Pid;
use crate::sys::memory;

#[test]
fn a_prologue_is_followed_only_where_it_is_understood() {
    // push rbp; mov rsp,rbp; push r15; push rbx; sub $0x20,rsp
    let code = [0x55, 0x48, 0x89, 0xe5, 0x41, 0x57, 0x53, 0x48, 0x83, 0xec, 0x20, 0x90];
    assert_eq!(below_rbp(&code, 2), Some(16 + 0x20));
    assert_eq!(below_rbp(&code, 1), None, "another push than the table says");
    assert_eq!(below_rbp(&code, 3), None);
    let large = [0x55, 0x48, 0x89, 0xe5, 0x48, 0x81, 0xec, 0, 1, 0, 0];
    assert_eq!(below_rbp(&large, 0), Some(0x100));
    let negative = [0x55, 0x48, 0x89, 0xe5, 0x48, 0x83, 0xec, 0x80];
    assert_eq!(below_rbp(&negative, 0), None, "it makes room for nothing");
    let aligned = [0x55, 0x48, 0x89, 0xe5, 0x53, 0x50, 0x90];
    assert_eq!(below_rbp(&aligned, 1), Some(16));
    let and = [0x55, 0x48, 0x89, 0xe5, 0x48, 0x83, 0xe4, 0xe0];
    assert_eq!(below_rbp(&and, 0), None, "the stack is aligned by as much as nobody knows");
    assert_eq!(below_rbp(&[0x53], 0), None);
}

#[test]
fn a_damaged_table_ends_the_walk() {
    for bytes in [vec![], vec![0xff; 64], vec![0; 4], (0..200).collect::<Vec<u8>>()] {
        let table = FrameTable::new(bytes, 0x1000);
        let walk = walk(Registers::new(0x7000, 0x2000), |_| Some((&table, 0)), |_, _| true, |_| None);
        assert_eq!(walk, Walk::default());
    }
}

static HELD: Mutex<u64> = Mutex::new(0);

#[inline(never)]
fn block_on_the_lock(depth: u32) -> u64 {
    if depth == 0 { *HELD.lock().unwrap() } else { block_on_the_lock(depth - 1) + 1 }
}

fn blocked_at(pid: Pid, tid: Pid) -> (u64, u64) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while Instant::now() < deadline {
        let content = std::fs::read(format!("/proc/{pid}/task/{tid}/syscall")).unwrap();
        if let Some(Call::Blocked { call, sp, pc }) = Call::parse(&content)
            && call.number == libc::SYS_futex
            && call.args[0] == &raw const HELD as u64
        {
            return (sp, pc);
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    panic!("the thread never waited");
}

#[test]
fn a_thread_that_waits_for_a_lock_is_walked_to_its_beginning() {
    let guard = HELD.lock().unwrap();
    let (send, receive) = channel();
    let waiter = std::thread::spawn(move || {
        send.send(nix::unistd::gettid().as_raw()).unwrap();
        block_on_the_lock(5)
    });
    let (pid, tid) = (std::process::id() as Pid, receive.recv().unwrap());
    let (sp, pc) = blocked_at(pid, tid);
    let maps = Maps::parse(&std::fs::read("/proc/self/maps").unwrap());
    let mut files: BTreeMap<FileId, (Elf, FrameTable, u64)> = BTreeMap::new();
    for mapping in maps.all().iter().filter(|mapping| mapping.execute && mapping.file.is_some()) {
        let elf = Elf::open(File::open(&*mapping.name).unwrap()).unwrap();
        let section = elf.section(".eh_frame").unwrap().clone();
        let table = FrameTable::new(elf.content(&section).unwrap(), section.address);
        let moved = maps.beginning_of(mapping).unwrap().range.start - elf.first_page().unwrap();
        files.insert(mapping.file.unwrap(), (elf, table, moved));
    }
    let at = |address| files.get(&maps.find(address)?.file?);
    let walk = walk(
        Registers::new(sp, pc),
        |address| at(address).map(|(_, table, moved)| (table, *moved)),
        |address, buffer| memory::read(pid, address, buffer).is_ok(),
        |_| None,
    );
    drop(guard);
    assert_eq!(waiter.join().unwrap(), 5);
    let name = |frame: &Frame| {
        let own = frame.registers.pc - 1;
        let (elf, _, moved) = at(own)?;
        Some(elf.symbols(&[own - moved])[0].as_ref()?.name.to_string())
    };
    let names: Vec<String> = walk.frames.iter().map(|frame| name(frame).unwrap_or_default()).collect();
    assert!(walk.complete, "{names:#?}");
    assert!(names[0].contains("syscall"), "{names:#?}");
    assert!(names.iter().any(|name| name.contains("14lock_contended")), "{names:#?}");
    assert_eq!(
        names.iter().filter(|name| name.ends_with("block_on_the_lock") || name.contains("17block_on_the_lock")).count(),
        6,
        "{names:#?}"
    );
    assert!(walk.frames.windows(2).all(|pair| pair[0].cfa == pair[1].registers.sp), "{walk:#?}");
}
