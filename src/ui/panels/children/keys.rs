//! The keys of the panel.

use crossterm::event::KeyCode;

use crate::ui::keymap::{Binding, bind, code, ctrl, key};

/// What a key does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Act {
    Move(isize),
    Run,
    Again,
    Write,
    CloseStdin,
    Signal,
    Forget,
    Process,
    Search,
    Match(isize),
    Scroll(isize),
    Page(isize),
    Oldest,
    Follow,
    Wrap,
    Stamps,
    Build,
    Experiments,
    Side(isize),
    Stream,
    End,
    Raw,
}

/// The table of the keys.
pub(super) const KEYS: &[Binding<Act>] = &[
    bind(&[key('r')], Act::Run, "run", "run a command; quotes as in a shell, NAME=VALUE before it"),
    bind(&[key('b')], Act::Build, "build", "start a program by a form, with everything that can be said of it"),
    bind(&[key('i')], Act::Write, "input", "write a line to the child's standard input"),
    bind(&[key('I')], Act::Raw, "", "every key goes to its standard input as it is; ^] ends that"),
    bind(&[ctrl('d')], Act::CloseStdin, "", "close its standard input: the end of the file"),
    bind(&[key('k'), code(KeyCode::F(9))], Act::Signal, "signal", "send it a signal; asks first"),
    bind(&[key('X')], Act::End, "end", "ask it and its tree to end: SIGTERM, five seconds later SIGKILL"),
    bind(&[key('v')], Act::Side(1), "view", "next view: log, process, tree, life, start"),
    bind(&[key('V')], Act::Side(-1), "", "view before"),
    bind(&[key('e')], Act::Experiments, "experiments", "what can go wrong with child processes, by experiment"),
    bind(&[key('o')], Act::Stream, "", "show both outputs, standard output only, error output only"),
    bind(&[key('R')], Act::Again, "", "run the same command again"),
    bind(&[key('x'), code(KeyCode::Delete)], Act::Forget, "forget", "forget a child that has ended"),
    bind(&[code(KeyCode::Enter)], Act::Process, "process", "the child's process in depth"),
    bind(&[key('/')], Act::Search, "find", "find text in the log"),
    bind(&[key('n')], Act::Match(1), "", "next row that has it"),
    bind(&[key('p')], Act::Match(-1), "", "row before that has it"),
    bind(&[key('f'), code(KeyCode::End), key('G')], Act::Follow, "follow", "go to the log's end and follow it"),
    bind(&[code(KeyCode::Home), key('g')], Act::Oldest, "", "the oldest line that is kept"),
    bind(&[code(KeyCode::PageUp), ctrl('b')], Act::Page(-1), "", "a page up"),
    bind(&[code(KeyCode::PageDown), ctrl('f')], Act::Page(1), "", "a page down"),
    bind(&[key('K')], Act::Scroll(-1), "", "a line of the log or the view up"),
    bind(&[key('J')], Act::Scroll(1), "", "a line of the log or the view down"),
    bind(&[key('w')], Act::Wrap, "", "wrap long lines, or cut them"),
    bind(&[key('s')], Act::Stamps, "", "show or hide the times"),
    bind(&[code(KeyCode::Down), key('j')], Act::Move(1), "", "next child"),
    bind(&[code(KeyCode::Up)], Act::Move(-1), "", "child before"),
];
