//! The points of the IPC lab as JSON Lines and CSV; [`ipc_table`](super::ipc_table)
//! is for people.

use serde::Serialize;

use crate::model::channel::IpcPoint;
use crate::model::histogram::Quantiles;

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

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::model::Nanos;
    use crate::model::channel::{Mode, Payload, Placement, Sides, Spread, Throughput, Waiting};

    /// A point with all its figures.
    pub(in crate::report) fn point(mode: Mode) -> IpcPoint {
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
}
