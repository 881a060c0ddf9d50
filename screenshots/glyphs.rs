//! Characters that are drawn as shapes, so that they meet at the edges of
//! their cells: block elements, box drawings and braille patterns. Fonts draw
//! them with gaps wherever the line is higher than they think.

use std::fmt::Write;

/// Width of a cell in the drawing.
pub(crate) const WIDTH: f32 = 10.0;
/// Height of a cell.
pub(crate) const HEIGHT: f32 = 20.0;

/// A filled rectangle within a cell: left, top, width and height as shares of
/// the cell, and its opacity.
pub(crate) type Part = (f32, f32, f32, f32, f32);

/// The rectangles of a block element (U+2580 to U+259F).
pub(crate) fn block(c: char) -> Option<Vec<Part>> {
    let eighth = |n: u32| n as f32 / 8.0;
    let code = u32::from(c);
    Some(match code {
        0x2580 => vec![(0.0, 0.0, 1.0, 0.5, 1.0)],
        0x2581..=0x2588 => {
            let height = eighth(code - 0x2580);
            vec![(0.0, 1.0 - height, 1.0, height, 1.0)]
        }
        0x2589..=0x258f => vec![(0.0, 0.0, eighth(0x2590 - code), 1.0, 1.0)],
        0x2590 => vec![(0.5, 0.0, 0.5, 1.0, 1.0)],
        0x2591..=0x2593 => vec![(0.0, 0.0, 1.0, 1.0, (code - 0x2590) as f32 / 4.0)],
        0x2594 => vec![(0.0, 0.0, 1.0, eighth(1), 1.0)],
        0x2595 => vec![(eighth(7), 0.0, eighth(1), 1.0, 1.0)],
        0x2596..=0x259f => {
            // Quarters: 1 upper left, 2 upper right, 4 lower left, 8 lower right.
            let quarters = [4, 8, 1, 13, 9, 7, 11, 2, 6, 14][(code - 0x2596) as usize];
            let places = [(0.0, 0.0), (0.5, 0.0), (0.0, 0.5), (0.5, 0.5)].into_iter().enumerate();
            places.filter(|(bit, _)| quarters >> bit & 1 == 1).map(|(_, (x, y))| (x, y, 0.5, 0.5, 1.0)).collect()
        }
        _ => return None,
    })
}

/// The centres of a braille pattern's dots (U+2800 to U+28FF), in the drawing's
/// units from the cell's corner.
pub(crate) fn braille(c: char) -> Option<Vec<(f32, f32)>> {
    const PLACES: [(f32, f32); 8] =
        [(0.0, 0.0), (0.0, 1.0), (0.0, 2.0), (1.0, 0.0), (1.0, 1.0), (1.0, 2.0), (0.0, 3.0), (1.0, 3.0)];
    let dots = u32::from(c).checked_sub(0x2800).filter(|dots| *dots < 0x100)?;
    let set = PLACES.iter().enumerate().filter(|(bit, _)| dots >> bit & 1 == 1);
    Some(set.map(|(_, (x, y))| (WIDTH * (0.25 + 0.5 * x), HEIGHT * (0.125 + 0.25 * y))).collect())
}

/// For each box drawing character from U+2500 on, what goes up, right, down and
/// left from the middle: 0 nothing, 1 a light line, 2 a heavy, 3 a double one.
/// Those that are all 0 are drawn by [`special`].
const ARMS: &str = "\
0101 0202 1010 2020 0000 0000 0000 0000 0000 0000 0000 0000 0110 0210 0120 0220 \
    0011 0012 0021 0022 1100 1200 2100 2200 1001 1002 2001 2002 1110 1210 2110 1120 \
    2120 2210 1220 2220 1011 1012 2011 1021 2021 2012 1022 2022 0111 0112 0211 0212 \
    0121 0122 0221 0222 1101 1102 1201 1202 2101 2102 2201 2202 1111 1112 1211 1212 \
    2111 1121 2121 2112 2211 1122 1221 2212 1222 2122 2221 2222 0000 0000 0000 0000 \
    0303 3030 0310 0130 0330 0013 0031 0033 1300 3100 3300 1003 3001 3003 1310 3130 \
    3330 1013 3031 3033 0313 0131 0333 1303 3101 3303 1313 3131 3333 0000 0000 0000 \
    0000 0000 0000 0000 0001 1000 0100 0010 0002 2000 0200 0020 0201 1020 0102 2010";

/// A stroke: an SVG path and its width.
pub(crate) type Stroke = (String, f32);

/// The strokes of a box drawing character at the cell whose corner is (x, y).
pub(crate) fn lines(c: char, x: f32, y: f32) -> Option<Vec<Stroke>> {
    let index = u32::from(c).checked_sub(0x2500).filter(|index| *index < 0x80)? as usize;
    let arms = ARMS.split_ascii_whitespace().nth(index)?.as_bytes();
    if arms == b"0000" {
        return special(c, x, y);
    }
    let (middle_x, middle_y) = (x + WIDTH / 2.0, y + HEIGHT / 2.0);
    let ends = [(middle_x, y, true), (x + WIDTH, middle_y, false), (middle_x, y + HEIGHT, true), (x, middle_y, false)];
    let mut strokes = Vec::new();
    for ((end_x, end_y, vertical), weight) in ends.into_iter().zip(arms) {
        let width = match weight {
            b'1' => LIGHT,
            b'2' => HEAVY,
            b'3' => LIGHT,
            _ => continue,
        };
        // A little beyond the middle, so that corners are filled.
        let beyond = width / 2.0 * if vertical { (middle_y - end_y).signum() } else { (middle_x - end_x).signum() };
        let offsets: &[f32] = if *weight == b'3' { &[-2.0, 2.0] } else { &[0.0] };
        for offset in offsets {
            let path = if vertical {
                format!("M{} {end_y}V{}", middle_x + offset, middle_y + beyond)
            } else {
                format!("M{end_x} {}H{}", middle_y + offset, middle_x + beyond)
            };
            strokes.push((path, width));
        }
    }
    Some(strokes)
}

const LIGHT: f32 = 1.4;
const HEAVY: f32 = 2.8;

/// Dashes, round corners and diagonals.
fn special(c: char, x: f32, y: f32) -> Option<Vec<Stroke>> {
    let (middle_x, middle_y, right, bottom) = (x + WIDTH / 2.0, y + HEIGHT / 2.0, x + WIDTH, y + HEIGHT);
    let path = match c {
        '╭' => format!("M{middle_x} {bottom}V{}Q{middle_x} {middle_y} {right} {middle_y}", middle_y + 5.0),
        '╮' => format!("M{middle_x} {bottom}V{}Q{middle_x} {middle_y} {x} {middle_y}", middle_y + 5.0),
        '╯' => format!("M{middle_x} {y}V{}Q{middle_x} {middle_y} {x} {middle_y}", middle_y - 5.0),
        '╰' => format!("M{middle_x} {y}V{}Q{middle_x} {middle_y} {right} {middle_y}", middle_y - 5.0),
        '╱' => format!("M{right} {y}L{x} {bottom}"),
        '╲' => format!("M{x} {y}L{right} {bottom}"),
        '╳' => format!("M{right} {y}L{x} {bottom}M{x} {y}L{right} {bottom}"),
        _ => return dashes(c, x, y),
    };
    Some(vec![(path, LIGHT)])
}

fn dashes(c: char, x: f32, y: f32) -> Option<Vec<Stroke>> {
    // Light and heavy horizontal, light and heavy vertical, by dashes a cell.
    let (count, kind) = [(3, "┄┅┆┇"), (4, "┈┉┊┋"), (2, "╌╍╎╏")]
        .into_iter()
        .find_map(|(count, all)| Some((count, all.chars().position(|known| known == c)?)))?;
    let mut path = String::new();
    for dash in 0..count {
        let at = |length: f32| length / count as f32 * (dash as f32 + 0.2);
        let long = |length: f32| length / count as f32 * 0.6;
        // Writing to a String cannot fail.
        let _ = if kind < 2 {
            write!(path, "M{} {}h{}", x + at(WIDTH), y + HEIGHT / 2.0, long(WIDTH))
        } else {
            write!(path, "M{} {}v{}", x + WIDTH / 2.0, y + at(HEIGHT), long(HEIGHT))
        };
    }
    Some(vec![(path, if kind % 2 == 1 { HEAVY } else { LIGHT })])
}
