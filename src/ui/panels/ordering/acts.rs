//! The panel's keys, and what they do.

use crossterm::event::KeyCode;

use crate::ui::keymap::{Binding, bind, code, ctrl_code, key};

/// What a key does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Act {
    StartStop,
    Stronger,
    Weaker,
    Cycle,
    Up,
    Down,
    Left,
    Right,
    Pick,
    Model,
    Strategy,
    AsWritten,
    Outcome(isize),
    Large,
    Written,
    Cost,
    Reload,
}

/// Its keys.
pub(super) const KEYS: &[Binding<Act>] = &[
    bind(&[key('s')], Act::StartStop, "start/stop", "start the test, and stop it"),
    bind(
        &[key(' '), code(KeyCode::Enter)],
        Act::Cycle,
        "change",
        "change the ordering under the cursor to the next that fits",
    ),
    bind(
        &[key('>'), key('.'), ctrl_code(KeyCode::Up)],
        Act::Stronger,
        "",
        "make the ordering under the cursor stronger",
    ),
    bind(&[key('<'), key(','), ctrl_code(KeyCode::Down)], Act::Weaker, "", "make it weaker"),
    bind(&[code(KeyCode::Left), key('h')], Act::Left, "", "to the thread on the left"),
    bind(&[code(KeyCode::Right), key('l')], Act::Right, "", "to the thread on the right"),
    bind(&[code(KeyCode::Up), key('k')], Act::Up, "", "to the ordering above"),
    bind(&[code(KeyCode::Down), key('j')], Act::Down, "", "to the ordering below"),
    bind(&[key('t')], Act::Pick, "test", "choose another test"),
    bind(&[key('m')], Act::Model, "model", "explain by the next model"),
    bind(&[key('S')], Act::Strategy, "strategy", "run it another way: auto, batched, perpetual, timebase"),
    bind(&[key(']'), key('n')], Act::Outcome(1), "outcome", "explain the next outcome of the table"),
    bind(&[key('['), key('N')], Act::Outcome(-1), "", "explain the outcome before"),
    bind(&[key('g')], Act::Large, "graph", "the execution, or the cycle that forbids it, as large as the panel"),
    bind(&[key('v')], Act::Written, "", "the test's text as it was written, in C or in Rust's short notation"),
    bind(&[key('c')], Act::Cost, "cost", "what each ordering costs on this machine, in place of the machine code"),
    bind(&[key('r')], Act::Reload, "", "read the file again"),
    bind(&[key('w')], Act::AsWritten, "as written", "all orderings as the test was written"),
];
