//! A ticket lock whose unlock is relaxed, on a simulated weak machine.

use std::borrow::Cow;
use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering::Relaxed;

use super::{Exclusion, Ticket, spin_while};
use crate::backend::lab::locks::{Family, Info};

/// One unlock in so many takes effect early.
const EARLY: u32 = 16;
/// The stores of the critical section follow as soon as the next holder has come in, or
/// after so many looks, some hundred microseconds: a weak machine says of no store how
/// long it may be under way.
const UNDER_WAY: u32 = 2_048;

/// The [ticket lock](Ticket) with `Relaxed` where its unlock needs `Release`.
/// The processor this runs on may keep the stores in order anyway, so the lock
/// does itself what a weak one may do: one time in 16 the store that serves the
/// next ticket becomes visible before the stores of the critical section.
#[derive(Debug, Default)]
pub(in crate::backend::lab::locks) struct TicketRelaxed {
    ticket: Ticket,
    /// Acquisitions, modulo 2³².
    count: AtomicU32,
}

impl Exclusion for TicketRelaxed {
    const INFO: Info = Info {
        key: "ticket_relaxed",
        name: "ticket lock, relaxed unlock",
        family: Family::Exclusion,
        breaks: Some("mutual exclusion"),
        version: || Cow::Borrowed("broken on purpose, on a simulated weak machine"),
        explanation: "The ticket lock with Ordering::Relaxed in unlock. Then nothing keeps the store that serves the \
            next ticket behind the stores of the critical section, and a weakly ordered processor may let it pass \
            them: the next holder enters while the last one's writes are still under way. x86-64 never does that, so \
            the lock simulates it: one unlock in 16 takes effect at once, and what the holder writes follows when the \
            next has come in.",
    };

    /// Whether its unlock has taken effect already.
    type Held<'a> = bool;

    fn lock(&self) -> bool {
        self.ticket.lock();
        self.reorder()
    }

    fn try_lock(&self) -> Option<bool> {
        self.ticket.try_lock()?;
        Some(self.reorder())
    }

    fn unlock(&self, early: bool) {
        if !early {
            self.ticket.unlock(());
        }
    }
}

impl TicketRelaxed {
    fn reorder(&self) -> bool {
        let number = self.count.fetch_add(1, Relaxed);
        let early = number % EARLY == EARLY - 1;
        if early {
            self.ticket.unlock(());
            let mut looks = 0;
            spin_while(|| {
                looks += 1;
                looks < UNDER_WAY && self.count.load(Relaxed) == number.wrapping_add(1)
            });
        }
        early
    }
}
