//! A row of small columns: the recent past of one value.

const COLUMNS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// The last `width` values, newest on the right, each between 0 and `max`;
/// padded with spaces on the left where there are fewer.
pub fn text<I>(values: I, width: usize, max: f32) -> String
where
    I: IntoIterator<Item = f32>,
    I::IntoIter: ExactSizeIterator,
{
    let values = values.into_iter();
    let skip = values.len().saturating_sub(width);
    let mut out: String = std::iter::repeat_n(' ', width.saturating_sub(values.len())).collect();
    out.extend(values.skip(skip).map(|v| column(v, max)));
    out
}

fn column(value: f32, max: f32) -> char {
    if max <= 0.0 || !value.is_finite() {
        return COLUMNS[0];
    }
    COLUMNS[((value / max).clamp(0.0, 1.0) * 7.0).round() as usize]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn newest_is_on_the_right() {
        assert_eq!(text([0.0, 0.5, 1.0], 5, 1.0), "  ▁▅█");
        assert_eq!(text([1.0, 1.0, 0.0, 1.0], 2, 1.0), "▁█");
        assert_eq!(text([1.0], 1, 0.0), "▁");
    }
}
