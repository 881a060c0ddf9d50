//! Every state of the panel at several sizes, and its keys.

use std::collections::BTreeSet;

use crossterm::event::KeyModifiers;
use ratatui::Terminal;
use ratatui::backend::TestBackend;

use super::*;
use crate::model::channel::{
    Cell, ChannelFacts, Fill, Losses, Measure, MessageCost, Placement, Rate, RatePoint, SIZES, SideNow, Sides, Spread,
    Waiting,
};
use crate::model::finding::{Finding, Observation};
use crate::model::histogram::{Distribution, Quantiles};
use crate::model::lab::WorkerCost;
use crate::model::{Fault, Nanos};
use crate::ui::director::Bursts;
use crate::ui::panels::Effect;
use crate::ui::theme::{Depth, Theme};

const NOW: Nanos = Nanos::from_secs(100);

fn theme() -> Theme {
    Theme::load("night", Depth::True).unwrap()
}

fn look<'a>(store: &'a Store, theme: &'a Theme) -> Look<'a> {
    Look { store, theme, now: NOW, boot: NOW, bursts: Bursts::Off }
}

fn distribution(first: u32, p50: u64) -> Distribution {
    let counts = vec![3, 40, 400, 220, 90, 30, 12, 4, 0, 1];
    let quantiles = Quantiles {
        count: counts.iter().sum(),
        mean: Nanos(p50),
        p50: Nanos(p50),
        p90: Nanos(p50 * 3 / 2),
        p99: Nanos(p50 * 2),
        p999: Nanos(p50 * 3),
        max: Nanos(p50 * 5),
    };
    Distribution { quantiles, first, counts }
}

fn series(transport: &str, wait: Waiting, rate: f64, p50: u64, queued: u64) -> Series {
    let wave = |i: u64| rate * (1.0 + 0.3 * (i as f64 / 6.0).sin());
    let point = |i| RatePoint {
        at: Nanos(NOW.0 - (99 - i) * 200_000_000),
        messages_per_s: wave(i) / 4096.0,
        bytes_per_s: wave(i),
    };
    let first = Distribution::bucket(Nanos(p50)).saturating_sub(2);
    Series {
        transport: transport.into(),
        state: LabState::Running,
        channel: Some(ChannelFacts { buffer: 65_536, wait, setup: Nanos(38_200) }),
        throughput: (0..100).map(point).collect(),
        cost: Some(MessageCost {
            cpu_ns: Sides { sender: 867.0, receiver: 863.0 },
            switches: Sides { sender: 0.001, receiver: 0.25 },
        }),
        round_trip: Some(Arc::new(distribution(first, p50))),
        open_loop: None,
        open_loop_rate: None,
        fill: Some(Fill { queued, capacity: 65_536, by: Measure::Fionread }),
        sides: None,
        core_to_core_ns: None,
        losses: Losses::default(),
        sent: 100_000,
        loses: false,
        flags: Vec::new(),
    }
}

/// A walk that has come to 16 KiB; datagrams of this size do not fit.
fn cells() -> Vec<Cell> {
    let at = |size: usize| {
        let rate = |best: f64| best * size as f64 / (size as f64 + 4096.0);
        let cell = |key: &str, best: f64| Cell {
            transport: key.into(),
            size,
            bytes_per_s: (key != "unix_stream" || size < 4096).then(|| rate(best)),
            round_trip_p50: Some(Nanos(40_000)),
            why: (key == "unix_stream" && size >= 4096).then(|| "a message of 4096 bytes does not fit".into()),
        };
        [cell("pipe", 9e9), cell("unix_stream", 4e9), cell("memfd_ring", 43e9)]
    };
    SIZES.into_iter().take_while(|size| *size <= 16 << 10).flat_map(at).collect()
}

fn running() -> IpcProgress {
    IpcProgress {
        state: LabState::Running,
        cost: WorkerCost { processes: 6, cpu_time: Nanos::from_secs(3) },
        spec: Some(IpcSpec::default()),
        series: vec![
            series("pipe", Waiting::Block, 4.7e9, 45_800, 64_000),
            series("unix_stream", Waiting::Block, 1.9e9, 38_000, 2_000),
            series("memfd_ring", Waiting::SpinPark, 21.5e9, 511, 30_000),
        ],
        cells: cells(),
    }
}

/// With a rate, and a sender that sleeps.
fn at_a_rate() -> IpcProgress {
    let mut progress = running();
    progress.spec = Some(IpcSpec { rate: Some(1000.0), ..IpcSpec::default() });
    for series in &mut progress.series {
        let closed = series.round_trip.as_ref().unwrap();
        series.open_loop = Some(Arc::new(distribution(closed.first + 4, closed.quantiles.p50.0 * 2)));
        series.open_loop_rate = Some(Rate { intended: 1000.0, reached: 998.0 });
    }
    let asleep = SideNow { asleep: true, place: Some("anon_pipe_write".into()) };
    progress.series[0].sides = Some([asleep, SideNow { asleep: false, place: None }]);
    progress.series[2].core_to_core_ns = Some(Spread { median: 28.0, min: 27.0, max: 31.0 });
    progress
}

/// The list of experiments, one of which was done and one of which is.
fn failing() -> State {
    let mut state = seen([running()]);
    press(&mut state, KeyCode::Char('f'));
    let text = "pipe: worker 4121 ended early: killed by SIGKILL; the sender saw: Broken pipe".into();
    let finding = Finding {
        observed: vec![Observation { text, as_documented: Some(true), chain: None }],
        statement: "A writer learns of the reader's end at its next write.".into(),
    };
    let found = vec![("kill-reader".into(), Ok(finding))];
    let progress = FailureProgress { running: Some("kill-writer".into()), found };
    let update = Update::Failures(Arc::new(Stamped { value: progress, ..Stamped::default() }));
    state.0.on_update(&update, &state.1);
    state
}

fn one_failed() -> IpcProgress {
    let mut progress = running();
    let what = "worker 4121 ended early: killed by SIGKILL; the sender saw: Broken pipe";
    progress.series[0].state = LabState::Failed(Fault::new("pipe receiver", what));
    progress.series[2].flags = vec!["CPU shared: waited 35% of the time".to_owned()];
    progress.series[1].losses = Losses { lost: 3, corrupt: 1 };
    progress.series[1].throughput.clear();
    progress.series[1].round_trip = None;
    progress
}

fn failed() -> IpcProgress {
    let fault = Fault::new("cross-cpu", "it needs two CPUs, and only CPU 0 is allowed here").hint("choose same-cpu");
    IpcProgress { state: LabState::Failed(fault), ..IpcProgress::default() }
}

fn starting() -> IpcProgress {
    IpcProgress { state: LabState::Starting, spec: Some(IpcSpec::default()), ..IpcProgress::default() }
}

type State = (View, Store);

/// A panel that has seen these, one after the other.
fn seen<const N: usize>(all: [IpcProgress; N]) -> State {
    let (mut panel, mut store) = (View::default(), Store::default());
    for progress in all {
        let update = Update::Ipc(Arc::new(Stamped { value: progress, ..Stamped::default() }));
        store.apply(update.clone(), NOW);
        panel.on_update(&update, &store);
    }
    (panel, store)
}

fn screen((panel, store): &mut State, width: u16, height: u16) -> Terminal<TestBackend> {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    let theme = theme();
    terminal.draw(|frame| panel.draw(frame, frame.area(), &look(store, &theme))).unwrap();
    terminal
}

fn press((panel, store): &mut State, code: KeyCode) -> Vec<LabCommand<IpcSpec>> {
    let theme = theme();
    match panel.on_key(&KeyEvent::new(code, KeyModifiers::NONE), &look(store, &theme)) {
        Reaction::Ignored => panic!("{code:?} is no key of the panel"),
        Reaction::Taken(effects) => effects
            .into_iter()
            .map(|effect| match effect {
                Effect::Send(Command::Ipc(command)) => command,
                other => panic!("{other:?}"),
            })
            .collect(),
    }
}

#[test]
fn every_state_looks_as_it_should() {
    insta::with_settings!({prepend_module_to_snapshot => false, snapshot_path => "snapshots"}, {
        for (width, height) in [(40, 6), (80, 21), (120, 37)] {
            let mut mapped = seen([running()]);
            press(&mut mapped, KeyCode::Char('h'));
            let mut explained = seen([running()]);
            press(&mut explained, KeyCode::Char('e'));
            let states = [
                ("idle", seen([])),
                ("starting", seen([starting()])),
                ("running", seen([running()])),
                ("one-failed", seen([one_failed()])),
                ("failed", seen([failed()])),
                ("stopped", seen([running(), IpcProgress::default()])),
                ("explained", explained),
                ("mapped", mapped),
                ("at-a-rate", seen([at_a_rate()])),
                ("failures", failing()),
            ];
            for (name, mut state) in states {
                let terminal = screen(&mut state, width, height);
                insta::assert_snapshot!(format!("{name}-{width}x{height}"), terminal.backend());
            }
        }
        insta::assert_snapshot!("at-a-rate-240x67", screen(&mut seen([at_a_rate()]), 240, 67).backend());
        insta::assert_snapshot!("running-240x67", screen(&mut seen([running()]), 240, 67).backend());
    });
}

#[test]
fn it_draws_at_every_size() {
    for progress in [IpcProgress::default(), running(), one_failed(), failed()] {
        let mut state = seen([progress]);
        for (width, height) in (1..30).flat_map(|n| [(n * 9, n * 3), (n * 3, n), (n, 30), (240, n)]) {
            screen(&mut state, width, height);
        }
    }
}

#[test]
fn enter_starts_and_stops() {
    let mut state = seen([]);
    assert_eq!(press(&mut state, KeyCode::Enter), [LabCommand::Run(IpcSpec::default())]);
    assert_eq!(press(&mut state, KeyCode::Enter), [LabCommand::Stop], "also before it is heard of");
    let mut state = seen([running()]);
    assert_eq!(press(&mut state, KeyCode::Char('s')), [LabCommand::Stop]);
    let mut state = seen([running(), IpcProgress::default()]);
    assert_eq!(press(&mut state, KeyCode::Enter), [LabCommand::Run(IpcSpec::default())]);
}

#[test]
fn settings_change_a_run_at_once_and_wait_otherwise() {
    let mut state = seen([]);
    assert_eq!(press(&mut state, KeyCode::Char(']')), []);
    let larger = IpcSpec { size: 16_384, ..IpcSpec::default() };
    assert_eq!(press(&mut state, KeyCode::Enter), [LabCommand::Run(larger.clone())]);
    let placed = IpcSpec { placement: Placement::CrossCpuAwake, ..larger };
    assert_eq!(press(&mut state, KeyCode::Char('p')), [LabCommand::Run(placed.clone())]);
    press(&mut state, KeyCode::Down);
    let fewer = IpcSpec { transports: vec!["pipe".into(), "memfd_ring".into()], ..placed.clone() };
    assert_eq!(press(&mut state, KeyCode::Char(' ')), [LabCommand::Run(fewer)]);
    assert_eq!(press(&mut state, KeyCode::Char(' ')), [LabCommand::Run(placed)], "in the registry's order again");
}

#[test]
fn a_walk_starts_stops_and_brings_its_size_along() {
    let mut state = seen([]);
    let walking = IpcSpec { walk: true, ..IpcSpec::default() };
    assert_eq!(press(&mut state, KeyCode::Char('a')), [LabCommand::Run(walking.clone())]);
    let further = IpcSpec { size: 64 << 10, ..walking };
    let update = Update::Ipc(Arc::new(Stamped {
        value: IpcProgress { spec: Some(further.clone()), ..running() },
        ..Stamped::default()
    }));
    state.0.on_update(&update, &state.1);
    assert_eq!(press(&mut state, KeyCode::Char('a')), [LabCommand::Run(IpcSpec { walk: false, ..further })]);
}

#[test]
fn experiments_are_chosen_and_done_on_a_page_of_their_own() {
    let (mut panel, store) = seen([running()]);
    let theme = theme();
    let hit = |panel: &mut View, code| panel.on_key(&KeyEvent::new(code, KeyModifiers::NONE), &look(&store, &theme));
    hit(&mut panel, KeyCode::Char('f'));
    hit(&mut panel, KeyCode::Down);
    match hit(&mut panel, KeyCode::Enter) {
        Reaction::Taken(effects) => match &*effects {
            [Effect::Send(Command::Failures(LabCommand::Run(key)))] => assert_eq!(&**key, FAILURES[1].key),
            other => panic!("{other:?}"),
        },
        Reaction::Ignored => panic!("Enter does it"),
    }
    assert_eq!(panel.cursor, 0, "the transports' cursor stays");
    hit(&mut panel, KeyCode::Esc);
    assert!(!panel.fails);
}

/// On a small screen as on a large one every word of an explanation can be read.
#[test]
fn every_explanation_can_be_read_to_its_end() {
    for (width, height) in [(40, 7), (80, 21), (120, 37)] {
        let mut state = seen([running()]);
        press(&mut state, KeyCode::Char('e'));
        for transport in TRANSPORTS {
            let about = transport.about();
            let all = [&[about.model], about.guarantees, about.failures].concat().join(" ");
            let wanted: BTreeSet<&str> = all.split_whitespace().chain(["How", "its", "sides", "wait:"]).collect();
            let mut read = BTreeSet::new();
            let mut last = String::new();
            loop {
                let text = screen(&mut state, width, height).backend().to_string();
                if text == last {
                    break;
                }
                let words = text.split(|c: char| c.is_whitespace() || "│╭╮╰╯\"".contains(c));
                read.extend(words.filter(|word| !word.is_empty()).map(str::to_owned));
                press(&mut state, KeyCode::PageDown);
                last = text;
            }
            let missing: Vec<_> = wanted.iter().filter(|word| !read.contains(**word)).collect();
            assert!(missing.is_empty(), "{} at {width}x{height}: {missing:?}\n{last}", about.key);
            press(&mut state, KeyCode::Down);
        }
    }
}

#[test]
fn a_rate_changes_a_run() {
    let mut state = seen([running()]);
    let at = |rate| LabCommand::Run(IpcSpec { rate, ..IpcSpec::default() });
    assert_eq!(press(&mut state, KeyCode::Char('r')), [at(Some(10.0))]);
    assert_eq!(press(&mut state, KeyCode::Char('R')), [at(None)]);
    assert_eq!(press(&mut state, KeyCode::Char('R')), [at(Some(1e5))]);
}

/// What came is shown, and beside it how much did not.
#[test]
fn a_transport_that_may_lose_shows_what_came_and_what_was_lost() {
    let mut progress = running();
    let losses = Losses { lost: 64_210, corrupt: 0 };
    progress.series[1] = Series { loses: true, losses, ..progress.series[1].clone() };
    for (width, height) in [(80, 24), (120, 40), (240, 67)] {
        let text = screen(&mut seen([progress.clone()]), width, height).backend().to_string();
        assert!(text.contains("64.21% lost") && !text.contains("no figures"), "{text}");
    }
    // In the list of a screen that is not high there is little room.
    let mut list = String::new();
    for height in 20..40 {
        list += &screen(&mut seen([progress.clone()]), 120, height).backend().to_string();
    }
    assert!(list.lines().any(|line| line.contains("B/s −64%")), "{list}");
    assert!(!list.lines().any(|line| line.contains("64.21% los ")), "{list}");
    progress.series[1].loses = false;
    let text = screen(&mut seen([progress]), 120, 40).backend().to_string();
    assert!(text.contains("64210 lost, 0 corrupt: no"), "{text}");
}

#[test]
fn the_overviews_bursts_are_not_taken_for_a_run() {
    let burst = IpcProgress { spec: Some(IpcSpec::overview()), ..running() };
    let (panel, _) = seen([burst]);
    assert!(!panel.is_running() && panel.series().is_empty());
}

/// The status line says what the keys do in the view that is open.
#[test]
fn the_hints_are_those_of_the_view() {
    let shorts = |view: &View| -> Vec<&str> {
        view.hints().iter().map(|hint| hint.short).filter(|short| !short.is_empty()).collect()
    };
    let mut view = View::default();
    assert_eq!(shorts(&view)[..2], ["start/stop", "tick"]);
    view.act(Act::Failures);
    assert_eq!(shorts(&view), ["do it", "choose", "scroll", "close", "explain"]);
    let ticked = view.spec.transports.clone();
    view.act(Act::Tick);
    assert_eq!(view.spec.transports, ticked, "nothing that cannot be seen is changed");
    view.act(Act::Explain);
    assert_eq!(shorts(&view)[..4], ["close", "scroll", "next", "start/stop"]);
    view.act(Act::Explain);
    assert_eq!(shorts(&view)[0], "start/stop");
    view.act(Act::Map);
    assert_eq!(shorts(&view)[..4], ["close", "trips", "all sizes", "start/stop"]);
}
