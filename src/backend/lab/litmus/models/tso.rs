//! x86-TSO (Sewell, Sarkar, Owens, Zappa Nardelli, Myreen 2010), for a program
//! that was compiled plainly: a seq_cst store is a locked exchange, every
//! read-modify-write is locked, a seq_cst fence is MFENCE, and all else is plain
//! moves. It bounds what an x86-64 machine may show.

use super::Model;
use super::sc::atomicity;
use crate::backend::lab::litmus::axiom::{Axiom, Consistency};
use crate::backend::lab::litmus::execution::Execution;
use crate::backend::lab::litmus::relation::{Relation, Set, product};

/// The model.
pub const MODEL: Model = Model {
    name: "tso",
    title: "TSO",
    about: "x86-TSO: each thread's stores wait in a buffer that its own loads look into first",
    consistent,
    stronger_than: &[],
    synchronises: None,
    races: None,
};

const COHERENCE: Axiom =
    Axiom { name: "coherence", meaning: "all threads see the writes to one location in one order" };
const TSO: Axiom =
    Axiom { name: "tso", meaning: "only a store may be overtaken, and only by later loads of its own thread" };

/// acyclic(sb∩loc ∪ rf ∪ mo ∪ rb); rmw ∩ (rb;mo) empty;
/// acyclic(ppo ∪ rfe ∪ mo ∪ rb)
fn consistent(x: &Execution) -> Consistency {
    let po_loc = &x.sb & &x.loc;
    COHERENCE.acyclic(x, &[("rf", &x.rf), ("mo", &x.mo), ("fr", &x.rb), ("sb", &po_loc)])?;
    atomicity(x)?;
    let rfe = &x.rf & &x.ext;
    TSO.acyclic(x, &[("rf", &rfe), ("mo", &x.mo), ("fr", &x.rb), ("sb", x.preserved.get_or_init(|| preserved(x)))])
}

/// ppo = sb without write → read, save where the store is seq_cst, an RMW is at
/// either end, or a seq_cst fence stands between.
fn preserved(x: &Execution) -> Relation {
    let overtaken = product(x.writes, x.reads, x.size());
    let (mut rmw, mut fences) = (Set::default(), Set::default());
    for (read, write) in x.rmw.pairs() {
        rmw.insert(read);
        rmw.insert(write);
    }
    (x.fences & x.seq_cst).iter().for_each(|fence| fences.insert(fence));
    let accesses = x.reads | x.writes;
    let po = x.sb.from(accesses).to(accesses);
    let drained = x.sb.from(x.seq_cst | rmw) | x.sb.to(rmw) | x.sb.to(fences).then(&x.sb);
    (&po - overtaken) | (drained & po)
}
