//! The sampler on trees of ordinary files: nasty names, changes, readings that
//! hang.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod proc_tree;

use std::fs;
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::sync::Arc;
use std::time::Duration;

use proc_tree::{BY_HAND, Fake, PROCESSES, ProcTree, Watcher, process};
use syncscope::backend::Topics;
use syncscope::model::process::{State, Switches};
use syncscope::model::{Bytes, Nanos};

#[test]
fn names_from_outside_are_harmless() {
    let tree = ProcTree::new();
    let names: [(&[u8], &str); 5] = [
        (b"x) S 1 (y", "x) S 1 (y"),
        (b"\x1b[2Jboo", "\\x1b[2Jboo"),
        (b"bad\xff\xfe", "bad\\xff\\xfe"),
        (b"two\\nlines", "two\\nlines"),
        (b"back\\\\slash", "back\\slash"),
    ];
    for (pid, (comm, _)) in (10..).zip(names) {
        tree.put(&Fake { comm: comm.to_vec(), cmdline: [comm, b"\0\x07\0"].concat(), ..Fake::new(pid, "") });
    }
    fs::create_dir(tree.path().join("not-a-process")).unwrap();
    let table = Watcher::start(tree.path(), BY_HAND, PROCESSES).until("all", |table| table.value.complete);
    assert_eq!(table.value.processes.len(), names.len());
    for (pid, (_, shown)) in (10..).zip(names) {
        let process = process(&table, pid).unwrap();
        assert_eq!(&*process.name, shown);
        assert_eq!(&*process.cmdline[1], "\\x07");
    }
}

#[test]
fn the_first_reading_comes_in_two_steps() {
    let tree = ProcTree::new();
    for pid in 1..=300 {
        tree.put(&Fake::new(pid, "sleeper"));
    }
    // Command lines that cannot be read yet: the first step must not need them.
    let fifo = tree.file(150, "cmdline");
    fs::remove_file(&fifo).unwrap();
    mkfifo(&fifo);
    let mut watcher = Watcher::start(tree.path(), BY_HAND, PROCESSES);
    let first = watcher.until("the first table", |_| true);
    assert!(!first.value.complete);
    assert_eq!((first.seq, first.value.processes.len(), first.value.tally.processes), (1, 300, 300));
    assert!(first.value.processes.iter().all(|process| &*process.name == "sleeper" && process.cpu.is_none()));
    fs::write(&fifo, "now\0").unwrap();
    let whole = watcher.until("the whole table", |table| table.value.complete);
    assert_eq!(&*process(&whole, 150).unwrap().cmdline[0], "now");
    assert_eq!(process(&whole, 151).unwrap().cmdline.len(), 2);
}

#[test]
fn only_what_changed_is_published_anew() {
    let tree = ProcTree::new();
    let mut busy = Fake::new(7, "busy");
    tree.put(&Fake::new(6, "idle"));
    tree.put(&busy);
    let mut watcher = Watcher::start(tree.path(), BY_HAND, PROCESSES);
    watcher.until("the first table", |table| table.value.complete);
    std::thread::sleep(Duration::from_millis(120));
    let before = watcher.sample();
    assert_eq!(process(&before, 6).unwrap().cpu, Some(0.0));
    busy.run(30_000_000);
    busy.state = 'R';
    tree.put(&busy);
    std::thread::sleep(Duration::from_millis(120));
    let after = watcher.sample();
    assert!(Arc::ptr_eq(before.value.process(6).unwrap(), after.value.process(6).unwrap()));
    let ran = process(&after, 7).unwrap();
    let share = f64::from(ran.cpu.unwrap());
    let interval = after.at.since(before.at).as_secs_f64();
    assert!((share * interval - 0.03).abs() < 0.015, "30 ms in {interval} s is not a share of {share}");
    assert_eq!((ran.state, ran.cpu_time), (State::Running, Nanos(80_000_000)));
    assert_eq!(after.value.tally.running, 1);
    std::thread::sleep(Duration::from_millis(120));
    assert_eq!(process(&watcher.sample(), 7).unwrap().cpu, Some(0.0), "it rests again");
}

#[test]
fn what_changes_without_running_is_swept() {
    let tree = ProcTree::new();
    let mut idle = Fake::new(6, "idle");
    tree.put(&idle);
    let mut watcher = Watcher::start(tree.path(), Duration::from_millis(50), PROCESSES);
    watcher.until("the first table", |table| table.value.complete);
    (idle.rss_pages, idle.ppid) = (77, 4);
    tree.put(&idle);
    let pages = |table: &_| process(table, 6).map(|p| (p.rss, p.ppid));
    let page = rustix::param::page_size() as u64;
    watcher.until("the sweep", |table| pages(table) == Some((Bytes(77 * page), 4)));
}

#[test]
fn another_program_and_another_process_are_noticed() {
    let tree = ProcTree::new();
    let mut fake = Fake::new(6, "sh");
    tree.put(&fake);
    let mut watcher = Watcher::start(tree.path(), BY_HAND, PROCESSES);
    watcher.until("the first table", |table| table.value.complete);
    // An exec: name, command line and image change.
    fake.run(1_000);
    (fake.comm, fake.cmdline) = (b"sleep".to_vec(), b"sleep\x0060\0".to_vec());
    tree.put(&fake);
    let table = watcher.sample();
    let process_now = process(&table, 6).unwrap();
    assert_eq!((&*process_now.name, process_now.command()), ("sleep", "sleep 60".to_owned()));
    // The number given to another process.
    fake.run(1_000);
    (fake.started, fake.comm) = (9_000, b"other".to_vec());
    tree.put(&fake);
    let table = watcher.sample();
    let other = process(&table, 6).unwrap();
    assert_eq!((&*other.name, other.started, other.cpu), ("other", Nanos::from_secs(90), None));
}

#[test]
fn processes_come_end_and_stay_as_zombies() {
    let tree = ProcTree::new();
    let mut fake = Fake::new(6, "six");
    tree.put(&fake);
    let mut watcher = Watcher::start(tree.path(), BY_HAND, PROCESSES);
    watcher.until("the first table", |table| table.value.complete);
    tree.put(&Fake::new(5, "five"));
    fake.run(1_000);
    fake.state = 'Z';
    tree.put(&fake);
    let table = watcher.sample();
    assert_eq!(table.value.processes.iter().map(|p| p.pid).collect::<Vec<_>>(), [5, 6]);
    let zombie = process(&table, 6).unwrap();
    assert_eq!((zombie.state, zombie.cmdline.len(), table.value.tally.zombies), (State::Zombie, 0, 1));
    tree.remove(6);
    assert!(process(&watcher.sample(), 6).is_none());
    assert!(watcher.sample().value.faults.is_empty(), "a process that ends is no fault");
}

#[test]
fn torn_and_missing_files_leave_the_rest_alone() {
    let tree = ProcTree::new();
    tree.put(&Fake::new(6, "six"));
    tree.put(&Fake::new(7, "seven"));
    tree.write(7, "stat", b"7 (sev");
    fs::remove_file(tree.file(6, "schedstat")).unwrap();
    let mut watcher = Watcher::start(tree.path(), BY_HAND, PROCESSES);
    let table = watcher.until("the first table", |table| table.value.complete);
    assert!(process(&table, 7).is_none() && process(&table, 6).is_some());
    tree.put(&Fake { rss_pages: 12, ..Fake::new(6, "new name") });
    tree.put(&Fake { runs: 4, ..Fake::new(7, "seven") });
    let table = watcher.sample();
    assert_eq!(&*process(&table, 6).unwrap().name, "new name", "without schedstat everything is read each time");
    assert_eq!(&*process(&table, 7).unwrap().name, "seven");
}

#[test]
fn switches_and_io_are_read_where_watched_and_dropped_where_not() {
    let tree = ProcTree::new();
    let mut fake = Fake::new(6, "six");
    tree.put(&fake);
    tree.write(6, "status", b"Name:\tsix\nvoluntary_ctxt_switches:\t7\nnonvoluntary_ctxt_switches:\t8\n");
    tree.write(6, "io", b"rchar: 1\nread_bytes: 1000000\nwrite_bytes: 0\n");
    let topics = Topics { switches: true, io: true, ..PROCESSES };
    let mut watcher = Watcher::start(tree.path(), BY_HAND, topics);
    let first = watcher.until("the first table", |table| table.value.complete);
    let read = process(&first, 6).unwrap();
    assert_eq!(read.switches, Some(Switches { voluntary: 7, involuntary: 8 }));
    assert_eq!(read.io.map(|io| (io.read, io.read_rate)), Some((Bytes(1_000_000), 0.0)));
    std::thread::sleep(Duration::from_millis(120));
    tree.write(6, "io", b"rchar: 1\nread_bytes: 3000000\nwrite_bytes: 0\n");
    fake.run(1_000);
    tree.put(&fake);
    let second = watcher.sample();
    let rate = process(&second, 6).unwrap().io.unwrap().read_rate;
    let interval = second.at.since(first.at).as_secs_f64();
    assert!((rate * interval / 2e6 - 1.0).abs() < 0.4, "{rate} B/s over {interval} s");
    std::thread::sleep(Duration::from_millis(120));
    let rest = process(&watcher.sample(), 6).unwrap().io.unwrap();
    assert!(rest.read_rate < f64::MIN_POSITIVE, "it rests: {rest:?}");
    watcher.backend.send(syncscope::backend::Command::Watch(PROCESSES));
    fake.run(1_000);
    tree.put(&fake);
    let table = watcher.sample();
    let unwatched = process(&table, 6).unwrap();
    assert_eq!((unwatched.switches, unwatched.io), (None, None), "old figures would be false ones");
}

#[test]
fn threads_have_rows_of_their_own() {
    let tree = ProcTree::new();
    let mut main = Fake { threads: 3, ..Fake::new(6, "many") };
    tree.put(&main);
    let task = |fake: &Fake| {
        let directory = tree.path().join(format!("6/task/{}", fake.pid));
        fs::create_dir_all(&directory).unwrap();
        fs::write(directory.join("stat"), fake.stat()).unwrap();
        fs::write(directory.join("schedstat"), fake.schedstat()).unwrap();
    };
    let (mut worker, idle) = (Fake::new(8, "worker"), Fake::new(9, "idle"));
    task(&Fake::new(6, "many"));
    task(&worker);
    task(&idle);
    let mut watcher = Watcher::start(tree.path(), BY_HAND, Topics { threads: true, ..PROCESSES });
    let first = watcher.until("the first table", |table| table.value.complete);
    assert_eq!(
        first.value.threads_of(6).iter().map(|t| (t.tid, &*t.name)).collect::<Vec<_>>(),
        [(6, "many"), (8, "worker"), (9, "idle")]
    );
    assert_eq!((first.value.tally.processes, first.value.tally.threads), (1, 3));
    std::thread::sleep(Duration::from_millis(120));
    worker.run(20_000_000);
    worker.state = 'D';
    task(&worker);
    main.ticks += 2;
    tree.put(&main);
    let second = watcher.sample();
    let threads = second.value.threads_of(6);
    assert_eq!((threads[1].state, threads[2].state), (State::Disk, State::Sleeping));
    assert!(threads[1].cpu.unwrap() > 0.0 && threads[2].cpu == Some(0.0));
    fs::remove_dir_all(tree.path().join("6/task/9")).unwrap();
    tree.put(&Fake { threads: 2, ..main });
    assert_eq!(watcher.sample().value.threads_of(6).len(), 2);
    watcher.backend.send(syncscope::backend::Command::Watch(PROCESSES));
    assert!(watcher.sample().value.threads.is_empty());
}

#[test]
fn a_reading_that_hangs_costs_its_own_row_only() {
    let tree = ProcTree::new();
    let mut stuck = Fake::new(6, "stuck");
    let mut lively = Fake::new(7, "lively");
    tree.put(&stuck);
    tree.put(&lively);
    let mut watcher = Watcher::start(tree.path(), Duration::from_millis(50), PROCESSES);
    watcher.until("the first table", |table| table.value.complete);
    // An exec, after which the command line cannot be read.
    let fifo = tree.file(6, "cmdline");
    fs::remove_file(&fifo).unwrap();
    mkfifo(&fifo);
    stuck.run(1_000);
    stuck.comm = b"risen".to_vec();
    tree.write(6, "stat", &stuck.stat());
    tree.write(6, "schedstat", stuck.schedstat().as_bytes());
    let stale = watcher.until("the row is stale", |table| process(table, 6).is_some_and(|p| p.stale.is_some()));
    assert!(process(&stale, 7).unwrap().stale.is_none());
    assert!(stale.value.faults.iter().any(|fault| fault.source == "/proc/6"), "{:?}", stale.value.faults);
    for round in 0..3 {
        lively.run(1_000_000);
        lively.comm = format!("round {round}").into_bytes();
        tree.put(&lively);
        watcher.until("the others go on", |table| {
            process(table, 6).is_some_and(|p| p.stale.is_some())
                && process(table, 7).is_some_and(|p| *p.name == *format!("round {round}"))
        });
    }
    // Whoever held it lets go.
    let mut writer = fs::OpenOptions::new().write(true).open(&fifo).unwrap();
    fs::remove_file(&fifo).unwrap();
    fs::write(&fifo, "risen\0again\0").unwrap();
    writer.write_all(b"risen\0").unwrap();
    drop(writer);
    let back = watcher
        .until("the row is back", |table| process(table, 6).is_some_and(|p| p.stale.is_none() && p.cmdline.len() == 2));
    assert_eq!(process(&back, 6).unwrap().command(), "risen again");
    assert!(back.value.faults.is_empty(), "{:?}", back.value.faults);
    let others: Vec<u64> = [stale, back].iter().map(|table| table.seq).collect();
    assert!(others[0] < others[1], "the readings go on counting");
}

#[test]
fn a_first_reading_that_hangs_delays_the_others_by_little() {
    let tree = ProcTree::new();
    for pid in [5, 6, 7] {
        tree.put(&Fake::new(pid, "fine"));
    }
    for pid in [6, 7] {
        let fifo = tree.file(pid, "stat");
        fs::remove_file(&fifo).unwrap();
        mkfifo(&fifo);
    }
    let mut watcher = Watcher::start(tree.path(), Duration::from_millis(50), PROCESSES);
    let table = watcher.until("the one that can be read", |table| table.value.complete);
    assert_eq!(table.value.processes.len(), 1);
    assert_eq!(&*process(&table, 5).unwrap().name, "fine");
    assert_eq!(table.value.faults.len(), 2);
    for pid in [6, 7] {
        // Opening it for writing lets the reader in; closing it lets it go.
        drop(fs::OpenOptions::new().write(true).open(tree.file(pid, "stat")).unwrap());
        fs::remove_file(tree.file(pid, "stat")).unwrap();
        tree.write(pid, "stat", &Fake::new(pid, "late").stat());
    }
    watcher.until("all", |table| table.value.processes.len() == 3 && table.value.faults.is_empty());
}

#[test]
fn no_tree_at_all_is_a_fault() {
    let mut watcher = Watcher::start(std::path::Path::new("/nonexistent"), BY_HAND, PROCESSES);
    while watcher.faults.is_empty() {
        let _ = watcher.backend.bell().recv_timeout(proc_tree::DEADLINE);
        watcher.backend.poll(|update| {
            if let syncscope::backend::Update::Fault(fault) = update {
                watcher.faults.push(fault);
            }
        });
    }
    assert!(watcher.faults[0].to_string().starts_with("/nonexistent: cannot open"), "{}", watcher.faults[0]);
}

fn mkfifo(path: &std::path::Path) {
    let made = nix::unistd::mkfifo(path, nix::sys::stat::Mode::S_IRUSR | nix::sys::stat::Mode::S_IWUSR);
    assert!(made.is_ok(), "{:?}", path.as_os_str().as_bytes());
}
