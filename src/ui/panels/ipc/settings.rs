//! The settings of a measurement, and the keys that change them.

use ratatui::text::{Line, Span};

use crate::model::channel::{IpcSpec, Payload, Placement, SIZES, Waiting};
use crate::model::units::{Bytes, si};
use crate::ui::panels::Look;
use crate::ui::theme::Role;

const BUFFERS: [Option<u64>; 7] =
    [None, Some(4 << 10), Some(16 << 10), Some(64 << 10), Some(256 << 10), Some(1 << 20), Some(4 << 20)];

/// One of the settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Setting {
    Size,
    Buffer,
    Placement,
    Wait,
    Payload,
    Rate,
}

/// Messages a second of the open loop.
const RATES: [Option<f64>; 6] = [None, Some(10.0), Some(100.0), Some(1e3), Some(1e4), Some(1e5)];

/// Moves a setting one step on, or back.
pub(super) fn step(spec: &mut IpcSpec, setting: Setting, forward: bool) {
    match setting {
        Setting::Size => spec.size = bounded(&SIZES, spec.size, forward),
        Setting::Buffer => spec.buffer = around(&BUFFERS, spec.buffer, forward),
        Setting::Placement => spec.placement = around(Placement::ALL, spec.placement, forward),
        Setting::Payload => spec.payload = around(Payload::ALL, spec.payload, forward),
        Setting::Rate => spec.rate = around(&RATES, spec.rate, forward),
        Setting::Wait => {
            let all: Vec<_> = std::iter::once(None).chain(Waiting::ALL.iter().copied().map(Some)).collect();
            spec.wait = around(&all, spec.wait, forward);
        }
    }
}

/// The next value, the first after the last.
fn around<T: Copy + PartialEq>(all: &[T], now: T, forward: bool) -> T {
    let index = all.iter().position(|value| *value == now).unwrap_or(0);
    let step = if forward { 1 } else { all.len() - 1 };
    all[(index + step) % all.len()]
}

/// The next larger or smaller value; stays at the ends.
fn bounded(all: &[usize], now: usize, forward: bool) -> usize {
    let next =
        if forward { all.iter().find(|value| **value > now) } else { all.iter().rev().find(|value| **value < now) };
    next.copied().unwrap_or(now)
}

/// Whether figures of both belong beside each other in the map.
pub(super) fn alike(one: &IpcSpec, other: &IpcSpec) -> bool {
    let of = |spec: &IpcSpec| (spec.buffer, spec.placement, spec.wait, spec.payload);
    of(one) == of(other)
}

/// What all cells of a map have in common: `cross-cpu, sampled, wait own,
/// buffer 64K`.
pub(super) fn of_map(spec: &IpcSpec) -> String {
    let wait = spec.wait.map_or("own", Waiting::name);
    let buffer = spec.buffer.map_or("own".to_owned(), |bytes| Bytes(bytes).short());
    format!("{}, {}, wait {wait}, buffer {buffer}", spec.placement, spec.payload)
}

/// All settings in a line, each with its key; what does not fit is left out.
///
/// ```text
///  [ ] size 4.0K   b buffer own   p placement cross-cpu   w wait own   c payload sampled
/// ```
pub(super) fn line(spec: &IpcSpec, width: u16, look: &Look<'_>) -> Line<'static> {
    let buffer = spec.buffer.map_or("own".to_owned(), |bytes| Bytes(bytes).short());
    let wait = spec.wait.map_or("own", Waiting::name).to_owned();
    let settings = [
        ("[ ]", "size", size(spec.size)),
        ("p", "placement", spec.placement.to_string()),
        ("w", "wait", wait),
        ("b", "buffer", buffer),
        ("c", "payload", spec.payload.to_string()),
        ("r", "rate", spec.rate.map_or("off".to_owned(), |rate| format!("{}/s", si(rate)))),
    ];
    let mut spans: Vec<Span<'static>> = Vec::new();
    let mut used = 0;
    for (key, name, value) in settings {
        let columns = key.len() + name.len() + value.len() + 5;
        if used + columns > usize::from(width) + 3 {
            break;
        }
        used += columns;
        spans.push(Span::styled(key, look.style(Role::Key)));
        spans.push(Span::styled(format!(" {name} "), look.style(Role::Dim)));
        spans.push(Span::styled(format!("{value}   "), look.style(Role::Strong)));
    }
    Line::from(spans)
}

/// A message size with its unit: `64 B`, `4 KiB`.
pub(super) fn size(bytes: usize) -> String {
    match bytes {
        0..1024 => format!("{bytes} B"),
        1024..1_048_576 => format!("{} KiB", bytes >> 10),
        _ => format!("{} MiB", bytes >> 20),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_step_and_come_back() {
        let mut spec = IpcSpec::default();
        let all = [Setting::Buffer, Setting::Placement, Setting::Wait, Setting::Payload, Setting::Size, Setting::Rate];
        for setting in all {
            let before = spec.clone();
            step(&mut spec, setting, true);
            assert_ne!(spec, before, "{setting:?}");
            step(&mut spec, setting, false);
            assert_eq!(spec, before, "{setting:?}");
        }
    }

    #[test]
    fn sizes_stop_at_their_ends() {
        let mut spec = IpcSpec { size: 1, ..IpcSpec::default() };
        step(&mut spec, Setting::Size, false);
        assert_eq!(spec.size, 1);
        for _ in 0..20 {
            step(&mut spec, Setting::Size, true);
        }
        assert_eq!(spec.size, 16 << 20);
        assert_eq!((size(64), size(4096), size(1 << 20)), ("64 B".into(), "4 KiB".into(), "1 MiB".into()));
    }
}
