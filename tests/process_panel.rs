//! The process panel, drawn from made-up data: what is found, what is stale,
//! and every part of the detail view at three sizes; refused, and gone. After a
//! wanted change: `INSTA_UPDATE=always cargo test --test process_panel`.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::Arc;

use crossterm::event::{Event, KeyCode, KeyEvent, KeyModifiers};
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use syncscope::backend::Update;
use syncscope::model::detail::{
    Descriptor, DescriptorKind, Limit, Mapping, MappingKind, MemoryTotals, Namespace, OtherEnd, ProcessDetail,
};
use syncscope::model::process::{Process, ProcessTable, State, Thread};
use syncscope::model::wait::{Certainty, Wait, WaitKind};
use syncscope::model::{Bytes, Fault, Nanos, Pid, Stamped};
use syncscope::ui::app::{App, Clock, Settings};
use syncscope::ui::panels::PANELS;

const NOW: Nanos = Nanos::from_secs(5_000);
const SIZES: [(u16, u16); 3] = [(40, 8), (80, 24), (120, 40)];
const PARTS: [&str; 6] = ["threads", "descriptors", "memory", "limits", "environment", "identity"];

fn stamped<T>(value: T) -> Arc<Stamped<T>> {
    Arc::new(Stamped { at: NOW, took: Nanos(1_000), seq: 1, value })
}

fn wait() -> Wait {
    let mut wait = Wait::new(WaitKind::PipeRead, "pipe 48213 (fd 0)");
    wait.since = Some(Nanos::from_secs(4_800));
    wait.certainty = Certainty::Certain;
    wait.partial = true;
    wait.evidence = vec![
        "sleeps in anon_pipe_read on fd 0".into(),
        "the descriptors of 13 processes may not be read, any of them may have it open too: run as root or with \
         CAP_SYS_PTRACE"
            .into(),
    ];
    wait
}

fn process(pid: Pid, ppid: Pid, name: &str) -> Process {
    let argument = "--with-a-rather-long-argument=".to_owned() + &"0123456789".repeat(10);
    Process {
        pid,
        ppid,
        pgrp: pid,
        session: pid,
        uid: 0,
        user: Arc::from("root"),
        state: State::Sleeping,
        name: Arc::from(name),
        cmdline: Arc::from([Arc::from(format!("/usr/bin/{name}")), Arc::from(argument)]),
        kernel: false,
        cpu: Some(0.012),
        cpu_time: Nanos::from_millis(61_230),
        nice: 0,
        rss: Bytes(4 << 20),
        virt: Bytes(64 << 20),
        threads: 2,
        started: Nanos::from_secs(1_000),
        switches: None,
        io: None,
        wchan: None,
        call: None,
        wait: Some(Arc::new(wait())),
        stale: None,
    }
}

fn thread(tid: Pid, name: &str, wait: Option<Wait>) -> Arc<Thread> {
    Arc::new(Thread {
        pid: 4_121,
        tid,
        name: Arc::from(name),
        state: State::Sleeping,
        cpu: Some(0.25),
        cpu_time: Nanos::from_millis(1_230),
        started: Nanos::from_secs(1_000),
        last_cpu: 1,
        switches: None,
        wchan: Some(Arc::from("futex_do_wait")),
        call: None,
        wait: wait.map(Arc::new),
    })
}

fn detail() -> ProcessDetail {
    let descriptor = |fd, kind, target: &str, other_ends| Descriptor {
        address: None,
        fd,
        kind,
        target: Arc::from(target),
        access: Arc::from("rw"),
        position: None,
        cloexec: fd > 2,
        other_ends,
    };
    let end = OtherEnd { pid: 4_200, name: Arc::from("gzip"), fd: 1, role: Arc::from("writes") };
    let mapping = |name: &str, kind, rss| Mapping {
        name: Arc::from(name),
        kind,
        count: 3,
        size: Bytes(rss * 2),
        rss: Bytes(rss),
        pss: Bytes(rss / 2),
        permissions: Arc::from("rw"),
    };
    let namespace = |kind: &str, inode, ours| Namespace { kind: Arc::from(kind), inode, ours };
    ProcessDetail {
        pid: 4_121,
        process: Some(Arc::new(process(4_121, 1, "payments"))),
        exe: Ok(Arc::from("/usr/bin/payments")),
        cwd: Ok(Arc::from("/srv")),
        root: Ok(Arc::from("/")),
        threads: Ok(vec![thread(4_121, "payments", Some(wait())), thread(4_130, "worker-2", None)]),
        descriptors: Ok(vec![
            descriptor(0, DescriptorKind::Pipe, "pipe:[48213]", vec![end]),
            descriptor(3, DescriptorKind::UnixSocket, "socket:[48214]", vec![]),
            descriptor(4, DescriptorKind::File, "/srv/base.lock", vec![]),
        ]),
        memory: Ok(MemoryTotals { rss: Bytes(4 << 20), pss: Bytes(3 << 20), ..MemoryTotals::default() }),
        mappings: Ok(vec![
            mapping("[heap]", MappingKind::Heap, 2 << 20),
            mapping("/usr/lib/libc.so.6", MappingKind::File, 1 << 20),
        ]),
        limits: Ok(vec![Limit {
            name: Arc::from("Max open files"),
            soft: Some(1_024),
            hard: None,
            unit: Arc::from("files"),
        }]),
        environment: Ok(vec![Arc::from("HOME=/srv"), Arc::from("PATH=".to_owned() + &"/opt/tool/bin:".repeat(12))]),
        cgroup: Ok(vec![Arc::from("/system.slice/payments.service")]),
        namespaces: Ok(vec![namespace("mnt", 4_026_531_832, true), namespace("net", 4_026_532_000, false)]),
        children: Ok(vec![4_200, 4_201]),
    }
}

fn refused() -> ProcessDetail {
    fn no<T>(what: &str) -> Result<T, Fault> {
        let source = format!("/proc/4121/{what}");
        Err(Fault::new(source, "permission denied").hint("needs CAP_SYS_PTRACE: run as root"))
    }
    ProcessDetail {
        exe: no("exe"),
        cwd: no("cwd"),
        root: no("root"),
        descriptors: no("fd"),
        memory: no("smaps_rollup"),
        mappings: no("smaps"),
        environment: no("environ"),
        namespaces: no("ns"),
        ..detail()
    }
}

fn press(app: &mut App, code: KeyCode) {
    app.on_event(&Event::Key(KeyEvent::new(code, KeyModifiers::NONE)));
}

fn table(processes: Vec<Process>) -> Update {
    let processes = processes.into_iter().map(Arc::new).collect();
    Update::Processes(stamped(ProcessTable { processes, complete: true, ..ProcessTable::default() }))
}

/// The panel with these processes.
fn showing(processes: Vec<Process>) -> App {
    let panel = PANELS.iter().position(|p| p.name == "processes").unwrap();
    let mut app = App::new(Settings { panel, clock: Clock::Fixed(NOW, NOW), ..Settings::default() }).unwrap();
    app.on_update(&table(processes));
    app
}

/// Searches for a text and opens what is found.
fn open(app: &mut App, what: &str) {
    for c in format!("/{what}").chars() {
        press(app, KeyCode::Char(c));
    }
    press(app, KeyCode::Enter);
    press(app, KeyCode::Enter);
}

/// The panel with the process opened, at this part.
fn opened(part: usize) -> App {
    let mut app = showing(vec![process(4_121, 1, "payments"), process(4_200, 4_121, "gzip")]);
    open(&mut app, "4121");
    for _ in 0..part {
        press(&mut app, KeyCode::Right);
    }
    app
}

fn text(app: &mut App, (width, height): (u16, u16)) -> String {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    terminal.draw(|frame| app.draw(frame)).unwrap();
    terminal.draw(|frame| app.draw(frame)).unwrap();
    let cells = &terminal.backend().buffer().content;
    let row = |row: &[ratatui::buffer::Cell]| row.iter().map(ratatui::buffer::Cell::symbol).collect::<String>();
    cells.chunks(usize::from(width)).map(|cells| row(cells).trim_end().to_owned()).collect::<Vec<_>>().join("\n")
}

#[test]
fn every_part_at_every_size() {
    for (part, name) in PARTS.iter().enumerate() {
        for size in SIZES {
            let mut app = opened(part);
            app.on_update(&Update::Detail(stamped(detail())));
            insta::assert_snapshot!(format!("detail-{name}-{}x{}", size.0, size.1), text(&mut app, size));
        }
    }
}

#[test]
fn the_shown_part_is_named_at_any_width() {
    for (part, name) in ["Threads", "Descriptors", "Memory", "Limits", "Environment", "Identity"].iter().enumerate() {
        for width in [40, 60, 80] {
            let shown = text(&mut opened(part), (width, 8));
            assert!(shown.contains(name), "{width}:\n{shown}");
        }
    }
}

#[test]
fn what_is_refused_says_so_in_its_place_with_the_way_out() {
    for part in [1, 2, 4, 5] {
        let mut app = opened(part);
        app.on_update(&Update::Detail(stamped(refused())));
        for width in [44, 100] {
            let shown = text(&mut app, (width, 40));
            assert!(shown.contains("permission denied") && shown.contains("as root"), "{shown}");
        }
    }
}

#[test]
fn before_it_was_read_and_after_the_process_ended_it_says_so() {
    let mut app = opened(0);
    assert!(text(&mut app, (80, 24)).contains("reading …"));
    app.on_update(&table(vec![process(4_200, 1, "gzip")]));
    assert!(text(&mut app, (80, 24)).contains("process 4121 is gone"));
}

#[test]
fn long_values_are_wrapped_not_cut() {
    for (part, begin, end) in [(4, "PATH=/opt", "bin:"), (5, "/usr/bin/payments", "0123456789")] {
        let mut app = opened(part);
        app.on_update(&Update::Detail(stamped(detail())));
        let shown = text(&mut app, (80, 50));
        let all: String = shown.split(['│', '\n', ' ']).collect();
        let whole = if part == 4 { "/opt/tool/bin:".repeat(12) } else { "0123456789".repeat(10) };
        assert!(shown.contains(begin) && shown.contains(end) && all.contains(&whole), "{shown}");
    }
}

#[test]
fn a_number_finds_the_process_of_that_id_before_those_that_mention_it() {
    let mut first = process(100, 1, "watch");
    first.cmdline = Arc::from([Arc::from("watch"), Arc::from("ps -p 4121")]);
    first.cpu = Some(0.5);
    let mut app = showing(vec![first, process(4_121, 1, "payments")]);
    open(&mut app, "4121");
    assert!(text(&mut app, (80, 24)).contains("╭ 4121 payments"));
}

#[test]
fn a_stale_row_says_so_even_where_no_column_is_left_for_it() {
    let mut stale = process(4_121, 1, "payments");
    stale.stale = Some(Nanos::from_secs(4_990));
    let mut app = showing(vec![stale]);
    for size in SIZES {
        let shown = text(&mut app, size);
        assert!(shown.contains("stale 10s"), "{shown}");
    }
    open(&mut app, "4121");
    for size in SIZES {
        let shown = text(&mut app, size);
        assert!(shown.contains("4121 payments") && shown.contains("stale 10s: reading it hangs"), "{shown}");
    }
}
