//! The points of the IPC lab as a table for people, as wide as there is room for.

use std::fmt::Write;

use crate::model::Nanos;
use crate::model::channel::{Change, IpcPoint, Mode, Sides, Spread};
use crate::model::histogram::Quantiles;
use crate::model::units::{Bytes, si};

const BAR: usize = 24;
/// Columns of the spread of the median round trips, where there is room for it.
const SPREAD: usize = 20;

/// Which columns are shown, and how wide the bars are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Columns {
    key: usize,
    bar: usize,
    /// So many of buffer, CPU time, switches and set-up time, from the first on.
    more: usize,
    /// How far apart the medians of the repetitions are.
    spreads: bool,
}

impl Columns {
    /// What fits: the bars give way first, then what is looked at least.
    fn fitting(key: usize, width: usize) -> Self {
        let steps = [(BAR, 4), (16, 4), (8, 4), (8, 3), (8, 2), (8, 1), (0, 1), (0, 0)];
        let steps = steps.map(|(bar, more)| Columns { key, bar, more, spreads: false });
        steps.into_iter().find(|columns| columns.width() <= width).unwrap_or(steps[steps.len() - 1])
    }

    fn width(self) -> usize {
        let bar = if self.bar > 0 { self.bar + 2 } else { 0 };
        let figures = 2 + self.key + 10 + 2 + 11 + 3 * 10;
        figures + bar + [7, 17, 13, 9][..self.more].iter().sum::<usize>()
    }

    /// A line's beginning up to its figures, without spaces behind it.
    fn start(self, name: &str, wait: &str, buffer: &str) -> String {
        let key = self.key;
        let buffer = if self.more > 0 { format!(" {buffer:>6}") } else { String::new() };
        format!("  {name:<key$} {wait:<9}{buffer}")
    }

    /// The figures.
    fn rest(self, bar: &str, figures: &str, [cpu, switches, setup]: [&str; 3]) -> String {
        let mut out = String::new();
        // Writing to a String cannot fail.
        if self.bar > 0 {
            let _ = write!(out, "  {bar:<width$}", width = self.bar);
        }
        let _ = write!(out, "  {figures}");
        for (text, width) in [(cpu, 15), (switches, 11), (setup, 7)].into_iter().take(self.more.saturating_sub(1)) {
            let _ = write!(out, "  {text:>width$}");
        }
        out
    }
}

/// The points of one size and buffer as a table, a bar to each row:
///
/// ```text
/// 64 B · cross-cpu · sampled payload · 5 repetitions
///
///   throughput   wait     buffer                            median         min … max       msg/s     cpu ns  switches   set up
///   pipe         block       64K  ██▌                     240 MB/s     231 … 252        3.75 M    260 270  0.01 0.01  80.0 µs
/// ```
///
/// In fewer than `width` columns, where that is known, there are fewer of them.
pub fn table(points: &[IpcPoint], width: Option<usize>) -> String {
    let mut out = String::new();
    let Some(first) = points.first() else { return out };
    // Writing to a String cannot fail.
    let _ = writeln!(
        out,
        "{} B · {} · {} payload · {} repetition{}\n",
        first.size,
        first.placement,
        first.payload,
        first.repeats,
        if first.repeats == 1 { "" } else { "s" }
    );
    let key = points.iter().map(|point| point.transport.len()).max().unwrap_or(0).max(12);
    let width = width.unwrap_or(usize::MAX);
    for mode in [Mode::Throughput, Mode::Latency] {
        let rows: Vec<_> = points.iter().filter(|point| point.mode == mode).collect();
        if rows.is_empty() {
            continue;
        }
        let spreads = mode == Mode::Latency && Columns::fitting(key, width.saturating_sub(SPREAD)).more == 4;
        let columns = Columns::fitting(key, if spreads { width.saturating_sub(SPREAD) } else { width });
        let columns = Columns { spreads, ..columns };
        let figures = match mode {
            Mode::Throughput => format!("{:>11}  {:>18}  {:>8}", "median", "min … max", "msg/s"),
            Mode::Latency => trips(["p50", "p99", "p99.9", "max"], spreads.then_some("p50 min … max")),
        };
        let name = if mode == Mode::Latency { "round trip" } else { "throughput" };
        let rest = columns.rest("", &figures, ["cpu ns s/r", "switches", "set up"]);
        let _ = writeln!(out, "{}{rest}", columns.start(name, "wait", "buffer"));
        let most = rows.iter().filter_map(|point| measure(point)).fold(0.0, f64::max);
        for point in rows {
            row(&mut out, point, most, columns, width);
        }
        out.push('\n');
    }
    out
}

/// The figures of round trips, or the words above them.
fn trips([p50, p99, p999, max]: [&str; 4], range: Option<&str>) -> String {
    let range = range.map_or(String::new(), |range| format!("  {range:>18}"));
    format!("{p50:>11}{range}  {p99:>8}  {p999:>8}  {max:>8}")
}

/// What the bar shows.
fn measure(point: &IpcPoint) -> Option<f64> {
    match point.mode {
        Mode::Throughput => point.throughput.map(|t| t.bytes_per_s.median),
        Mode::Latency => point.round_trip_ns.map(|q| q.p50.0 as f64),
    }
}

fn row(out: &mut String, point: &IpcPoint, most: f64, columns: Columns, width: usize) {
    let buffer = point.buffer.map_or("–".to_owned(), |buffer| Bytes(buffer).short());
    let start = columns.start(&point.transport, point.wait.name(), &buffer);
    let Some(value) = measure(point) else {
        let why = format!("– {}", point.skipped.clone().unwrap_or_else(|| lost(point)));
        if start.chars().count() + 2 + why.chars().count() <= width {
            let _ = writeln!(out, "{start}  {why}");
        } else {
            let _ = writeln!(out, "{start}");
            below(out, &why, columns, width);
        }
        return;
    };
    let figures = match (point.throughput, point.round_trip_ns) {
        (Some(throughput), _) => {
            let (bytes, messages) = (throughput.bytes_per_s, throughput.messages_per_s);
            let range = format!("{} … {}", si(bytes.min), si(bytes.max));
            format!("{:>11}  {range:>18}  {:>8}", rate(bytes.median), si(messages.median))
        }
        (_, Some(q)) => {
            let values = [q.p50, q.p99, q.p999, q.max].map(|value| value.to_string());
            let nanos = |value: f64| Nanos(value.round() as u64);
            let range = point.round_trip_p50_ns.map(|p50| format!("{} … {}", nanos(p50.min), nanos(p50.max)));
            let range = columns.spreads.then(|| range.unwrap_or_default());
            trips(values.each_ref().map(String::as_str), range.as_deref())
        }
        _ => String::new(),
    };
    let cpu = both(point.cpu_ns_per_message, si);
    let switches = both(point.switches_per_message, |value| format!("{value:.2}"));
    let setup = point.setup_ns.map_or("–".to_owned(), |setup| setup.to_string());
    let rest = columns.rest(&bar(value / most, columns.bar), &figures, [&cpu, &switches, &setup]);
    let _ = writeln!(out, "{start}{rest}");
    if let (Some(open), Some(rate)) = (point.open_loop_ns, point.open_loop_rate) {
        let Quantiles { p50, p99, p999, max, .. } = open;
        let (reached, intended) = (si(rate.reached), si(rate.intended));
        let text = format!("open loop, {reached} of {intended} msg/s: p50 {p50}, p99 {p99}, p99.9 {p999}, max {max}");
        below(out, &text, columns, width);
    }
    if let Some(change) = &point.baseline {
        below(out, &difference(change, point.mode), columns, width);
    }
    // That a round trip is a closed loop stands in the table's name for it.
    let flags: Vec<_> = point.flags.iter().filter(|flag| *flag != "closed loop").map(String::as_str).collect();
    if !flags.is_empty() {
        below(out, &format!("⚑ {}", flags.join(", ")), columns, width);
    }
}

/// Lines about a row, under its second column; what begins with a mark goes on
/// behind it.
fn below(out: &mut String, text: &str, columns: Columns, width: usize) {
    let mut indent = columns.key + 3;
    let hanging = if text.starts_with(['⚑', '–']) { 2 } else { 0 };
    let mut line = String::new();
    for word in text.split(' ') {
        let used = indent + line.chars().count();
        if !line.is_empty() && used + 1 + word.chars().count() > width {
            let _ = writeln!(out, "{:indent$}{line}", "");
            indent = columns.key + 3 + hanging;
            line.clear();
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    let _ = writeln!(out, "{:indent$}{line}", "");
}

/// How a figure stands to an earlier run: `+12.0% (−3.1 … +30.0%) against 4.10
/// GB/s before: within the spread`.
fn difference(change: &Change, mode: Mode) -> String {
    let percent = |ratio: f64| {
        let percent = (ratio - 1.0) * 100.0;
        format!("{}{:.1}", if percent < 0.0 { "−" } else { "+" }, percent.abs())
    };
    let before = match mode {
        Mode::Throughput => rate(change.before.median),
        Mode::Latency => Nanos(change.before.median.round() as u64).precise(),
    };
    let verdict = match change.beyond_spread {
        Some(true) => "beyond the spread",
        Some(false) => "within the spread",
        None => "too few repetitions to know the spread",
    };
    let Spread { median, min, max } = change.ratio;
    format!("{}% ({} … {}%) against {before} before: {verdict}", percent(median), percent(min), percent(max))
}

/// Why there are no figures although it ran.
fn lost(point: &IpcPoint) -> String {
    let said = point.flags.iter().find(|flag| flag.contains("lost"));
    said.cloned().unwrap_or_else(|| format!("{} lost, {} corrupt: no figures", point.lost, point.corrupt))
}

fn rate(bytes_per_s: f64) -> String {
    let text = si(bytes_per_s);
    if text.contains(' ') { format!("{text}B/s") } else { format!("{text} B/s") }
}

fn both(sides: Option<Sides>, show: impl Fn(f64) -> String) -> String {
    sides.map_or("–".to_owned(), |sides| format!("{} {}", show(sides.sender), show(sides.receiver)))
}

/// A bar in eighths of a character.
fn bar(share: f64, width: usize) -> String {
    const EIGHTHS: [&str; 8] = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];
    let eighths = ((share.clamp(0.0, 1.0) * (width * 8) as f64).round() as usize).max(1);
    format!("{}{}", "█".repeat(eighths / 8), EIGHTHS[eighths % 8])
}

/// What a sweep is at, for a terminal's standard error.
pub fn progress(done: usize, of: usize, what: &str) -> String {
    let share = done as f64 / of.max(1) as f64;
    format!("{:BAR$} {:>3.0}%  {what}", bar(share, BAR), share * 100.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::channel::Rate;
    use crate::report::ipc;
    use crate::report::ipc::tests::point;

    #[test]
    fn the_table_shows_the_open_loop_and_the_difference_with_its_spread() {
        let mut point = point(Mode::Latency);
        point.open_loop_ns = point.round_trip_ns;
        point.open_loop_rate = Some(Rate { intended: 20_000.0, reached: 19_990.0 });
        let spread = |median: f64| (Spread { median, min: median * 0.9, max: median * 1.1 }, 5);
        point.baseline = Some(Change::of(spread(4000.0), spread(4600.0)));
        point.round_trip_p50_ns = Some(spread(4600.0).0);
        let text = table(&[point.clone()], None);
        assert!(text.contains("open loop, 20.0 k of 20.0 k msg/s: p50 4.60 µs, p99 9.00 µs"), "{text}");
        assert!(text.contains("+15.0% (−5.9 … +40.6%) against 4.00 µs before: within the spread"), "{text}");
        assert!(text.contains("4.60 µs   4.14 µs … 5.06 µs "), "{text}");
        assert!(!table(&[point.clone()], Some(100)).contains("5.06 µs"), "where there is no room for it");
        assert_eq!(ipc::csv(&point).split(',').count(), ipc::CSV_HEADER.split(',').count());
        point.baseline = Some(Change::of(spread(400.0), spread(4600.0)));
        assert!(table(&[point], None).contains("beyond the spread"));
    }

    #[test]
    fn the_table_says_why_there_is_no_figure() {
        let skipped =
            IpcPoint { skipped: Some("it needs two CPUs".into()), round_trip_ns: None, ..point(Mode::Latency) };
        let text = table(&[point(Mode::Throughput), point(Mode::Latency), skipped], None);
        assert!(
            text.contains("240 MB/s") && text.contains("4.60 µs") && text.contains("– it needs two CPUs"),
            "{text}"
        );
        let lost = IpcPoint { lost: 3, throughput: None, ..point(Mode::Throughput) };
        assert!(table(&[lost], None).contains("3 lost, 0 corrupt: no figures"));
    }

    #[test]
    fn no_line_is_wider_than_the_terminal() {
        let mut long = point(Mode::Throughput);
        long.flags = vec!["CPU shared with 13723 rustc: waited 48% of the time".to_owned(), "steal 1.3%".to_owned()];
        let why = "no: a message of 1048576 bytes is above the limit fs.mqueue.msgsize_max, 8192 (raise it)";
        let skipped = IpcPoint { skipped: Some(why.into()), round_trip_ns: None, ..point(Mode::Latency) };
        let points = [long, point(Mode::Latency), skipped];
        for width in [80, 100, 120, 139, 200] {
            let text = table(&points, Some(width));
            assert!(text.lines().all(|line| line.chars().count() <= width), "{width}\n{text}");
            assert!(text.contains("240 MB/s") && text.contains("4.60 µs") && text.contains("steal 1.3%"), "{text}");
            assert_eq!(text.contains("set up"), width >= 123, "{width}\n{text}");
        }
        assert_eq!(table(&points, Some(139)).lines().nth(3), table(&points, None).lines().nth(3));
        let named: IpcPoint = IpcPoint { transport: "unix_datagram_abstract".into(), ..point(Mode::Latency) };
        assert!(table(&[named], Some(80)).lines().all(|line| line.chars().count() <= 80));
    }
}
