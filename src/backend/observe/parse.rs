//! Parsers of the small files below `/proc/PID`, on bytes and without
//! allocation. None of them trusts its input: a torn or foreign file gives
//! `None`, never a panic and never a wrong figure.

use crate::model::process::{State, Switches};
use crate::model::{Bytes, Nanos, Pid};

/// What is taken from `/proc/PID/stat`, `proc_pid_stat(5)`.
///
/// ```text
/// 812 (na me) S 1 812 812 …
/// │    │      │ └ fields 4… by blanks
/// │    │      └ field 3, behind the last parenthesis
/// │    └ comm: anything, parentheses and blanks too; \n and \\ escaped
/// └ the id of the task
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stat<'a> {
    /// Field 1.
    pub id: Pid,
    /// Field 2 as the kernel writes it, see [`unescape`].
    pub comm: &'a [u8],
    /// Field 3.
    pub state: State,
    /// Field 4.
    pub ppid: Pid,
    /// Field 5.
    pub pgrp: Pid,
    /// Field 6.
    pub session: Pid,
    /// Field 7, the controlling terminal's device as the kernel encodes it (`makedev(3)`),
    /// 0 for none.
    pub terminal: i32,
    /// Field 9, the kernel's `PF_*` flags.
    pub flags: u64,
    /// Fields 14 and 15: user and system time in clock ticks.
    pub cpu_ticks: u64,
    /// Field 19.
    pub nice: i8,
    /// Field 20.
    pub threads: u32,
    /// Field 22, in clock ticks after boot.
    pub start_ticks: u64,
    /// Field 23, bytes.
    pub virt: u64,
    /// Field 24, pages.
    pub rss_pages: u64,
    /// Field 38, the signal its parent gets when it ends; `SIGCHLD` but for what clone(2) made
    /// with another, or with none.
    pub exit_signal: i32,
    /// Field 39, the CPU it ran on last.
    pub last_cpu: u32,
    /// Fields 26, 28 and 48, where code, stack and arguments begin: another
    /// program after an exec has others. Zero or one without permission.
    pub image: [u64; 3],
}

/// `PF_KTHREAD`, `include/linux/sched.h`.
const KERNEL_THREAD: u64 = 0x0020_0000;

impl<'a> Stat<'a> {
    /// Parses the content of a `stat` file.
    pub fn parse(content: &'a [u8]) -> Option<Self> {
        let open = content.iter().position(|&b| b == b'(')?;
        let close = content.iter().rposition(|&b| b == b')')?;
        let comm = content.get(open + 1..close)?;
        let id = Pid::try_from(unsigned(content[..open].trim_ascii())?).ok()?;
        let mut fields = Fields::new(&content[close + 1..]);
        let state = State::from(char::from(*fields.text()?.first()?));
        let [ppid, pgrp, session] = [fields.pid()?, fields.pid()?, fields.pid()?];
        let terminal = i32::try_from(fields.signed()?).ok()?; // 7
        let flags = fields.skip(1)?.number()?; // 9
        let cpu_ticks = fields.skip(4)?.number()?.checked_add(fields.number()?)?; // 14, 15
        let nice = i8::try_from(fields.skip(3)?.signed()?).ok()?; // 19
        let threads = u32::try_from(fields.number()?).ok()?; // 20
        let start_ticks = fields.skip(1)?.number()?; // 22
        let (virt, rss_pages) = (fields.number()?, fields.number()?); // 23, 24
        let code = fields.skip(1)?.number()?; // 26
        let stack = fields.skip(1)?.number()?; // 28
        let exit_signal = i32::try_from(fields.skip(9)?.signed()?).ok()?; // 38
        let last_cpu = u32::try_from(fields.number()?).ok()?; // 39
        let arguments = fields.skip(8)?.number()?; // 48
        let image = [code, stack, arguments];
        Some(Stat {
            id,
            comm,
            state,
            ppid,
            pgrp,
            session,
            terminal,
            flags,
            cpu_ticks,
            nice,
            threads,
            start_ticks,
            virt,
            rss_pages,
            exit_signal,
            last_cpu,
            image,
        })
    }

    /// Whether this is a kernel thread.
    pub fn is_kernel(&self) -> bool {
        self.flags & KERNEL_THREAD != 0
    }
}

/// The clock and page units of the fields of `stat`.
#[derive(Clone, Copy, Debug)]
pub struct Units {
    tick: u64,
    page: u64,
}

impl Units {
    /// Those of this kernel.
    pub fn of_kernel() -> Self {
        Units {
            tick: 1_000_000_000 / rustix::param::clock_ticks_per_second().max(1),
            page: rustix::param::page_size() as u64,
        }
    }

    /// Clock ticks as a duration.
    pub fn ticks(self, ticks: u64) -> Nanos {
        Nanos(ticks.saturating_mul(self.tick))
    }

    /// Pages as bytes.
    pub fn pages(self, pages: u64) -> Bytes {
        Bytes(pages.saturating_mul(self.page))
    }
}

/// Undoes the kernel's escapes in the name of a `stat` file
/// (`proc_task_name`): `\n` is a line feed, `\\` a backslash.
pub fn unescape(comm: &[u8]) -> Vec<u8> {
    let mut name = Vec::with_capacity(comm.len());
    let mut bytes = comm.iter().copied().peekable();
    while let Some(byte) = bytes.next() {
        let escaped = if byte == b'\\' { bytes.peek().copied() } else { None };
        match escaped {
            Some(b'n') => name.push(b'\n'),
            Some(b'\\') => name.push(b'\\'),
            _ => {
                name.push(byte);
                continue;
            }
        }
        bytes.next();
    }
    name
}

/// The first field of `schedstat`, time on a CPU in nanoseconds, and the third,
/// how often the task was put on one: together they change whenever it runs.
pub fn schedstat(content: &[u8]) -> Option<(Nanos, u64)> {
    let mut fields = Fields::new(content);
    let on_cpu = Nanos(fields.number()?);
    Some((on_cpu, fields.skip(1)?.number()?))
}

/// The context switches of a `status` file.
pub fn switches(content: &[u8]) -> Option<Switches> {
    // They are its last two lines; a name cannot imitate them, its line feeds
    // are escaped there.
    let voluntary = labelled(content, b"voluntary_ctxt_switches:")?;
    Some(Switches { voluntary, involuntary: labelled(content, b"nonvoluntary_ctxt_switches:")? })
}

/// `read_bytes` and `write_bytes` of an `io` file.
pub fn io(content: &[u8]) -> Option<(Bytes, Bytes)> {
    Some((Bytes(labelled(content, b"read_bytes:")?), Bytes(labelled(content, b"write_bytes:")?)))
}

/// `se.exec_start` of a `sched` file: when the task last ran, on the
/// scheduler's clock, which the file gives in milliseconds with six decimals.
pub fn exec_start(content: &[u8]) -> Option<Nanos> {
    let text = after_label(content, b"se.exec_start")?.trim_ascii_start().strip_prefix(b":")?.trim_ascii();
    let point = text.iter().position(|&b| b == b'.')?;
    let (millis, fraction) = (unsigned(&text[..point])?, &text[point + 1..]);
    if fraction.len() != 6 {
        return None;
    }
    Some(Nanos(millis.checked_mul(1_000_000)?.checked_add(unsigned(fraction)?)?))
}

/// `nr_switches` of a `sched` file: how often the task gave a CPU up or lost it.
pub fn all_switches(content: &[u8]) -> Option<u64> {
    // Above the rule stands the task's name as it is, line feeds and all.
    let below = memchr::memmem::find(content, b"\n--------------------")?;
    let text = after_label(&content[below..], b"nr_switches")?.trim_ascii_start().strip_prefix(b":")?;
    unsigned(text.trim_ascii())
}

/// The number behind `label` at the beginning of a line.
fn labelled(content: &[u8], label: &[u8]) -> Option<u64> {
    unsigned(after_label(content, label)?.trim_ascii())
}

/// The rest of the line that begins with `label`.
fn after_label<'a>(content: &'a [u8], label: &[u8]) -> Option<&'a [u8]> {
    content.split(|&b| b == b'\n').find_map(|line| line.strip_prefix(label))
}

/// Fields separated by blanks.
struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    fn new(content: &'a [u8]) -> Self {
        Fields(content)
    }

    fn text(&mut self) -> Option<&'a [u8]> {
        let rest = self.0.trim_ascii_start();
        let end = rest.iter().position(u8::is_ascii_whitespace).unwrap_or(rest.len());
        let (field, rest) = rest.split_at(end);
        self.0 = rest;
        (!field.is_empty()).then_some(field)
    }

    fn skip(&mut self, count: usize) -> Option<&mut Self> {
        for _ in 0..count {
            self.text()?;
        }
        Some(self)
    }

    fn number(&mut self) -> Option<u64> {
        unsigned(self.text()?)
    }

    fn signed(&mut self) -> Option<i64> {
        let text = self.text()?;
        match text.strip_prefix(b"-") {
            Some(digits) => Some(-i64::try_from(unsigned(digits)?).ok()?),
            None => i64::try_from(unsigned(text)?).ok(),
        }
    }

    fn pid(&mut self) -> Option<Pid> {
        Pid::try_from(self.signed()?).ok()
    }
}

fn unsigned(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0_u64, |number, &byte| {
        let digit = byte.is_ascii_digit().then(|| u64::from(byte - b'0'))?;
        number.checked_mul(10)?.checked_add(digit)
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::backend::observe::wait::Call;

    const TAIL: &str = "S 1 812 811 0 -1 4194304 100 0 7 0 12 30 0 0 20 -5 3 0 190801 3133440 373 18446744073709551615 \
                        94662291517440 94662291537321 140730442707856 0 0 0 0 0 0 0 0 0 17 1 0 0 0 0 0 94662291553328 \
                        94662291554944 94662573142016 140730442713817 140730442713837 140730442713837 140730442715115 0\n";

    #[test]
    fn stat_with_any_name() {
        for comm in ["sh", "", "a b", "x) S 1 (", ")))", "(", "\\n", "a\tb", "kworker/0:1-events (x"] {
            let content = format!("812 ({comm}) {TAIL}");
            let stat = Stat::parse(content.as_bytes()).unwrap();
            assert_eq!(stat.comm, comm.as_bytes());
            assert_eq!((stat.id, stat.state, stat.ppid, stat.pgrp, stat.session), (812, State::Sleeping, 1, 812, 811));
            assert_eq!((stat.flags, stat.cpu_ticks, stat.nice, stat.threads), (4_194_304, 42, -5, 3));
            assert_eq!((stat.start_ticks, stat.virt, stat.rss_pages, stat.last_cpu), (190_801, 3_133_440, 373, 1));
            assert_eq!(stat.image, [94_662_291_517_440, 140_730_442_707_856, 140_730_442_713_817]);
            assert!(!stat.is_kernel());
        }
        let content = [b"7 (\xff\x1b[2J) ", TAIL.as_bytes()].concat();
        assert_eq!(Stat::parse(&content).unwrap().comm, b"\xff\x1b[2J");
    }

    #[test]
    fn torn_and_foreign_stats_are_refused() {
        let whole = format!("812 (sh) {TAIL}");
        let last = whole.trim_end().rfind("140730442713817").unwrap();
        for end in 0..last {
            assert_eq!(Stat::parse(&whole.as_bytes()[..end]), None, "cut at {end}");
        }
        for bad in ["", "()", ")(", "1 )x(", "x (sh) S 1", "99999999999 (sh) S 1 1 1"] {
            assert_eq!(Stat::parse(bad.as_bytes()), None);
        }
    }

    #[test]
    fn names_come_back_as_they_were() {
        for (stat, name) in [("sh", "sh"), ("a\\nb", "a\nb"), ("a\\\\nb", "a\\nb"), ("odd\\", "odd\\"), ("\\x", "\\x")]
        {
            assert_eq!(unescape(stat.as_bytes()), name.as_bytes());
        }
    }

    #[test]
    fn the_other_files() {
        assert_eq!(schedstat(b"183353022 9038886 398\n"), Some((Nanos(183_353_022), 398)));
        assert_eq!(schedstat(b"183353022 "), None);
        let status = b"Name:\tx\nvoluntary_ctxt_switches:\t150\nnonvoluntary_ctxt_switches:\t545\n";
        assert_eq!(switches(status), Some(Switches { voluntary: 150, involuntary: 545 }));
        assert_eq!(switches(b"Name:\tx\n"), None);
        let file = b"rchar: 323934931\nread_bytes: 4096\nwrite_bytes: 8192\ncancelled_write_bytes: 1\n";
        assert_eq!(io(file), Some((Bytes(4096), Bytes(8192))));
        let sched =
            b"cat (9140, #threads: 1)\n----\nse.exec_start                                :       1563120.739942\n";
        assert_eq!(exec_start(sched), Some(Nanos(1_563_120_739_942)));
        assert_eq!(exec_start(b"se.exec_start : 12.5\n"), None);
    }

    proptest! {
        #[test]
        fn nothing_panics(content in proptest::collection::vec(any::<u8>(), 0..400)) {
            let _ = (Stat::parse(&content), schedstat(&content), switches(&content), io(&content));
            let _ = (Call::parse(&content), exec_start(&content), unescape(&content));
        }

        #[test]
        fn nothing_panics_on_what_is_nearly_right(
            cut in 0..400_usize, at in 0..400_usize, byte in any::<u8>(), name in "\\PC{0,20}",
        ) {
            let mut content = format!("812 ({name}) {TAIL}").into_bytes();
            content.truncate(cut);
            if let Some(place) = content.get_mut(at) {
                *place = byte;
            }
            let _ = Stat::parse(&content);
        }
    }
}
