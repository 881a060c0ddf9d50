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
use crate::backend::lab::locks::gate::Plan;
use crate::backend::lab::locks::pen::Pen;
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
        Box::new(Pairs { pairs, numbered: C::numbered })
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

struct Pairs {
    pairs: Vec<Pair>,
    /// What is sent as message `n`. A message costs microseconds: the call is
    /// nothing beside it.
    numbered: fn(u64) -> u64,
}

impl Pairs {
    fn send(&self, pen: &Pen<'_>, pair: &Pair, laps: u64) {
        let tally = &pen.seat.tally;
        let mut left = laps;
        loop {
            let _ = pen.holds(pen.hold()) && pen.thinks();
            left = left.saturating_sub(1);
            let last = left == 0 || !pen.go_on.load(Relaxed);
            let number = pair.sent.load(Relaxed) + 1;
            pair.sent.store(number, Relaxed);
            let slot = pen.wants(false);
            // It fails only where the receiver is gone, and both go together.
            let _ = pair.sender.send((self.numbered)(number) | if last { LAST } else { 0 });
            pen.got(slot);
            pen.passed(slot);
            let begun = pair.ready.load(Acquire) >= number;
            tally.check(MEETS, if begun { 0 } else { pen.me() + 2 });
            tally.add_own(MESSAGES, 1);
            tally.count(1, 0);
            if last {
                return;
            }
        }
    }
}

fn receive(pen: &Pen<'_>, pair: &Pair) {
    let tally = &pen.seat.tally;
    let receiver = pair.receiver.lock();
    loop {
        let number = pair.ready.load(Relaxed) + 1;
        let slot = pen.wants(false);
        pair.ready.store(number, Release);
        let Ok(message) = receiver.recv() else { return };
        pen.got(slot);
        pen.passed(slot);
        tally.check(IN_ORDER, if message & !LAST == number { 0 } else { pen.me() + 1 });
        tally.count(1, 0);
        if message & LAST != 0 {
            return;
        }
    }
}

impl Contend for Pairs {
    fn laps(&self, seat: &Seat, plan: &Plan, go_on: &AtomicBool, laps: u64) {
        let pen = Pen { seat, plan, go_on };
        // Without a partner there is nobody to meet.
        let Some(pair) = self.pairs.get(seat.index as usize / 2) else { return };
        if seat.index.is_multiple_of(2) { self.send(&pen, pair, laps) } else { receive(&pen, pair) }
    }

    fn meets(&self) -> bool {
        true
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
