//! What is photographed: the sizes, the keys, and what must be there first.

use std::time::Duration;

/// A step of a scene.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Step {
    /// Waits until the text stands on the screen.
    Wait(&'static str),
    /// Types.
    Keys(&'static str),
    /// Lets time pass: for charts that fill.
    Run(Duration),
}

/// A picture.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scene {
    /// Its file name, without an ending.
    pub(crate) name: &'static str,
    /// What it shows, for those who cannot see it.
    pub(crate) title: &'static str,
    /// Columns and rows.
    pub(crate) size: (u16, u16),
    /// The program's arguments.
    pub(crate) arguments: &'static [&'static str],
    /// Whether the deadlocked program `payments.c` runs meanwhile.
    pub(crate) payments: bool,
    /// What happens before it is taken.
    pub(crate) steps: &'static [Step],
}

const READY: Step = Step::Wait("q quit");
const A_WHILE: Step = Step::Run(Duration::from_secs(6));
const A_MOMENT: Step = Step::Run(Duration::from_secs(2));

/// All of them.
pub(crate) const SCENES: &[Scene] = &[
    Scene {
        name: "overview",
        title: "The overview: what waits, what is alive, and the three labs in short bursts",
        size: (120, 40),
        arguments: &[],
        payments: true,
        steps: &[READY, A_WHILE],
    },
    Scene {
        name: "processes",
        title: "The process table with what each process waits for",
        size: (120, 40),
        arguments: &["--panel", "processes", "--labs", "off"],
        payments: true,
        steps: &[READY, A_MOMENT],
    },
    Scene {
        name: "waits",
        title: "Wait chains, and who must act",
        size: (120, 40),
        arguments: &["--panel", "waits", "--labs", "off"],
        payments: true,
        steps: &[READY, Step::Wait("DEADLOCK"), A_MOMENT],
    },
    Scene {
        name: "children",
        title: "A supervised child with its output",
        size: (120, 40),
        arguments: &["run", "--", "sh", "-c", "for i in 1 2 3 4 5; do echo step $i of 5; sleep 1; done; cat"],
        payments: false,
        steps: &[Step::Wait("step 5 of 5"), A_MOMENT],
    },
    Scene {
        name: "ipc",
        title: "Transports measured side by side",
        size: (120, 40),
        arguments: &["--panel", "ipc"],
        payments: false,
        steps: &[READY, Step::Keys("s"), A_WHILE],
    },
    Scene {
        name: "locks",
        title: "A contended lock: lanes, hand-offs, wait times, mutual exclusion checked",
        size: (120, 40),
        arguments: &["--panel", "locks"],
        payments: false,
        steps: &[READY, Step::Keys("s"), A_WHILE],
    },
    Scene {
        name: "ordering",
        title: "Store buffering on this machine, beside what the models allow",
        size: (120, 40),
        arguments: &["--panel", "ordering"],
        payments: false,
        steps: &[READY, Step::Keys("s"), A_WHILE],
    },
    Scene {
        name: "narrow",
        title: "The process table in a terminal of 40 by 8",
        size: (40, 8),
        arguments: &["--panel", "processes", "--labs", "off"],
        payments: false,
        steps: &[A_MOMENT],
    },
];
