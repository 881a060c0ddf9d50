use proptest::prelude::*;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

use super::*;

const AREA: Rect = Rect { x: 0, y: 0, width: 12, height: 4 };

/// What is written to go from one screen to another.
fn written(before: &Buffer, after: &Buffer) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut painter = Painter::new(&mut bytes);
    painter.columns.set(AREA.width);
    painter.draw(before.diff(after).into_iter()).unwrap();
    bytes
}

/// A screen as a terminal shows it: glyph, colours, bold and underline of every
/// cell; of a space what can be seen.
fn shown(parser: &vt100::Parser) -> Vec<String> {
    let cells = (0..AREA.height).flat_map(|y| (0..AREA.width).map(move |x| (y, x)));
    let show = |(y, x)| {
        let cell: &vt100::Cell = parser.screen().cell(y, x).unwrap();
        let (glyph, ground, line) = (cell.contents(), cell.bgcolor(), cell.underline());
        if matches!(glyph, "" | " ") && !cell.is_wide_continuation() {
            return format!("blank {ground:?} {line}");
        }
        format!("{glyph} {:?} {ground:?} {line} {} {}", cell.fgcolor(), cell.bold(), cell.inverse())
    };
    cells.map(show).collect()
}

fn parser() -> vt100::Parser {
    let cells = |n: u16| std::num::NonZeroU16::new(n).unwrap();
    vt100::Parser::new(cells(AREA.height), cells(AREA.width), 0)
}

fn style(number: u8) -> Style {
    let ink = [Color::Reset, Color::Rgb(1, 20, 255), Color::Indexed(200), Color::Red, Color::LightCyan];
    let ground = [Color::Reset, Color::Reset, Color::Rgb(9, 9, 9), Color::Blue];
    let modifiers = [Modifier::empty(), Modifier::BOLD, Modifier::UNDERLINED, Modifier::BOLD | Modifier::REVERSED];
    let pick = usize::from(number);
    Style::new().fg(ink[pick % 5]).bg(ground[pick / 5 % 4]).add_modifier(modifiers[pick / 20 % 4])
}

fn buffer(pieces: &[(u16, u16, u8, String)]) -> Buffer {
    let mut buffer = Buffer::empty(AREA);
    for (x, y, number, text) in pieces {
        buffer.set_string(*x, *y, text, style(*number));
    }
    buffer
}

fn pieces(alphabet: &'static str) -> impl Strategy<Value = Vec<(u16, u16, u8, String)>> {
    let piece = (0..AREA.width, 0..AREA.height, 0..80_u8, proptest::string::string_regex(alphabet).unwrap());
    proptest::collection::vec(piece, 0..12)
}

/// The same screen as ratatui's own backend leaves.
fn check(first: &Buffer, second: &Buffer) -> Result<(), TestCaseError> {
    let (mut ours, mut theirs) = (parser(), parser());
    let empty = Buffer::empty(AREA);
    for (before, after) in [(&empty, first), (first, second)] {
        ours.process(&written(before, after));
        let mut bytes = Vec::new();
        CrosstermBackend::new(&mut bytes).draw(before.diff(after).into_iter()).unwrap();
        theirs.process(&bytes);
    }
    prop_assert_eq!(shown(&ours), shown(&theirs));
    Ok(())
}

proptest! {
    #[test]
    fn the_terminal_shows_the_frame(first in pieces("[ab █é]{0,8}"), second in pieces("[ab █é]{0,8}")) {
        check(&buffer(&first), &buffer(&second))?;
    }

    #[test]
    fn nothing_is_shifted_by_a_glyph_of_doubtful_width(text in "[a進é\u{1f1e9}\u{e01}]{1,6}") {
        let mut bytes = Vec::new();
        let mut painter = Painter::new(&mut bytes);
        painter.columns.set(AREA.width);
        let after = buffer(&[(0, 0, 0, format!("{text}e\u{301}|"))]);
        painter.draw(Buffer::empty(AREA).diff(&after).into_iter()).unwrap();
        // Behind it stands where to go on, whatever the terminal made of it.
        let written = String::from_utf8(bytes).unwrap();
        let bar = (0..AREA.width).find(|&x| after[(x, 0)].symbol() == "|");
        prop_assume!(bar.is_some());
        let place = format!("\u{1b}[1;{}H|", bar.unwrap_or_default() + 1);
        prop_assert!(written.contains(&place), "{written:?} lacks {place:?}");
    }

    #[test]
    fn wide_glyphs_keep_their_order(first in pieces("[a 进程]{0,6}"), second in pieces("[a 进程]{0,6}")) {
        check(&buffer(&first), &buffer(&second))?;
    }
}

#[test]
fn nothing_is_written_for_nothing() {
    let frame = buffer(&[(1, 1, 7, "abc".to_owned())]);
    assert_eq!(written(&frame, &frame), b"");
}

#[test]
fn a_look_is_said_once_for_all_rows() {
    let pieces = |text: &str| {
        let of_row = |y| [(0, y, 1, text.to_owned()), (6, y, 2, text.to_owned())];
        (0..AREA.height).flat_map(of_row).collect::<Vec<_>>()
    };
    let bytes = written(&buffer(&pieces("1")), &buffer(&pieces("2")));
    assert_eq!(String::from_utf8(bytes).unwrap().matches('m').count(), 3, "two looks and the end");
}
