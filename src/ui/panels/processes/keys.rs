//! The keys of the table.

use crossterm::event::KeyCode;

use super::columns;
use crate::ui::keymap::{Binding, bind, code, ctrl, key};

/// What a key of the table does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Act {
    Move(isize),
    Page(isize),
    First,
    Last,
    Detail,
    Search,
    NextMatch,
    PreviousMatch,
    Filter,
    ClearFilter,
    Tree,
    Threads,
    Waits,
    Fold,
    FoldAll,
    Follow,
    Signal,
    Observe,
    SortBy(usize),
    SortNext,
    SortPrevious,
    Reverse,
}

/// The table of the keys.
pub(super) const KEYS: &[Binding<Act>] = &[
    bind(&[code(KeyCode::Enter)], Act::Detail, "detail", "the selected process in depth"),
    bind(&[key('/')], Act::Search, "find", "go to a process by name, command or pid"),
    bind(
        &[key('f'), code(KeyCode::F(4))],
        Act::Filter,
        "filter",
        "show only some: words, user:root, state:D, wait:mutex, cpu>5, !not",
    ),
    bind(&[key('t'), code(KeyCode::F(5))], Act::Tree, "tree", "as a tree of parents and children"),
    bind(&[key('H')], Act::Threads, "threads", "show threads"),
    bind(&[key('w')], Act::Waits, "", "show or leave out what they wait for, which leaves room and costs less"),
    bind(&[key('k'), code(KeyCode::F(9))], Act::Signal, "signal", "send a signal to the selected process; asks first"),
    bind(&[key('o')], Act::Observe, "", "observe which locks the selected process contends for"),
    bind(&[key('>')], Act::SortNext, "sort", "sort by the next column"),
    bind(&[key('<')], Act::SortPrevious, "", "sort by the column before"),
    bind(&[key('r')], Act::Reverse, "", "the other way round"),
    bind(&[key('P')], Act::SortBy(columns::CPU), "", "sort by CPU"),
    bind(&[key('M')], Act::SortBy(columns::MEMORY), "", "sort by memory"),
    bind(&[key('N')], Act::SortBy(columns::PID), "", "sort by pid"),
    bind(&[key('W')], Act::SortBy(columns::WAIT), "waits", "sort by wait: held ones first, oldest first"),
    bind(&[key('F')], Act::Follow, "", "keep the selected process in sight"),
    bind(&[key(' ')], Act::Fold, "", "fold or unfold children and threads"),
    bind(&[key('*')], Act::FoldAll, "", "fold or unfold all"),
    bind(&[key('n')], Act::NextMatch, "", "next match of the search"),
    bind(&[key('p')], Act::PreviousMatch, "", "match before"),
    bind(&[code(KeyCode::Esc)], Act::ClearFilter, "", "clear the filter"),
    bind(&[code(KeyCode::Up)], Act::Move(-1), "", "up"),
    bind(&[code(KeyCode::Down), key('j')], Act::Move(1), "", "down"),
    bind(&[code(KeyCode::PageUp), ctrl('b')], Act::Page(-1), "", "a page up"),
    bind(&[code(KeyCode::PageDown), ctrl('f')], Act::Page(1), "", "a page down"),
    bind(&[code(KeyCode::Home), key('g')], Act::First, "", "first row"),
    bind(&[code(KeyCode::End), key('G')], Act::Last, "", "last row"),
];
