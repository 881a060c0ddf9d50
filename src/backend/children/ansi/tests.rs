use proptest::prelude::*;

use super::*;
use crate::model::ink::Colour;

fn text(bytes: &[u8]) -> String {
    paint(bytes, &mut Ink::default()).text.to_string()
}

#[test]
fn hostile_lines_become_harmless() {
    let cases: &[(&[u8], &str)] = &[
        (b"plain", "plain"),
        ("größe 进程".as_bytes(), "größe 进程"),
        (b"\x1b[1;31mred\x1b[0m text", "red text"),
        (b"\x1b[2J\x1b[Hcleared", "cleared"),
        (b"\x1b]0;title\x07after", "after"),
        (b"\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\", "link"),
        (b"\x1b]52;c;c2VjcmV0\x07paste", "paste"),
        (b"\x1bP+q544e\x1b\\\x1b_Gf=24;AAAA\x1b\\\x1bX\x1b\\\x1b^\x1b\\picture", "picture"),
        (b"\x1b(Bset\x1b=\x1bc", "set"),
        (b"\x1b[?1049h\x1b[?1000h\x1b[6n\x1b[c\x1b[>q\x1b[21tasks", "asks"),
        (b"\x0fMem\x1b[m\x0f\x1b[1m 12\x0e", "Mem 12"),
        (b"x\r\x0fMem\x0e", "Mem"),
        (b"\x1b]never ends", "\\x1b]never ends"),
        (b"\x1bktitle\x1b\\\x1bkno title", "no title"),
        (b"cut\x1b[3", "cut\\x1b[3"),
        (b"end\x1b", "end\\x1b"),
        (b"\x1b\x1b[mx", "\\x1bx"),
        (b"nul\0bell\x07", "nul\\x00bell\\x07"),
        (b"bad\xff\xfeutf8", "bad\\xff\\xfeutf8"),
        (b"\x9b31m\x9d0;t\x9c", "\\x9b31m\\x9d0;t\\x9c"),
        ("c1\u{9b}31m".as_bytes(), "c1\\x9b31m"),
        ("evil\u{202e}txt".as_bytes(), "evil\\u{202e}txt"),
        ("\r\x1b[31mevil\u{202e}\u{200b}".as_bytes(), "evil\\u{202e}\\u{200b}"),
        (b"", ""),
    ];
    for (bytes, shown) in cases {
        assert_eq!(text(bytes), *shown, "{}", bytes.escape_ascii());
    }
}

#[test]
fn a_line_shows_what_stood_there_last() {
    let cases: &[(&[u8], &str)] = &[
        (b"dos\r", "dos"),
        (b" 10%\r 20%\r 30%", " 30%"),
        (b" 10%\r 20%\r", " 20%"),
        (b"done\r9", "9one"),
        (b"working\r\x1b[Kdone", "done"),
        (b"working\x1b[2K\rdone", "done"),
        (b"working\x1b[1G\x1b[0Kok", "ok"),
        (b"|\x08/\x08-\x08\\", "\\"),
        (b"a\tb\t\tc", "a       b               c"),
        ("进\tx".as_bytes(), "进      x"),
        (b"abc\x1b[2D_", "a_c"),
        (b"abc\x1b[3C_", "abc   _"),
        (b"abcdef\r\x1b[2P", "cdef"),
        (b"abcdef\r\x1b[2@", "  abcdef"),
        (b"abcdef\r\x1b[2X", "  cdef"),
        (b"abcdef\x1b[3D\x1b[1K", "    ef"),
        ("进程\rx".as_bytes(), "x 程"),
        ("进程\r\x1b[C\x1b[31mx".as_bytes(), " x程"),
        ("ab进\x08\x08\x1b[K".as_bytes(), "ab"),
        // Other rows: words do not run together.
        (b"one\x1b[2;1Htwo\x1b[3;1Hthree", "one two three"),
        // As wide as it says, within reason.
        (b"\x1b[2147483647Cx\r\x1b[99999999999999@", &" ".repeat(1_001)),
    ];
    for (bytes, shown) in cases {
        assert_eq!(text(bytes), *shown, "{}", bytes.escape_ascii());
    }
}

#[test]
fn colours_are_kept_apart_and_go_on_in_the_next_line() {
    let mut ink = Ink::default();
    let red = Ink { letters: Colour::Ansi(1), ..Ink::default() };
    let painted = paint(b"a\x1b[31mred\x1b]0;t\x07 too", &mut ink);
    assert_eq!(&*painted.text, "ared too");
    let strokes = [Stroke { until: 1, ink: Ink::default() }, Stroke { until: 8, ink: red }];
    assert_eq!(painted.strokes.unwrap()[..], strokes);
    assert_eq!(ink, red);
    let painted = paint(b"still \x1b[mnot", &mut ink);
    assert_eq!(painted.strokes.unwrap()[0], Stroke { until: 6, ink: red });
    assert_eq!(paint(b"plain", &mut ink).strokes, None);
    // Written over: each letter as it was written last.
    let painted = paint(b"\x1b[31mabcd\r\x1b[0mxy", &mut ink);
    let strokes = [Stroke { until: 2, ink: Ink::default() }, Stroke { until: 4, ink: red }];
    assert_eq!((&*painted.text, &painted.strokes.unwrap()[..]), ("xycd", &strokes[..]));
}

#[test]
fn what_is_cut_waits_for_its_end() {
    for (bytes, at) in [
        (&b"abc"[..], 3),
        (b"ab\x1b[3", 2),
        (b"ab\x1b]0;t\x1b", 2),
        (b"ab\xe8\xbf", 2),
        (b"ab\xf0\x9f\x98", 2),
        (b"ab\xff", 3),
        ("进".as_bytes(), 3),
    ] {
        assert_eq!(whole(bytes), at, "{}", bytes.escape_ascii());
    }
    assert_eq!(end_of_string(b"x\x07y", false), End::At(2));
    assert_eq!(end_of_string(b"x\x1b", false), End::NotHere { escaped: true });
    assert_eq!(end_of_string(b"\\y", true), End::At(1));
    assert_eq!(end_of_string(b"[m", true), End::Broken(0));
    assert_eq!(end_of_string(b"x\x1b[m", false), End::Broken(2));
}

fn hostile() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        any::<u8>().prop_map(|byte| vec![byte]),
        prop_oneof![Just("\x1b"), Just("\x1b["), Just("\x1b]0;"), Just("\r"), Just("\t"), Just("\x08"), Just("进")]
            .prop_map(|piece| piece.as_bytes().to_vec()),
        "[0-9;]{0,4}[ABCDGHJKPXm@]".prop_map(|tail| format!("\x1b[{tail}").into_bytes()),
        "[a-z]{1,4}".prop_map(String::into_bytes),
    ];
    proptest::collection::vec(piece, 0..60).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn no_line_holds_a_control_character(bytes in hostile()) {
        let painted = paint(&bytes, &mut Ink::default());
        prop_assert!(!painted.text.chars().any(char::is_control), "{:?}", painted.text);
        if let Some(strokes) = &painted.strokes {
            prop_assert!(strokes.is_sorted_by_key(|stroke| stroke.until));
            prop_assert!(strokes.iter().all(|stroke| painted.text.is_char_boundary(stroke.until as usize)));
            prop_assert_eq!(strokes.last().unwrap().until as usize, painted.text.len());
        }
    }

    /// The shortcut for what goes on to the right, and the row, agree.
    #[test]
    fn both_ways_paint_the_same(bytes in hostile()) {
        let mut ink = Ink::default();
        let painted = paint(&bytes, &mut ink);
        let mut row = Row::new(Ink::default());
        row.write(&bytes);
        let mut canvas = Canvas::default();
        row.runs().iter().for_each(|(bytes, ink)| canvas.add(bytes, *ink));
        prop_assert_eq!(row.ink, ink);
        prop_assert_eq!(canvas.finish(), painted);
    }

    /// What was made short goes on as the whole would.
    #[test]
    fn a_short_form_goes_on_like_the_long_one(before in hostile(), after in hostile()) {
        let end = whole(&before);
        let (mut one, mut other) = (Ink::default(), Ink::default());
        let short = compact(&before[..end], one);
        let whole = paint(&[&before[..], &after].concat(), &mut one);
        let split = paint(&[short.as_slice(), &before[end..], &after].concat(), &mut other);
        prop_assert_eq!((whole.text, one), (split.text, other));
    }
}
