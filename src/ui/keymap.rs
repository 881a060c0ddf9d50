//! Keys and what they do: one table drives the dispatch, the help and the
//! status line, so that none of them can say what the others do not.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

/// A key with its modifiers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Chord {
    code: KeyCode,
    ctrl: bool,
}

/// A printable key; capital letters are keys of their own.
pub const fn key(c: char) -> Chord {
    Chord { code: KeyCode::Char(c), ctrl: false }
}

/// A key together with Control.
pub const fn ctrl(c: char) -> Chord {
    Chord { code: KeyCode::Char(c), ctrl: true }
}

/// A key that is no character.
pub const fn code(code: KeyCode) -> Chord {
    Chord { code, ctrl: false }
}

/// The same together with Control.
pub const fn ctrl_code(code: KeyCode) -> Chord {
    Chord { code, ctrl: true }
}

impl Chord {
    /// Whether this event is this key. Shift is part of the character itself.
    pub fn matches(self, event: &KeyEvent) -> bool {
        self.code == event.code && self.ctrl == event.modifiers.contains(KeyModifiers::CONTROL)
    }

    /// The key as people write it: `q`, `^L`, `Enter`, `↑`.
    pub fn label(self) -> String {
        let name = match self.code {
            KeyCode::Char(' ') => "Space".to_owned(),
            KeyCode::Char(c) => c.to_string(),
            KeyCode::Up => "↑".to_owned(),
            KeyCode::Down => "↓".to_owned(),
            KeyCode::Left => "←".to_owned(),
            KeyCode::Right => "→".to_owned(),
            KeyCode::PageUp => "PgUp".to_owned(),
            KeyCode::PageDown => "PgDn".to_owned(),
            KeyCode::Backspace => "Bksp".to_owned(),
            KeyCode::Delete => "Del".to_owned(),
            KeyCode::BackTab => "Shift-Tab".to_owned(),
            KeyCode::F(n) => format!("F{n}"),
            other => format!("{other:?}"),
        };
        if self.ctrl { format!("^{}", name.to_uppercase()) } else { name }
    }
}

/// One row of a key table: the keys, what they do, and how to say so.
#[derive(Clone, Copy, Debug)]
pub struct Binding<A: 'static> {
    /// Any of these keys.
    pub chords: &'static [Chord],
    /// What to do.
    pub act: A,
    /// A word for the status line; empty keeps it out of there.
    pub short: &'static str,
    /// A sentence part for the help.
    pub long: &'static str,
}

/// A row of a key table.
pub const fn bind<A>(chords: &'static [Chord], act: A, short: &'static str, long: &'static str) -> Binding<A> {
    Binding { chords, act, short, long }
}

/// What this event does according to a table.
pub fn lookup<A: Copy>(table: &[Binding<A>], event: &KeyEvent) -> Option<A> {
    table.iter().find(|b| b.chords.iter().any(|c| c.matches(event))).map(|b| b.act)
}

/// A row of a table without its action, for showing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hint {
    /// The keys, joined.
    pub keys: String,
    /// The word for the status line.
    pub short: &'static str,
    /// The text for the help.
    pub long: &'static str,
}

impl Hint {
    /// One of keys that are in no table.
    pub fn new(keys: &str, short: &'static str, long: &'static str) -> Self {
        Hint { keys: keys.to_owned(), short, long }
    }
}

/// A table's rows for showing.
pub fn hints<A>(table: &[Binding<A>]) -> Vec<Hint> {
    let labels = |b: &Binding<A>| b.chords.iter().map(|c| c.label()).collect::<Vec<_>>().join(" ");
    table.iter().map(|b| Hint { keys: labels(b), short: b.short, long: b.long }).collect()
}

/// What works everywhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Global {
    /// Open the panel of this number (1-based, as on the key).
    Panel(usize),
    /// The next panel.
    Next,
    /// The panel before.
    Previous,
    /// Back to the panel from which this one was opened.
    Back,
    /// Stop or go on taking new data in.
    Freeze,
    /// Switch the overview's labs off or on.
    Labs,
    /// The next theme.
    Theme,
    /// Sample more often.
    Faster,
    /// Sample less often.
    Slower,
    /// Show or hide the help.
    Help,
    /// Draw everything anew.
    Redraw,
    /// Suspend the program, as shells expect.
    Suspend,
    /// End the program.
    Quit,
}

/// The keys that work everywhere.
pub const GLOBAL: &[Binding<Global>] = &[
    bind(&[key('1')], Global::Panel(1), "", "overview"),
    bind(&[key('2')], Global::Panel(2), "", "processes"),
    bind(&[key('3')], Global::Panel(3), "", "waits"),
    bind(&[key('4')], Global::Panel(4), "", "children"),
    bind(&[key('5')], Global::Panel(5), "", "ipc lab"),
    bind(&[key('6')], Global::Panel(6), "", "lock lab"),
    bind(&[key('7')], Global::Panel(7), "", "ordering lab"),
    bind(&[code(KeyCode::Tab)], Global::Next, "", "next panel"),
    bind(&[code(KeyCode::BackTab)], Global::Previous, "", "previous panel"),
    bind(&[code(KeyCode::Backspace)], Global::Back, "", "back to the panel that led here"),
    bind(&[key('z')], Global::Freeze, "freeze", "freeze the screen, and go on again"),
    bind(&[key('L')], Global::Labs, "", "switch the overview's labs off and on"),
    bind(&[key('T')], Global::Theme, "", "next theme"),
    bind(&[key('+')], Global::Faster, "", "sample more often"),
    bind(&[key('-')], Global::Slower, "", "sample less often"),
    bind(&[key('?'), code(KeyCode::F(1))], Global::Help, "keys", "this help"),
    bind(&[ctrl('l')], Global::Redraw, "", "draw everything anew"),
    bind(&[ctrl('z')], Global::Suspend, "", "suspend; `fg` comes back"),
    bind(&[key('q'), ctrl('c'), code(KeyCode::F(10))], Global::Quit, "quit", "quit"),
];

/// Whether an action works even where a prompt takes every other key.
pub fn works_always(action: Global) -> bool {
    matches!(action, Global::Quit | Global::Suspend | Global::Redraw)
}

/// What works where a prompt takes every other key: the keys with Control.
pub fn hints_while_typing() -> Vec<Hint> {
    let with_control = |binding: &Binding<Global>| {
        let chord = binding.chords.iter().find(|chord| chord.ctrl).filter(|_| works_always(binding.act))?;
        Some(Hint { keys: chord.label(), short: binding.short, long: binding.long })
    };
    GLOBAL.iter().filter_map(with_control).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_key_means_two_things() {
        let chords: Vec<Chord> = GLOBAL.iter().flat_map(|b| b.chords.iter().copied()).collect();
        for (i, chord) in chords.iter().enumerate() {
            assert!(!chords[..i].contains(chord), "{} is bound twice", chord.label());
        }
    }

    #[test]
    fn while_typing_only_keys_with_control_are_offered() {
        let offered: Vec<String> = hints_while_typing().into_iter().map(|hint| hint.keys).collect();
        assert_eq!(offered, ["^L", "^Z", "^C"]);
    }

    #[test]
    fn events_find_their_binding() {
        let event = |code, modifiers| KeyEvent::new(code, modifiers);
        assert_eq!(lookup(GLOBAL, &event(KeyCode::Char('z'), KeyModifiers::NONE)), Some(Global::Freeze));
        assert_eq!(lookup(GLOBAL, &event(KeyCode::Char('z'), KeyModifiers::CONTROL)), Some(Global::Suspend));
        assert_eq!(lookup(GLOBAL, &event(KeyCode::Char('L'), KeyModifiers::SHIFT)), Some(Global::Labs));
        assert_eq!(lookup(GLOBAL, &event(KeyCode::Char('x'), KeyModifiers::NONE)), None);
        assert_eq!(hints(GLOBAL).iter().find(|h| h.long == "quit").unwrap().keys, "q ^C F10");
    }
}
