//! The panel's keys, and what can be done next in each of its views.

use crossterm::event::KeyCode;

use super::settings::Setting;
use crate::ui::keymap::{Binding, Hint, bind, code, hints, key};
use crate::ui::widgets::page;

/// What a key does.
#[derive(Clone, Copy, Debug)]
pub(super) enum Act {
    Move(isize),
    Tick,
    Run,
    Step(Setting, bool),
    Explain,
    Walk,
    Map,
    Trips,
    Failures,
}

/// The keys, where transports are measured.
pub(super) const KEYS: &[Binding<Act>] = &[
    bind(&[key('s'), code(KeyCode::Enter)], Act::Run, "start/stop", "start or stop measuring"),
    bind(&[key(' ')], Act::Tick, "tick", "measure this transport, or no longer"),
    bind(&[key(']'), code(KeyCode::Right)], Act::Step(Setting::Size, true), "larger", "larger messages"),
    bind(&[key('['), code(KeyCode::Left)], Act::Step(Setting::Size, false), "smaller", "smaller messages"),
    bind(&[key('e')], Act::Explain, "explain", "what this transport is, promises and how it fails"),
    bind(&[key('a')], Act::Walk, "all sizes", "go through all message sizes, again and again"),
    bind(&[key('f')], Act::Failures, "failures", "break channels, and see what each side sees"),
    bind(&[key('h')], Act::Map, "", "the map of sizes and transports alone"),
    bind(&[key('m')], Act::Trips, "", "the map shows round trips, or throughput"),
    bind(&[key('r')], Act::Step(Setting::Rate, true), "", "round trips also at a rate (open loop): next rate"),
    bind(&[key('R')], Act::Step(Setting::Rate, false), "", "rate before"),
    bind(&[key('p')], Act::Step(Setting::Placement, true), "", "next placement of the two processes"),
    bind(&[key('w')], Act::Step(Setting::Wait, true), "", "next way to wait"),
    bind(&[key('b')], Act::Step(Setting::Buffer, true), "", "next size of the channel's buffer"),
    bind(&[key('B')], Act::Step(Setting::Buffer, false), "", "buffer size before"),
    bind(&[key('c')], Act::Step(Setting::Payload, true), "", "how much of each message is written and checked"),
    bind(&[code(KeyCode::Up), key('k')], Act::Move(-1), "", "transport above"),
    bind(&[code(KeyCode::Down), key('j')], Act::Move(1), "", "transport below"),
];

/// What can be done where the experiments are shown.
pub(super) fn of_failures() -> Vec<Hint> {
    vec![
        Hint::new("s Enter", "do it", "do the selected experiment, with real processes"),
        Hint::new("↓ ↑ j k", "choose", "experiment below, experiment above"),
        page::hint(),
        Hint::new("f Esc", "close", "back to the measurements"),
        Hint::new("e", "explain", "what the selected transport is, promises and how it fails"),
    ]
}

/// What can be done beside an explanation: all that can be done without one.
pub(super) fn of_explanation() -> Vec<Hint> {
    let first = [
        Hint { keys: "e Esc".to_owned(), short: "close", long: "close the explanation" },
        page::hint(),
        Hint { keys: "↓ ↑".to_owned(), short: "next", long: "the transport below, the one above" },
    ];
    let others = hints(KEYS).into_iter().filter(|hint| hint.keys != "e" && !hint.keys.starts_with(['↑', '↓']));
    first.into_iter().chain(others).collect()
}

/// What can be done where the map has the screen for itself.
pub(super) fn of_map() -> Vec<Hint> {
    let first = [
        Hint { keys: "h Esc".to_owned(), short: "close", long: "back to all of the panel" },
        Hint { keys: "m".to_owned(), short: "trips", long: "the map shows round trips, or throughput" },
        Hint { keys: "a".to_owned(), short: "all sizes", long: "go through all message sizes, again and again" },
    ];
    let others = hints(KEYS).into_iter().filter(|hint| !["h", "m", "a"].contains(&&*hint.keys));
    first.into_iter().chain(others).collect()
}
