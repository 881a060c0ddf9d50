//! A worker's threads with everything that watches them: opened, closed, and
//! looked at.

use super::crew::Crew;
use super::figures::{self, Snapshot};
use super::instruments::Instruments;
use super::invariants::{self, Conserved};
use super::inversion::{self, Inversions};
use super::kernel_counts::{Counted, KernelCounts};
use super::reader::Reader;
use super::taking::Waits;
use super::{request, window};
use crate::model::lab::{LabState, WorkerCost};
use crate::model::lock::{
    Figures, Lanes, LockOrder, LockProgress, LockSetting, LockSpec, Recording, Subject, Trace, WaitSteps,
};
use crate::model::{Bytes, Fault, Nanos};
use crate::sys::clock;

/// The stage.
pub(super) struct Stage {
    subject: Subject,
    instruments: Instruments,
    kernel: KernelCounts,
    crew: Crew,
    reader: Reader,
    conserved: Conserved,
    inversions: Inversions,
    course: Course,
    /// What each thread waited for at the last report, where there are several
    /// locks.
    waits: Waits,
}

/// What the figures count from, and over what time.
struct Course {
    /// The counters at the beginning.
    base: Snapshot,
    /// The counters at the last report, and the time measured by then.
    last: (Vec<u64>, Nanos),
    /// Time while the gate was open, and what the kernel counted in it, up to the
    /// last closing.
    measured: Nanos,
    counted: Counted,
    /// Since when the gate is open, and what the kernel had counted before.
    open: Option<(Nanos, Counted)>,
    /// When it was closed last, in ticks.
    closed: u64,
    /// The steps of waits at the beginning and at the last report.
    steps: Option<[WaitSteps; 2]>,
}

impl Course {
    fn from(base: Snapshot) -> Self {
        let last = (base.laps().to_vec(), Nanos::ZERO);
        Course { base, last, measured: Nanos::ZERO, counted: Counted::default(), open: None, closed: 0, steps: None }
    }

    /// Time so far.
    fn time(&self) -> Nanos {
        self.measured + self.open.map_or(Nanos::ZERO, |(since, _)| clock::monotonic().since(since))
    }

    /// What the kernel has counted so far.
    fn counted(&self, kernel: &KernelCounts) -> Counted {
        self.open.map_or(self.counted, |(_, before)| self.counted.and_from(before, kernel.read()))
    }
}

impl Stage {
    /// Calibrates and starts the threads, at rest.
    ///
    /// # Errors
    /// A fault where the specification asks for what cannot be.
    pub(super) fn set(spec: LockSpec) -> Result<Self, Fault> {
        let primitive = request::check(&spec)?;
        let instruments = Instruments::prepare(primitive);
        let kernel = KernelCounts::begin(&spec);
        let crew = Crew::start(primitive, &spec, instruments.plan(spec.setting))?;
        let course = Course::from(Snapshot::take(&*crew.subject, &crew.seats));
        let reader = Reader::new(spec.threads);
        let version = (primitive.info().version)().into_owned();
        let subject = Subject { spec, version, nice: crew.nice, left_free: crew.left_free };
        let conserved = Conserved::default();
        let (inversions, waits) = (Inversions::default(), Waits::default());
        let mut stage = Stage { subject, instruments, kernel, crew, reader, conserved, inversions, course, waits };
        stage.rehearse();
        stage.rebase();
        Ok(stage)
    }

    /// What was asked.
    pub(super) fn spec(&self) -> &LockSpec {
        &self.subject.spec
    }

    /// Another setting, from the next opening on; at rest.
    pub(super) fn change(&mut self, setting: LockSetting) {
        let waited = !self.subject.spec.setting.tries;
        self.subject.spec.setting = setting;
        if !waited {
            self.rehearse();
        }
    }

    /// Where threads wait for several locks, takes them once without
    /// contention: an inverted order is known before anybody meets it.
    fn rehearse(&self) {
        if !self.subject.spec.setting.tries {
            self.crew.subject.rehearse(&self.crew.seats);
        }
    }

    /// Lets the threads run; returns since when.
    pub(super) fn open(&mut self) -> Nanos {
        let before = self.kernel.read();
        self.crew.open(self.instruments.plan(self.subject.spec.setting));
        let now = clock::monotonic();
        self.course.open = Some((now, before));
        now
    }

    /// Brings the threads to rest.
    pub(super) fn close(&mut self) {
        self.crew.shut();
        self.course.closed = self.instruments.clock.now();
        (self.course.measured, self.course.counted) = (self.course.time(), self.course.counted(&self.kernel));
        self.course.open = None;
        let rested = self.crew.rest();
        self.conserved.settle(&self.crew, rested, self.trace() != Trace::Off);
        self.read();
    }

    /// Everything counts from now on; at rest.
    pub(super) fn rebase(&mut self) {
        self.reader.skip(&self.crew.seats);
        self.crew.seats.iter().for_each(|seat| seat.tally.forget_longest());
        self.conserved.settle(&self.crew, self.crew.rest(), true);
        self.inversions = Inversions::default();
        self.course = Course::from(Snapshot::take(&*self.crew.subject, &self.crew.seats));
        self.course.steps = self.crew.subject.steps(&self.crew.seats).map(|steps| [steps.clone(), steps]);
    }

    /// Acquisitions since the threads were started, and the time measured.
    pub(super) fn so_far(&self) -> (u64, Nanos) {
        (self.crew.laps(), self.course.time())
    }

    /// How it stands.
    pub(super) fn progress(&mut self, state: LabState, repeats: &[f64]) -> LockProgress {
        self.read();
        let setting = self.subject.spec.setting;
        let clock = self.instruments.clock;
        let traced = setting.trace != Trace::Off;
        let end = if self.course.open.is_some() { clock.now() } else { self.course.closed };
        let snapshot = Snapshot::take(&*self.crew.subject, &self.crew.seats);
        LockProgress {
            state,
            cost: WorkerCost { processes: 1, cpu_time: clock::process_cpu() },
            subject: Some(self.subject.clone()),
            recording: Recording {
                clock: clock.name().into(),
                cost: self.instruments.cost(setting),
                recorded: snapshot.recorded_since(&self.course.base),
                dropped: self.reader.dropped,
                memory: Bytes(self.crew.memory() as u64),
                uncounted: self.kernel.uncounted().map(Into::into),
            },
            invariants: invariants::checked(&self.crew, &self.conserved, &self.reader.overlap, &setting),
            violations: invariants::violations(&self.crew, &self.reader.overlap),
            lanes: traced.then(|| self.lanes()),
            order: self.order(),
            steps: self.steps(),
            curve: None,
            figures: Figures { repeats: repeats.to_vec(), ..self.figures(snapshot, end) },
        }
    }

    /// Whether threads take locks in orders that can close a circle.
    pub(super) fn may_deadlock(&self) -> bool {
        let seen = self.crew.subject.taking().map(|taking| taking.seen(&self.waits));
        !self.subject.spec.setting.tries && seen.is_some_and(|order| order.inversion.is_some())
    }

    /// Whether there can be a priority inversion, and the trace would tell.
    pub(super) fn may_invert(&self) -> bool {
        self.course.open.is_some()
            && self.trace() != Trace::Off
            && inversion::can_be(&self.crew, &self.subject.spec.schedule)
    }

    /// Looks for a priority inversion, where there can be one.
    pub(super) fn look(&mut self) {
        if self.may_invert() {
            self.inversions.look(&self.crew, &self.subject.spec.schedule, self.instruments.clock);
        }
    }

    /// How threads went through the steps of a wait, where they do.
    fn steps(&mut self) -> Option<WaitSteps> {
        let mut steps = self.crew.subject.steps(&self.crew.seats)?;
        let measured = self.course.time();
        let seconds = (measured - self.course.last.1).as_secs_f64();
        let since = |total: u64, base: u64| total.saturating_sub(base);
        let [base, last] = self.course.steps.get_or_insert_with(|| [steps.clone(), steps.clone()]);
        let before = std::mem::replace(last, steps.clone()).passed;
        if seconds > 0.0 {
            steps.recent = std::array::from_fn(|step| since(steps.passed[step], before[step]) as f64 / seconds);
        }
        steps.passed = std::array::from_fn(|step| since(steps.passed[step], base.passed[step]));
        steps.spurious = since(steps.spurious, base.spurious);
        steps.timeouts = since(steps.timeouts, base.timeouts);
        steps.lost = since(steps.lost, base.lost);
        Some(steps)
    }

    /// Where there are several locks, what has been seen of their order, and
    /// whether threads have been waiting in a circle since the last report.
    fn order(&mut self) -> Option<LockOrder> {
        let taking = self.crew.subject.taking()?;
        let order = taking.seen(&self.waits);
        self.waits = taking.waits();
        Some(order)
    }

    /// The stretch up to now, or up to the closing. Where this thread was
    /// preempted between looking at the clock and at the rings, they have run
    /// past what it looked for: then once more.
    fn lanes(&self) -> Lanes {
        const TRIES: usize = 8;
        let clock = self.instruments.clock;
        let span = clock.scale.ticks(self.subject.spec.setting.window.0);
        let look = || {
            let end = if self.course.open.is_some() { clock.now() } else { self.course.closed };
            window::lanes(&self.crew.seats, end, span, clock.scale)
        };
        let mut lanes = look();
        for _ in 1..TRIES {
            if lanes.span > Nanos::ZERO {
                break;
            }
            lanes = look();
        }
        lanes
    }

    fn figures(&mut self, snapshot: Snapshot, now: u64) -> Figures {
        let (measured, counted) = (self.course.time(), self.course.counted(&self.kernel));
        let scale = self.instruments.clock.scale;
        let traced = self.trace() != Trace::Off;
        let mut figures = snapshot.since(&self.course.base, measured, scale, traced, self.crew.family.is_held());
        figures.switches = counted.switches;
        figures.futex_calls = figures.futex_calls.or(counted.futex_calls);
        figures.inverted = self.inversions.seen();
        let (last_laps, last_measured) = &self.course.last;
        let seconds = (measured - *last_measured).as_secs_f64();
        if seconds > 0.0 {
            let laps = snapshot.laps().iter().zip(last_laps);
            figures.recent = laps.map(|(now, then)| (now - then) as f64 / seconds).collect();
        }
        let seats = &self.crew.seats;
        figures.longest = figures.wait.is_some().then(|| figures::longest(seats, now, scale)).flatten();
        if let Some(wait) = figures.wait.as_mut().filter(|wait| wait.quantiles.count > 0) {
            // The histogram knows it to 3 % only.
            wait.quantiles.max = figures::longest_completed(seats, scale);
        }
        self.course.last = (snapshot.into_laps(), measured);
        figures
    }

    fn read(&mut self) {
        let ordered = self.trace() == Trace::Ordered && self.crew.subject.excludes_in_time();
        self.reader.read(&self.crew.seats, self.instruments.clock.scale, ordered);
    }

    fn trace(&self) -> Trace {
        self.subject.spec.setting.trace
    }
}
