//! The points of the IPC lab as JSON Lines, CSV and a table.

use std::fmt::Write;

use serde::Serialize;

use crate::model::Nanos;
use crate::model::channel::{Change, IpcPoint, Mode, Sides, Spread};
use crate::model::histogram::Quantiles;
use crate::model::units::{Bytes, si};

/// A point as one line of JSON, schema `syncscope.ipc/1`.
///
/// # Errors
/// None that can happen: a point has no keys but strings.
pub fn json(point: &IpcPoint) -> serde_json::Result<String> {
    #[derive(Serialize)]
    struct Line<'a> {
        schema: &'static str,
        #[serde(flatten)]
        point: &'a IpcPoint,
    }
    serde_json::to_string(&Line { schema: "syncscope.ipc/1", point })
}

/// The names of the columns of [`csv`].
pub const CSV_HEADER: &str = "transport,mode,size,buffer,placement,wait,payload,repeats,\
    count,mean_ns,p50_ns,p90_ns,p99_ns,p999_ns,max_ns,\
    bytes_per_s,bytes_per_s_min,bytes_per_s_max,messages_per_s,\
    sender_cpu_ns,receiver_cpu_ns,sender_switches,receiver_switches,setup_ns,lost,corrupt,flags,skipped,\
    open_rate,open_rate_reached,open_p50_ns,open_p90_ns,open_p99_ns,open_p999_ns,open_max_ns,\
    core_to_core_ns_min,core_to_core_ns_max,baseline_ratio,baseline_ratio_min,baseline_ratio_max,beyond_spread";

/// A point as a line of CSV (RFC 4180); what is not known is empty.
pub fn csv(point: &IpcPoint) -> String {
    let number = |value: Option<f64>| value.map_or(String::new(), |value| format!("{value:.3}"));
    let mut fields = vec![
        point.transport.to_string(),
        point.mode.to_string(),
        point.size.to_string(),
        point.buffer.map_or(String::new(), |buffer| buffer.to_string()),
        point.placement.to_string(),
        point.wait.to_string(),
        point.payload.to_string(),
        point.repeats.to_string(),
    ];
    match point.round_trip_ns {
        Some(Quantiles { count, mean, p50, p90, p99, p999, max }) => {
            fields.push(count.to_string());
            fields.extend([mean, p50, p90, p99, p999, max].map(|nanos| nanos.0.to_string()));
        }
        None => fields.extend(std::iter::repeat_n(String::new(), 7)),
    }
    let bytes = point.throughput.map(|t| t.bytes_per_s);
    fields.extend([
        number(bytes.map(|b| b.median)),
        number(bytes.map(|b| b.min)),
        number(bytes.map(|b| b.max)),
        number(point.throughput.map(|t| t.messages_per_s.median)),
    ]);
    for sides in [point.cpu_ns_per_message, point.switches_per_message] {
        fields.extend([number(sides.map(|s| s.sender)), number(sides.map(|s| s.receiver))]);
    }
    fields.push(point.setup_ns.map_or(String::new(), |nanos| nanos.0.to_string()));
    fields.extend([point.lost.to_string(), point.corrupt.to_string()]);
    fields.extend([quoted(&point.flags.join("; ")), quoted(point.skipped.as_deref().unwrap_or_default())]);
    let rate = point.open_loop_rate;
    fields.extend([number(rate.map(|rate| rate.intended)), number(rate.map(|rate| rate.reached))]);
    let open = point.open_loop_ns.map(|Quantiles { p50, p90, p99, p999, max, .. }| [p50, p90, p99, p999, max]);
    fields.extend((0..5).map(|index| open.map_or(String::new(), |open| open[index].0.to_string())));
    let (probe, ratio) = (point.core_to_core_ns, point.baseline.map(|change| change.ratio));
    fields.extend([number(probe.map(|p| p.min)), number(probe.map(|p| p.max))]);
    fields.extend([number(ratio.map(|r| r.median)), number(ratio.map(|r| r.min)), number(ratio.map(|r| r.max))]);
    let beyond = point.baseline.and_then(|change| change.beyond_spread);
    fields.push(beyond.map_or(String::new(), |beyond| beyond.to_string()));
    fields.join(",")
}

fn quoted(text: &str) -> String {
    if text.contains([',', '"', '\n', '\r']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text.to_owned() }
}

const BAR: usize = 24;

/// The points of one size and buffer as a table, a bar to each row:
///
/// ```text
/// 64 B · cross-cpu · sampled payload · 5 repetitions
///
///   throughput   wait     buffer                            median         min … max       msg/s     cpu ns  switches   set up
///   pipe         block       64K  ██▌                     240 MB/s     231 … 252        3.75 M    260 270  0.01 0.01  80.0 µs
/// ```
pub fn table(points: &[IpcPoint]) -> String {
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
    for mode in [Mode::Throughput, Mode::Latency] {
        let rows: Vec<_> = points.iter().filter(|point| point.mode == mode).collect();
        if rows.is_empty() {
            continue;
        }
        let columns = match mode {
            Mode::Throughput => format!("{:>11}  {:>17}  {:>8}", "median", "min … max", "msg/s"),
            Mode::Latency => format!("{:>11}  {:>8}  {:>8}  {:>8}", "p50", "p99", "p99.9", "max"),
        };
        let name = if mode == Mode::Latency { "round trip" } else { "throughput" };
        let _ = writeln!(
            out,
            "  {name:<key$} {:<9} {:>6}  {:BAR$}  {columns}  {:>15}  {:>11}  {:>7}",
            "wait", "buffer", "", "cpu ns s/r", "switches", "set up"
        );
        let most = rows.iter().filter_map(|point| measure(point)).fold(0.0, f64::max);
        for point in rows {
            row(&mut out, point, most, key);
        }
        out.push('\n');
    }
    out
}

/// What the bar shows.
fn measure(point: &IpcPoint) -> Option<f64> {
    match point.mode {
        Mode::Throughput => point.throughput.map(|t| t.bytes_per_s.median),
        Mode::Latency => point.round_trip_ns.map(|q| q.p50.0 as f64),
    }
}

fn row(out: &mut String, point: &IpcPoint, most: f64, key: usize) {
    let buffer = point.buffer.map_or("–".to_owned(), |buffer| Bytes(buffer).short());
    let _ = write!(out, "  {:<key$} {:<9} {buffer:>6}  ", &*point.transport, point.wait);
    let Some(value) = measure(point) else {
        let why = point.skipped.clone().unwrap_or_else(|| lost(point));
        let _ = writeln!(out, "– {why}");
        return;
    };
    let _ = write!(out, "{:BAR$}  ", bar(value / most));
    if let Some(throughput) = point.throughput {
        let (bytes, messages) = (throughput.bytes_per_s, throughput.messages_per_s);
        let range = format!("{} … {}", si(bytes.min), si(bytes.max));
        let _ = write!(out, "{:>11}  {range:>17}  {:>8}", rate(bytes.median), si(messages.median));
    }
    if let Some(q) = point.round_trip_ns {
        let _ = write!(out, "{:>11}  {:>8}  {:>8}  {:>8}", q.p50, q.p99, q.p999, q.max);
    }
    let _ = write!(out, "  {:>15}", both(point.cpu_ns_per_message, si));
    let _ = write!(out, "  {:>11}", both(point.switches_per_message, |value| format!("{value:.2}")));
    let setup = point.setup_ns.map_or("–".to_owned(), |setup| setup.to_string());
    let _ = writeln!(out, "  {setup:>7}");
    if let (Some(open), Some(rate)) = (point.open_loop_ns, point.open_loop_rate) {
        let Quantiles { p50, p99, p999, max, .. } = open;
        let _ = writeln!(
            out,
            "  {:<key$} open loop, {} of {} msg/s: p50 {p50}, p99 {p99}, p99.9 {p999}, max {max}",
            "",
            si(rate.reached),
            si(rate.intended)
        );
    }
    if let Some(change) = &point.baseline {
        let _ = writeln!(out, "  {:<key$} {}", "", difference(change, point.mode));
    }
    // That a round trip is a closed loop stands in the table's name for it.
    let flags: Vec<_> = point.flags.iter().filter(|flag| *flag != "closed loop").map(String::as_str).collect();
    if !flags.is_empty() {
        let _ = writeln!(out, "  {:<key$} ⚑ {}", "", flags.join(", "));
    }
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
fn bar(share: f64) -> String {
    const EIGHTHS: [&str; 8] = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];
    let eighths = ((share.clamp(0.0, 1.0) * (BAR * 8) as f64).round() as usize).max(1);
    format!("{}{}", "█".repeat(eighths / 8), EIGHTHS[eighths % 8])
}

/// What a sweep is at, for a terminal's standard error.
pub fn progress(done: usize, of: usize, what: &str) -> String {
    let share = done as f64 / of.max(1) as f64;
    format!("{:BAR$} {:>3.0}%  {what}", bar(share), share * 100.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::channel::{Payload, Placement, Rate, Throughput, Waiting};

    fn point(mode: Mode) -> IpcPoint {
        let spread = |median: f64| Spread { median, min: median * 0.9, max: median * 1.1 };
        IpcPoint {
            transport: "pipe".into(),
            mode,
            size: 64,
            buffer: Some(65536),
            placement: Placement::CrossCpu,
            wait: Waiting::Block,
            payload: Payload::Scanned,
            repeats: 5,
            round_trip_ns: (mode == Mode::Latency).then_some(Quantiles {
                count: 9,
                mean: Nanos(5000),
                p50: Nanos(4600),
                p90: Nanos(5000),
                p99: Nanos(9000),
                p999: Nanos(9900),
                max: Nanos(12_000),
            }),
            round_trip_p50_ns: None,
            open_loop_ns: None,
            open_loop_rate: None,
            core_to_core_ns: None,
            baseline: None,
            throughput: (mode == Mode::Throughput)
                .then(|| Throughput { bytes_per_s: spread(2.4e8), messages_per_s: spread(3.75e6) }),
            cpu_ns_per_message: Some(Sides { sender: 260.0, receiver: 270.5 }),
            switches_per_message: Some(Sides { sender: 0.0, receiver: 0.01 }),
            setup_ns: Some(Nanos(80_000)),
            lost: 0,
            corrupt: 0,
            flags: vec![],
            skipped: None,
        }
    }

    #[test]
    fn json_has_the_fields_of_the_contract_and_nulls_for_the_unknown() {
        let value: serde_json::Value = serde_json::from_str(&json(&point(Mode::Latency)).unwrap()).unwrap();
        assert_eq!(value["schema"], "syncscope.ipc/1");
        assert_eq!(value["placement"], "cross-cpu");
        assert_eq!(value["round_trip_ns"]["p999"], 9900);
        assert!(value["throughput"].is_null() && value["open_loop_ns"].is_null() && value["skipped"].is_null());
        let value: serde_json::Value = serde_json::from_str(&json(&point(Mode::Throughput)).unwrap()).unwrap();
        assert_eq!(value["throughput"]["bytes_per_s"]["median"], 2.4e8);
        assert_eq!(value["cpu_ns_per_message"]["receiver"], 270.5);
    }

    #[test]
    fn csv_has_a_field_for_every_column() {
        let skipped = IpcPoint { skipped: Some("no, \"never\"".into()), ..point(Mode::Latency) };
        for point in [point(Mode::Latency), point(Mode::Throughput)] {
            assert_eq!(csv(&point).split(',').count(), CSV_HEADER.split(',').count());
        }
        assert!(csv(&skipped).contains(",\"no, \"\"never\"\"\","));
    }

    #[test]
    fn the_table_shows_the_open_loop_and_the_difference_with_its_spread() {
        let mut point = point(Mode::Latency);
        point.open_loop_ns = point.round_trip_ns;
        point.open_loop_rate = Some(Rate { intended: 20_000.0, reached: 19_990.0 });
        let spread = |median: f64| (Spread { median, min: median * 0.9, max: median * 1.1 }, 5);
        point.baseline = Some(Change::of(spread(4000.0), spread(4600.0)));
        let text = table(&[point.clone()]);
        assert!(text.contains("open loop, 20.0 k of 20.0 k msg/s: p50 4.60 µs, p99 9.00 µs"), "{text}");
        assert!(text.contains("+15.0% (−5.9 … +40.6%) against 4.00 µs before: within the spread"), "{text}");
        assert_eq!(csv(&point).split(',').count(), CSV_HEADER.split(',').count());
        point.baseline = Some(Change::of(spread(400.0), spread(4600.0)));
        assert!(table(&[point]).contains("beyond the spread"));
    }

    #[test]
    fn the_table_says_why_there_is_no_figure() {
        let skipped =
            IpcPoint { skipped: Some("it needs two CPUs".into()), round_trip_ns: None, ..point(Mode::Latency) };
        let text = table(&[point(Mode::Throughput), point(Mode::Latency), skipped]);
        assert!(
            text.contains("240 MB/s") && text.contains("4.60 µs") && text.contains("– it needs two CPUs"),
            "{text}"
        );
        let lost = IpcPoint { lost: 3, throughput: None, ..point(Mode::Throughput) };
        assert!(table(&[lost]).contains("3 lost, 0 corrupt: no figures"));
    }
}
