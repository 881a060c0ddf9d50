//! `std::sync::mpsc::sync_channel(0)`: sender and receiver meet.
//!
//! Threads go in pairs: one with an even number sends to the next. The sender
//! decides which message is the last before a rest, and says so in it: both have
//! done as much, and neither is left waiting.

use std::borrow::Cow;
use std::marker::PhantomData;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use parking_lot::Mutex;

use crate::backend::lab::locks::contend::{Contend, Seat};
use crate::backend::lab::locks::gate::{Gate, Plan};
use crate::backend::lab::locks::stamps::{Kernel, Ordered, Plain, Recorder, Stamps};
use crate::backend::lab::locks::{Family, Info, Primitive, Sentence};

const SENTENCES: &[Sentence] = &[
    Sentence {
        name: "rendezvous",
        formula: "∀ m  send(m) returns ⇒ receive(m) has begun",
        how: "the receiver says which message it is ready for before it receives, and the sender looks after",
        words: Some(|sender, receiver| {
            format!("t{sender} was told that its message was taken, which t{receiver} had not begun to receive")
        }),
    },
    Sentence {
        name: "every message once, in order",
        formula: "∀ i  received(i) = sent(i)",
        how: "messages are numbered, every one that is received",
        words: Some(|receiver, _| format!("t{receiver} received another message than the next")),
    },
];
const MEETS: usize = 0;
const IN_ORDER: usize = 1;

/// The places of its own counts.
const MESSAGES: usize = 0;

/// Marks the last message before a rest.
const LAST: u64 = 1 << 63;

/// A channel between two threads.
pub(in crate::backend::lab::locks) trait Channel: Send + Sync + 'static {
    /// What a person reads about it.
    const INFO: Info;

    /// How many messages it holds.
    const HOLDS: usize;

    /// What is sent as message `n`.
    fn numbered(n: u64) -> u64;
}

/// It holds nothing.
#[derive(Debug)]
pub(in crate::backend::lab::locks) struct Zero;

impl Channel for Zero {
    const INFO: Info = Info {
        key: "rendezvous",
        name: "mpsc::sync_channel(0)",
        family: Family::Waiting,
        breaks: None,
        version: || Cow::Borrowed(concat!("Rust ", env!("CARGO_PKG_RUST_VERSION"), " or later")),
        explanation: "A channel that holds nothing: send returns when a receiver takes the message, so two threads meet at \
            each message. Inside is a mutex with two queues of waiting threads; who comes second finds the first, \
            hands over, and unparks it. A message costs a wake-up on one side or on both. Threads go in pairs here.",
    };
    const HOLDS: usize = 0;

    fn numbered(n: u64) -> u64 {
        n
    }
}

/// Broken: it holds one, so that nobody needs to meet.
#[derive(Debug)]
pub(in crate::backend::lab::locks) struct Buffered;

impl Channel for Buffered {
    const INFO: Info = Info {
        key: "rendezvous_buffered",
        name: "sync_channel(1) as rendezvous",
        family: Family::Waiting,
        breaks: Some("rendezvous"),
        version: || Cow::Borrowed("broken on purpose"),
        explanation: "sync_channel(1) where sync_channel(0) is meant: a buffer of one message looks like a small thing, but \
            send returns as soon as the message is in it. A sender that takes its return for a receipt goes on before \
            anybody has looked at the message.",
    };
    const HOLDS: usize = 1;

    fn numbered(n: u64) -> u64 {
        n
    }
}

/// Broken: two messages in a hundred change places.
#[derive(Debug)]
pub(in crate::backend::lab::locks) struct Shuffled;

impl Channel for Shuffled {
    const INFO: Info = Info {
        key: "rendezvous_shuffled",
        name: "rendezvous, out of order",
        family: Family::Waiting,
        breaks: Some("every message once, in order"),
        version: || Cow::Borrowed("broken on purpose"),
        explanation: "A rendezvous whose sender lets two of a hundred messages change places, as several senders do that \
            share a counter and then send without holding on to it: each message arrives once, and the numbers go \
            back.",
    };
    const HOLDS: usize = 0;

    fn numbered(n: u64) -> u64 {
        match n % 100 {
            50 => n + 1,
            51 => n - 1,
            _ => n,
        }
    }
}

/// The row of the registry for a channel.
#[derive(Debug)]
pub(in crate::backend::lab::locks) struct Row<C>(PhantomData<fn() -> C>);

impl<C> Row<C> {
    pub(in crate::backend::lab::locks) const ROW: Self = Row(PhantomData);
}

impl<C: Channel> Primitive for Row<C> {
    fn info(&self) -> &'static Info {
        const { &C::INFO }
    }

    fn contend(&self, threads: usize) -> Box<dyn Contend> {
        let pair = |_| {
            let (sender, receiver) = sync_channel(C::HOLDS);
            Pair { sender, receiver: Mutex::new(receiver), sent: AtomicU64::new(0), ready: AtomicU64::new(0) }
        };
        let pairs = (0..threads / 2).map(pair).collect();
        Box::new(Pairs::<C> { pairs, channel: PhantomData })
    }
}

struct Pair {
    sender: SyncSender<u64>,
    /// Locked once for an opening of the gate.
    receiver: Mutex<Receiver<u64>>,
    /// Messages sent; the sender's.
    sent: AtomicU64,
    /// The message that the receiver receives, or will next.
    ready: AtomicU64,
}

struct Pairs<C> {
    pairs: Vec<Pair>,
    channel: PhantomData<fn() -> C>,
}

impl<C: Channel> Pairs<C> {
    fn send<S: Stamps>(&self, stamps: S, seat: &Seat, plan: &Plan, go_on: &AtomicBool, laps: u64) {
        let Seat { index, ring, tally, dice } = seat;
        let pair = &self.pairs[*index as usize / 2];
        let mut left = laps;
        loop {
            let _ = plan.hold.draw(dice).perform(go_on) && plan.think.draw(dice).perform(go_on);
            left = left.saturating_sub(1);
            let last = left == 0 || !go_on.load(Relaxed);
            let number = pair.sent.load(Relaxed) + 1;
            pair.sent.store(number, Relaxed);
            let wanted = stamps.wanted();
            ring.want(wanted);
            // It fails only where the receiver is gone, and both go together.
            let _ = pair.sender.send(C::numbered(number) | if last { LAST } else { 0 });
            let got = stamps.got();
            ring.get(got);
            ring.release(got);
            ring.complete();
            tally.record_wait(got.saturating_sub(wanted));
            let begun = pair.ready.load(Acquire) >= number;
            tally.check(MEETS, if begun { 0 } else { index + 2 });
            tally.add_own(MESSAGES, 1);
            tally.count(1, 0);
            if last {
                return;
            }
        }
    }

    fn receive<S: Stamps>(&self, stamps: S, seat: &Seat) {
        let Seat { index, ring, tally, .. } = seat;
        let pair = &self.pairs[*index as usize / 2];
        let receiver = pair.receiver.lock();
        loop {
            let number = pair.ready.load(Relaxed) + 1;
            let wanted = stamps.wanted();
            ring.want(wanted);
            pair.ready.store(number, Release);
            let Ok(message) = receiver.recv() else { return };
            let got = stamps.got();
            ring.get(got);
            ring.release(got);
            ring.complete();
            tally.record_wait(got.saturating_sub(wanted));
            tally.check(IN_ORDER, if message & !LAST == number { 0 } else { index + 1 });
            tally.count(1, 0);
            if message & LAST != 0 {
                return;
            }
        }
    }

    fn meet<S: Stamps>(&self, stamps: S, seat: &Seat, plan: &Plan, go_on: &AtomicBool, laps: u64) {
        match seat.index as usize {
            // Without a partner there is nobody to meet.
            index if index / 2 >= self.pairs.len() => {}
            index if index % 2 == 0 => self.send(stamps, seat, plan, go_on, laps),
            _ => self.receive(stamps, seat),
        }
    }
}

impl<C: Channel> Contend for Pairs<C> {
    fn laps(&self, seat: &Seat, plan: &Plan, go_on: &AtomicBool, laps: u64) {
        match plan.recorder {
            // A message costs microseconds: the stamps are nothing beside it.
            Recorder::Off | Recorder::Kernel => self.meet(Kernel, seat, plan, go_on, laps),
            Recorder::Plain(tsc) => self.meet(Plain(tsc), seat, plan, go_on, laps),
            Recorder::Ordered(tsc) => self.meet(Ordered(tsc), seat, plan, go_on, laps),
        }
    }

    fn run(&self, seat: &Seat, gate: &Gate) {
        let mut passed = 0;
        while let Some(plan) = gate.pass(&mut passed) {
            self.laps(seat, &plan, gate.flag(), u64::MAX);
        }
    }

    fn counted(&self) -> Option<u64> {
        None
    }

    fn sentences(&self) -> &'static [Sentence] {
        SENTENCES
    }

    fn own_names(&self) -> &'static [&'static str] {
        &["messages"]
    }
}
