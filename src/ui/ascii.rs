//! The screen in plain ASCII, for terminals and fonts that have nothing else.
//!
//! Panels draw as if every terminal knew Unicode; where it does not, the
//! finished frame is translated, glyph by glyph.

use ratatui::buffer::Buffer;

/// Translates every cell that is not ASCII into one that is.
pub fn flatten(buffer: &mut Buffer) {
    for cell in &mut buffer.content {
        let symbol = cell.symbol();
        if symbol.is_ascii() {
            continue;
        }
        let plain = symbol.chars().next().map_or(' ', ascii);
        cell.set_char(plain);
    }
}

/// The nearest ASCII character in meaning or shape.
fn ascii(c: char) -> char {
    match c {
        '│' | '┃' | '║' | '╎' | '┆' | '▏' | '▕' | '╵' | '╷' | '‖' => '|',
        '─' | '━' | '═' | '╌' | '┄' | '┈' | '—' | '–' | '−' => '-',
        '┌'..='╋' | '╒'..='╬' | '╭'..='╰' => '+',
        '█' | '▇' | '▆' | '▉' | '▊' | '▓' | '■' => '#',
        '▅' | '▄' | '▌' | '▋' | '▒' | '▀' | '▐' => '=',
        '▃' | '▂' | '▍' | '▎' => '-',
        '░' => ':',
        '▁' | '·' | '∙' | '…' | '⋯' => '.',
        '●' | '◆' | '▪' | '•' => '*',
        '○' | '◌' | '◇' | '□' => 'o',
        '▶' | '►' | '→' | '›' | '»' | '▸' | '⇒' | '↳' => '>',
        '◀' | '◄' | '←' | '‹' | '«' | '◂' => '<',
        '▲' | '↑' | '▴' | '∧' => '^',
        '▼' | '↓' | '▾' | '∨' => 'v',
        '⇄' | '↔' => '=',
        '✔' | '✓' => 'y',
        '✗' | '✘' | '×' | '⨯' => 'x',
        '↵' | '⏎' => '<',
        'µ' | 'μ' => 'u',
        '∀' => 'A',
        '∃' => 'E',
        '≤' => '<',
        '≥' | '⊒' => '>',
        '≠' | '⚑' => '!',
        '∪' => 'U',
        '∩' => '&',
        '∅' => '0',
        '∖' => '\\',
        '√' => 'V',
        '⁺' | '₊' => '+',
        '¬' => '!',
        '∈' => 'E',
        '☑' => 'x',
        '≈' => '~',
        '⁻' => '-',
        '⁰'..='⁹' | '¹' | '²' | '³' => superscript(c),
        '₀'..='₉' => char::from_digit(c as u32 - 0x2080, 10).unwrap_or('?'),
        'τ' => 't',
        'ᵢ' => 'i',
        'ⱼ' => 'j',
        '\u{2800}' => ' ',
        '\u{2801}'..='\u{28ff}' => {
            // Braille: the more dots, the darker.
            match (c as u32 - 0x2800).count_ones() {
                1..=2 => '.',
                3..=4 => ':',
                _ => '#',
            }
        }
        _ => '?',
    }
}

fn superscript(c: char) -> char {
    match c {
        '¹' => '1',
        '²' => '2',
        '³' => '3',
        other => char::from_digit((other as u32).wrapping_sub(0x2070) % 10, 10).unwrap_or('?'),
    }
}

/// Whether the locale says that the terminal takes UTF-8: `LC_ALL`, else
/// `LC_CTYPE`, else `LANG`, as locale(7) orders them. An empty locale is taken
/// for a modern terminal with no settings, as in a container.
pub fn locale_is_utf8() -> bool {
    let set = |name| std::env::var(name).ok().filter(|v| !v.is_empty());
    let locale = set("LC_ALL").or_else(|| set("LC_CTYPE")).or_else(|| set("LANG"));
    locale.is_none_or(|l| {
        let l = l.to_ascii_lowercase();
        l.contains("utf-8") || l.contains("utf8") || !(l == "c" || l == "posix" || l.contains('.'))
    })
}

#[cfg(test)]
mod tests {
    use ratatui::layout::Rect;
    use ratatui::style::Style;

    use super::*;

    /// The files in which people read what is written between quotes.
    fn sources(directory: &std::path::Path, found: &mut Vec<std::path::PathBuf>) {
        for entry in std::fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                sources(&path, found);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(path);
            }
        }
    }

    #[test]
    fn every_sign_that_the_program_draws_has_one_in_ascii() {
        let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
        let mut files = Vec::new();
        for part in ["ui", "model", "backend/lab"] {
            sources(&root.join(part), &mut files);
        }
        assert!(files.len() > 50, "{}", files.len());
        let of_a_script = |c: char| c.is_alphanumeric() && c.is_alphabetic();
        for file in files {
            let text = std::fs::read_to_string(&file).unwrap();
            for c in text.chars().filter(|c| !c.is_ascii() && !of_a_script(*c)) {
                assert_ne!(ascii(c), '?', "{c} of {}", file.display());
            }
        }
    }

    #[test]
    fn indices_of_formulas_stay_readable() {
        let formula: String =
            "gotᵢ ∩ gotⱼ = ∅ ∀ t₁ t₂ i≠j".chars().map(|c| if c.is_ascii() { c } else { ascii(c) }).collect();
        assert_eq!(formula, "goti & gotj = 0 A t1 t2 i!j");
    }

    #[test]
    fn nothing_but_ascii_is_left() {
        let mut buffer = Buffer::empty(Rect::new(0, 0, 40, 1));
        buffer.set_string(0, 0, "╭─┤ 4.1 µs ▂▃█ ⣿⠁ 进程 ∀t₁ → ✔ 10⁻¹⁰", Style::new());
        flatten(&mut buffer);
        let text: String = buffer.content.iter().map(ratatui::buffer::Cell::symbol).collect();
        assert!(text.is_ascii(), "{text}");
        assert!(text.starts_with("+-+ 4.1 us --# #."), "{text}");
    }
}
