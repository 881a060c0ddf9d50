//! The keys of the panel.

use crossterm::event::KeyCode;

use crate::ui::keymap::{Binding, Hint, bind, code, hints, key};
use crate::ui::widgets::page;

/// What a key does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Act {
    StartStop,
    Select(isize),
    Change(bool),
    Vary,
    Try,
    Family(bool),
    Pick,
    Curve,
    Measure,
    Zoom(bool),
    Pause,
    Past(isize),
    Cursor(isize),
    Explain,
    Figures,
    Wrongly,
    Observe,
    Scroll(isize),
}

pub(super) const KEYS: &[Binding<Act>] = &[
    bind(
        &[key('s'), key(' '), code(KeyCode::Enter)],
        Act::StartStop,
        "start/stop",
        "let the threads contend, and stop them",
    ),
    bind(&[code(KeyCode::Down), key('j')], Act::Select(1), "setting", "next setting"),
    bind(&[code(KeyCode::Up), key('k')], Act::Select(-1), "", "setting before"),
    bind(&[code(KeyCode::Right), key('l')], Act::Change(true), "change", "the setting's next value"),
    bind(&[code(KeyCode::Left), key('h')], Act::Change(false), "", "the setting's value before"),
    bind(&[key('f')], Act::Family(true), "family", "the first primitive of the next family"),
    bind(&[key('F')], Act::Family(false), "", "the first primitive of the family before"),
    bind(&[key('/')], Act::Pick, "find", "choose a primitive from a list, and mark some for a curve"),
    bind(&[key('c')], Act::Curve, "curve", "throughput against threads, for the marked primitives or the chosen one"),
    bind(&[key('C')], Act::Measure, "", "measure the curve anew"),
    bind(&[key('v')], Act::Vary, "vary", "hold or think: fixed, uniform or exponential"),
    bind(&[key('t')], Act::Try, "try", "try instead of waiting, and back"),
    bind(&[key('e')], Act::Explain, "explain", "how the chosen lock works"),
    bind(&[key('i')], Act::Figures, "figures", "all figures, each with what it means"),
    bind(&[key('w')], Act::Wrongly, "wrongly", "use locks wrongly, and see what happens: deadlocks, poisoning, guards"),
    bind(&[key('o')], Act::Observe, "observe", "the contention of a running program, chosen in Processes"),
    bind(&[key('p')], Act::Pause, "pause", "hold the picture while the threads go on"),
    bind(&[key('<')], Act::Past(1), "back", "pause, and a picture further back"),
    bind(&[key('>')], Act::Past(-1), "", "a picture further on"),
    bind(&[key(',')], Act::Cursor(-1), "cursor", "pause, and read out one acquisition to the left"),
    bind(&[key('.')], Act::Cursor(1), "", "read out one acquisition to the right"),
    bind(&[key('[')], Act::Zoom(false), "zoom", "lanes: a shorter stretch of time"),
    bind(&[key(']')], Act::Zoom(true), "", "lanes: a longer stretch of time"),
    bind(&[code(KeyCode::PageDown)], Act::Scroll(1), "", "further threads"),
    bind(&[code(KeyCode::PageUp)], Act::Scroll(-1), "", "threads before"),
];

/// What can be done beside an explanation: all that can be done without one, save
/// that some keys scroll it.
pub(super) fn of_explanation() -> Vec<Hint> {
    let first = [Hint::new("e", "close", "close the explanation"), page::hint()];
    let others = hints(KEYS).into_iter().filter(|hint| hint.keys != "e" && !hint.keys.starts_with("Pg"));
    first.into_iter().chain(others).collect()
}
