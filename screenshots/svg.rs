//! A terminal's screen as an SVG: backgrounds, shapes and text, in a frame.

use std::fmt::Write;

use vt100::{Cell, Color, Screen};

use super::glyphs::{self, HEIGHT, WIDTH};

/// Around the screen.
const MARGIN: f32 = 16.0;
/// DejaVu Sans Mono is 0.602 em wide: 10 units at this size.
const FONT_SIZE: f32 = 16.6;
/// From the top of a cell to the base line of its text.
const BASE_LINE: f32 = 15.4;
/// What stands for the terminal's own colours.
const BACKGROUND: Rgb = Rgb(0x14, 0x16, 0x1a);
const FOREGROUND: Rgb = Rgb(0xc5, 0xc8, 0xc6);
/// The sixteen colours that terminals choose themselves.
const PALETTE: [Rgb; 16] = [
    Rgb(0x1d, 0x1f, 0x21),
    Rgb(0xcc, 0x66, 0x66),
    Rgb(0xb5, 0xbd, 0x68),
    Rgb(0xf0, 0xc6, 0x74),
    Rgb(0x81, 0xa2, 0xbe),
    Rgb(0xb2, 0x94, 0xbb),
    Rgb(0x8a, 0xbe, 0xb7),
    Rgb(0xc5, 0xc8, 0xc6),
    Rgb(0x66, 0x6a, 0x6e),
    Rgb(0xff, 0x7f, 0x7f),
    Rgb(0xd0, 0xe0, 0x8a),
    Rgb(0xff, 0xe0, 0x8a),
    Rgb(0xa0, 0xc8, 0xf0),
    Rgb(0xd8, 0xb0, 0xe0),
    Rgb(0xa8, 0xe0, 0xd8),
    Rgb(0xff, 0xff, 0xff),
];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Rgb(u8, u8, u8);

impl std::fmt::Display for Rgb {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "#{:02x}{:02x}{:02x}", self.0, self.1, self.2)
    }
}

/// How a cell looks, apart from what stands in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Style {
    foreground: Rgb,
    background: Rgb,
    bold: bool,
    italic: bool,
    underline: bool,
}

/// Draws the screen; `title` is for those who cannot see it.
pub(crate) fn draw(screen: &Screen, title: &str) -> String {
    let (rows, columns) = screen.size();
    let (width, height) = (f32::from(columns.get()) * WIDTH, f32::from(rows.get()) * HEIGHT);
    let (outer_width, outer_height) = (width + 2.0 * MARGIN, height + 2.0 * MARGIN);
    let mut drawing = Drawing::default();
    for row in 0..rows.get() {
        drawing.row(screen, row, columns.get());
    }
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {outer_width} {outer_height}\" \
         width=\"{outer_width}\" height=\"{outer_height}\" role=\"img\">\n<title>{}</title>\n\
         <rect width=\"100%\" height=\"100%\" rx=\"10\" fill=\"{BACKGROUND}\"/>\n\
         <g transform=\"translate({MARGIN} {MARGIN})\">\n\
         <g shape-rendering=\"crispEdges\">\n{}</g>\n<g fill=\"none\">\n{}</g>\n<g>\n{}</g>\n\
         <g font-family=\"'DejaVu Sans Mono','Menlo','Consolas',monospace\" font-size=\"{FONT_SIZE}\" \
         xml:space=\"preserve\">\n{}</g>\n</g>\n</svg>\n",
        escape(title),
        drawing.rectangles,
        drawing.strokes,
        drawing.dots,
        drawing.text,
    )
}

/// The layers, each drawn over those before.
#[derive(Default)]
struct Drawing {
    rectangles: String,
    strokes: String,
    dots: String,
    text: String,
}

// Writing to a String cannot fail, so the results of `writeln!` are let go.
impl Drawing {
    fn row(&mut self, screen: &Screen, row: u16, columns: u16) {
        let cells: Vec<(u16, &Cell, Style)> = (0..columns)
            .filter_map(|column| screen.cell(row, column).map(|cell| (column, cell, style(cell))))
            .collect();
        let top = f32::from(row) * HEIGHT;
        for run in cells.chunk_by(|a, b| a.2.background == b.2.background) {
            let background = run[0].2.background;
            if background != BACKGROUND {
                self.rectangle(f32::from(run[0].0) * WIDTH, top, run.len() as f32 * WIDTH, HEIGHT, background, 1.0);
            }
        }
        for run in cells.chunk_by(|a, b| a.2 == b.2 && is_plain(a.1) && is_plain(b.1)) {
            let (column, cell, style) = run[0];
            let left = f32::from(column) * WIDTH;
            if is_plain(cell) {
                let text: String = run.iter().map(|(_, cell, _)| or_blank(cell.contents())).collect();
                self.text(left, top, &text, text.chars().count() as f32, style);
            } else if !cell.is_wide_continuation() {
                self.other(left, top, cell, style);
            }
        }
    }

    /// A cell that is no ASCII text: a shape, or a character of its own so that
    /// another font's width moves nothing.
    fn other(&mut self, left: f32, top: f32, cell: &Cell, style: Style) {
        let color = style.foreground;
        let Some(c) = cell.contents().chars().next() else { return };
        if let Some(parts) = glyphs::block(c) {
            for (x, y, width, height, opacity) in parts {
                let (x, y) = (left + x * WIDTH, top + y * HEIGHT);
                self.rectangle(x, y, width * WIDTH, height * HEIGHT, color, opacity);
            }
        } else if let Some(strokes) = glyphs::lines(c, left, top) {
            for (path, width) in strokes {
                let _ = writeln!(self.strokes, "<path d=\"{path}\" stroke=\"{color}\" stroke-width=\"{width}\"/>");
            }
        } else if let Some(dots) = glyphs::braille(c) {
            for (x, y) in dots {
                let (x, y) = (left + x, top + y);
                let _ = writeln!(self.dots, "<circle cx=\"{x}\" cy=\"{y}\" r=\"1.5\" fill=\"{color}\"/>");
            }
        } else {
            self.text(left, top, cell.contents(), if cell.is_wide() { 2.0 } else { 1.0 }, style);
        }
    }

    fn rectangle(&mut self, x: f32, y: f32, width: f32, height: f32, fill: Rgb, opacity: f32) {
        let opacity = if opacity < 1.0 { format!(" opacity=\"{opacity}\"") } else { String::new() };
        let _ = writeln!(
            self.rectangles,
            "<rect x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\" fill=\"{fill}\"{opacity}/>"
        );
    }

    fn text(&mut self, left: f32, top: f32, text: &str, cells: f32, style: Style) {
        let leading = text.chars().take_while(|c| *c == ' ').count() as f32;
        let shown = text.trim();
        if shown.is_empty() {
            return;
        }
        let trailing = text.chars().rev().take_while(|c| *c == ' ').count() as f32;
        let (left, cells) = (left + leading * WIDTH, cells - leading - trailing);
        let weight = if style.bold { " font-weight=\"bold\"" } else { "" };
        let slant = if style.italic { " font-style=\"italic\"" } else { "" };
        let line = if style.underline { " text-decoration=\"underline\"" } else { "" };
        let _ = writeln!(
            self.text,
            "<text x=\"{left}\" y=\"{}\" textLength=\"{}\" fill=\"{}\"{weight}{slant}{line}>{}</text>",
            top + BASE_LINE,
            cells * WIDTH,
            style.foreground,
            escape(shown)
        );
    }
}

fn is_plain(cell: &Cell) -> bool {
    cell.contents().is_ascii() && !cell.is_wide_continuation()
}

fn or_blank(contents: &str) -> &str {
    if contents.is_empty() { " " } else { contents }
}

fn style(cell: &Cell) -> Style {
    let mut foreground = rgb(cell.fgcolor(), FOREGROUND);
    let mut background = rgb(cell.bgcolor(), BACKGROUND);
    if cell.inverse() {
        std::mem::swap(&mut foreground, &mut background);
    }
    if cell.dim() {
        let half = |a: u8, b: u8| u8::midpoint(a, b);
        let (f, b) = (foreground, background);
        foreground = Rgb(half(f.0, b.0), half(f.1, b.1), half(f.2, b.2));
    }
    Style { foreground, background, bold: cell.bold(), italic: cell.italic(), underline: cell.underline() }
}

fn rgb(color: Color, default: Rgb) -> Rgb {
    match color {
        Color::Default => default,
        Color::Rgb(r, g, b) => Rgb(r, g, b),
        Color::Idx(index @ 0..=15) => PALETTE[usize::from(index)],
        // xterm's cube of 6 × 6 × 6 and its 24 greys.
        Color::Idx(index @ 16..=231) => {
            let level = |step: u8| if step == 0 { 0 } else { 55 + 40 * step };
            let index = index - 16;
            Rgb(level(index / 36), level(index / 6 % 6), level(index % 6))
        }
        Color::Idx(index) => {
            let level = 8 + 10 * (index - 232);
            Rgb(level, level, level)
        }
    }
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
