//! SGR: the sequences that change how what follows looks.

use crate::model::ink::{Colour, Ink};

/// The look after a sequence with these parameters and that final byte.
/// Anything but a plain `CSI … m` leaves it as it is: `CSI > 4 ; 2 m`, for one,
/// is about keys.
pub(super) fn after(ink: Ink, parameters: &[u8], last: u8) -> Ink {
    let plain = |byte: &u8| matches!(byte, b'0'..=b'9' | b';' | b':');
    if last != b'm' || !parameters.iter().all(plain) {
        return ink;
    }
    let mut parts = parameters.split(|&byte| byte == b';');
    let mut ink = ink;
    while let Some(part) = parts.next() {
        // `38:2::1:2:3` stands for itself, `38;2;1;2;3` takes what follows.
        let mut inner = part.split(|&byte| byte == b':').map(number);
        let code = inner.next().flatten().unwrap_or(0);
        let own: Vec<Option<u32>> = inner.collect();
        match code {
            38 | 48 | 58 => {
                let colour = if own.is_empty() { in_parts(&mut parts) } else { in_one(&own) };
                match (code, colour) {
                    (38, Some(colour)) => ink.letters = colour,
                    (48, Some(colour)) => ink.ground = colour,
                    // Of a line below the letters, or no colour at all.
                    _ => {}
                }
            }
            4 if own.first() == Some(&Some(0)) => ink.marks &= !Ink::UNDERLINED,
            _ => one(&mut ink, code),
        }
    }
    ink
}

fn one(ink: &mut Ink, code: u32) {
    let low = (code % 10) as u8;
    match code {
        0 => *ink = Ink::default(),
        1 => ink.marks |= Ink::BOLD,
        2 => ink.marks |= Ink::FAINT,
        3 => ink.marks |= Ink::ITALIC,
        4 | 21 => ink.marks |= Ink::UNDERLINED,
        7 => ink.marks |= Ink::REVERSED,
        9 => ink.marks |= Ink::STRUCK,
        22 => ink.marks &= !(Ink::BOLD | Ink::FAINT),
        23 => ink.marks &= !Ink::ITALIC,
        24 => ink.marks &= !Ink::UNDERLINED,
        27 => ink.marks &= !Ink::REVERSED,
        29 => ink.marks &= !Ink::STRUCK,
        30..=37 => ink.letters = Colour::Ansi(low),
        39 => ink.letters = Colour::Default,
        40..=47 => ink.ground = Colour::Ansi(low),
        49 => ink.ground = Colour::Default,
        90..=97 => ink.letters = Colour::Ansi(8 + low),
        100..=107 => ink.ground = Colour::Ansi(8 + low),
        _ => {}
    }
}

/// `5;n` or `2;r;g;b`, as xterm has it.
fn in_parts<'a>(parts: &mut impl Iterator<Item = &'a [u8]>) -> Option<Colour> {
    // Missing ones are 0, as everywhere.
    let mut next = || parts.next().map(|part| number(part).unwrap_or(0));
    match next()? {
        5 => indexed(next()?),
        2 => rgb([next()?, next()?, next()?]),
        _ => None,
    }
}

/// `:5:n`, `:2:r:g:b`, or with a colour space `:2::r:g:b`, as ITU-T T.416 has
/// it.
fn in_one(own: &[Option<u32>]) -> Option<Colour> {
    let at = |index: usize| own.get(index).map(|part| part.unwrap_or(0));
    match at(0)? {
        5 => indexed(at(1)?),
        2 => {
            let first = if own.len() >= 5 { 2 } else { 1 };
            rgb([at(first)?, at(first + 1)?, at(first + 2)?])
        }
        _ => None,
    }
}

fn indexed(number: u32) -> Option<Colour> {
    let number = u8::try_from(number).ok()?;
    Some(if number < 16 { Colour::Ansi(number) } else { Colour::Indexed(number) })
}

fn rgb(parts: [u32; 3]) -> Option<Colour> {
    let [r, g, b] = parts.map(|part| u8::try_from(part).ok());
    Some(Colour::Rgb(r?, g?, b?))
}

/// A number; `None` where there is none. One that is too large stays so.
pub(super) fn number(digits: &[u8]) -> Option<u32> {
    let add = |sum: u32, digit: &u8| sum.saturating_mul(10).saturating_add(u32::from(digit.wrapping_sub(b'0')));
    (!digits.is_empty()).then(|| digits.iter().fold(0, add))
}

/// The sequence that gives this look to what follows, whatever it was before.
pub(super) fn sequence(ink: Ink) -> String {
    let mut codes = vec![0u8];
    let marks =
        [(Ink::BOLD, 1), (Ink::FAINT, 2), (Ink::ITALIC, 3), (Ink::UNDERLINED, 4), (Ink::REVERSED, 7), (Ink::STRUCK, 9)];
    codes.extend(marks.into_iter().filter(|(mark, _)| ink.has(*mark)).map(|(_, code)| code));
    for (colour, code) in [(ink.letters, 38), (ink.ground, 48)] {
        match colour {
            Colour::Default => {}
            Colour::Ansi(number) | Colour::Indexed(number) => codes.extend([code, 5, number]),
            Colour::Rgb(r, g, b) => codes.extend([code, 2, r, g, b]),
        }
    }
    let codes: Vec<String> = codes.iter().map(u8::to_string).collect();
    format!("\x1b[{}m", codes.join(";"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn letters(letters: Colour) -> Ink {
        Ink { letters, ..Ink::default() }
    }

    #[test]
    fn colours_come_in_all_their_spellings() {
        let rgb = Colour::Rgb(1, 20, 255);
        let cases: &[(&str, Ink)] = &[
            ("31", letters(Colour::Ansi(1))),
            ("97", letters(Colour::Ansi(15))),
            ("38;5;9", letters(Colour::Ansi(9))),
            ("38;5;208", letters(Colour::Indexed(208))),
            ("38:5:208", letters(Colour::Indexed(208))),
            ("38;2;1;20;255", letters(rgb)),
            ("38:2:1:20:255", letters(rgb)),
            ("38:2::1:20:255", letters(rgb)),
            ("48;2;1;20;255", Ink { ground: rgb, ..Ink::default() }),
            ("1;4;38;5;208", Ink { marks: Ink::BOLD | Ink::UNDERLINED, ..letters(Colour::Indexed(208)) }),
            ("58;5;1;3", Ink { marks: Ink::ITALIC, ..Ink::default() }),
            ("4:3", Ink { marks: Ink::UNDERLINED, ..Ink::default() }),
            ("4:0", Ink::default()),
            ("1;;", Ink::default()),
            ("", Ink::default()),
            ("5;8", Ink::default()),
            // What is no colour.
            ("38;5;256", Ink::default()),
            ("38;2;1;2", Ink::default()),
            ("38;2;1;2;300", Ink::default()),
            ("99999999999999999999", Ink::default()),
            (">4;2", Ink::default()),
            ("?1", Ink::default()),
        ];
        for (parameters, ink) in cases {
            assert_eq!(after(Ink::default(), parameters.as_bytes(), b'm'), *ink, "{parameters}");
        }
        let red = letters(Colour::Ansi(1));
        assert_eq!(after(red, b"1", b'K'), red, "no SGR");
        for (off, on) in [("22", "1;2"), ("23", "3"), ("24", "4:3"), ("27", "7"), ("29", "9"), ("39;49", "35;45")] {
            let marked = after(Ink::default(), on.as_bytes(), b'm');
            assert_ne!(marked, Ink::default());
            assert_eq!(after(marked, off.as_bytes(), b'm'), Ink::default(), "{off}");
        }
    }

    #[test]
    fn a_look_can_be_written_down_and_read_again() {
        for parameters in ["1;3;9;31;48;5;208", "2;4;7;38;2;1;2;3;107", "0"] {
            let ink = after(Ink::default(), parameters.as_bytes(), b'm');
            let written = sequence(ink);
            assert_eq!(after(letters(Colour::Ansi(3)), &written.as_bytes()[2..written.len() - 1], b'm'), ink);
        }
    }
}
