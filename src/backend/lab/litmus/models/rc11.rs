//! RC11, repaired C11 (Lahav, Vafeiadis, Kang, Hur, Dreyer, PLDI 2017,
//! <https://plv.mpi-sws.org/scfix/paper.pdf>).

use super::Model;
use super::sc::ATOMICITY;
use crate::backend::lab::litmus::axiom::{Axiom, Consistency};
use crate::backend::lab::litmus::execution::Execution;
use crate::backend::lab::litmus::relation::{Relation, Set, product};

/// The model.
pub const MODEL: Model = Model {
    name: "rc11",
    title: "RC11",
    about: "repaired C11: the language of C and C++, without load buffering",
    consistent,
    // Rust's release sequences are parts of these, and dependencies parts of sb.
    stronger_than: &["rust"],
    synchronises: Some(|x| synchronises(x, release_sequence)),
    races: Some(|x| races(x, &synchronises(x, release_sequence))),
};

/// Shared with the Rust model.
pub(super) const COHERENCE: Axiom =
    Axiom { name: "coherence", meaning: "what happens before cannot be contradicted by what is read or overwritten" };
/// Shared with the Rust model.
pub(super) const SEQ_CST: Axiom =
    Axiom { name: "seq_cst", meaning: "all seq_cst operations fit into one order that every thread agrees on" };
const NO_THIN_AIR: Axiom =
    Axiom { name: "no-thin-air", meaning: "a value is not read before it was written in program order" };

fn consistent(x: &Execution) -> Consistency {
    let sw = synchronises(x, release_sequence);
    common(x, &sw)?;
    NO_THIN_AIR.acyclic(x, &[("rf", &x.rf), ("sb", &x.sb)])
}

/// rs = [W] ; (sb∩loc)? ; [W ⊒ rlx] ; (rf;rmw)*
fn release_sequence(x: &Execution) -> Relation {
    let same_thread = (&x.sb & &x.loc).optional();
    let same_thread = same_thread.from(x.writes).to(x.writes & x.atomics);
    if x.rmw.is_empty() { same_thread } else { same_thread.then(&x.rf.then(&x.rmw).star()) }
}

/// sw = [⊒ rel] ; ([F];sb)? ; rs ; rf ; [R ⊒ rlx] ; (sb;[F])? ; [⊒ acq]
pub(super) fn synchronises(x: &Execution, rs: fn(&Execution) -> Relation) -> Relation {
    if x.releases.is_empty() || x.acquires.is_empty() {
        return Relation::empty(x.size());
    }
    let after_fence = x.sb.from(x.fences).optional().from(x.releases);
    let before_fence = x.sb.to(x.fences).optional().to(x.acquires);
    after_fence.then(&rs(x)).then(&x.rf.to(x.reads & x.atomics)).then(&before_fence)
}

/// hb = (sb ∪ sw)⁺, initial writes before all
fn happens_before(x: &Execution, sw: &Relation) -> Relation {
    let others = Set(!x.initial.0);
    let all = others & (x.reads | x.writes | x.fences);
    let own = if sw.is_empty() { x.sb.clone() } else { (&x.sb | sw).closure() };
    own | product(x.initial, all, x.size())
}

/// What RC11 and the Rust model have in common:
///
/// ```text
/// irreflexive(hb;eco?)   irreflexive(rmw;eco)   rmw ∩ (rb;mo) empty
/// acyclic(psc_base ∪ psc_F)
/// ```
pub(super) fn common(x: &Execution, sw: &Relation) -> Consistency {
    let hb = happens_before(x, sw);
    let eco = x.eco();
    let first: &[(&str, &Relation)] = &[("sw", sw), ("sb", &x.sb)];
    let second: &[(&str, &Relation)] = &[("rf", &x.rf), ("mo", &x.mo), ("fr", &x.rb)];
    COHERENCE.irreflexive(x, first, second, &hb.then(&eco.optional()))?;
    if !x.rmw.is_empty() {
        ATOMICITY.irreflexive(x, &[("rmw", &x.rmw)], second, &x.rmw.then(&eco))?;
    }
    super::sc::atomicity(x)?;
    if x.seq_cst.is_empty() {
        return Ok(());
    }
    SEQ_CST.acyclic(x, &[("psc", &partial_sc(x, &hb, &eco))])
}

/// The order of `seq_cst` operations, as far as it is given.
///
/// ```text
/// scb      = sb ∪ (sb∖loc ; hb ; sb∖loc) ∪ (hb∩loc) ∪ mo ∪ rb
/// psc_base = ([SC] ∪ [F_sc] ; hb?) ; scb ; ([SC] ∪ hb? ; [F_sc])
/// psc_F    = [F_sc] ; (hb ∪ hb ; eco ; hb) ; [F_sc]
/// ```
fn partial_sc(x: &Execution, hb: &Relation, eco: &Relation) -> Relation {
    let elsewhere = &x.sb - &x.loc;
    let scb = &x.sb | elsewhere.then(hb).then(&elsewhere) | (hb & &x.loc) | &x.mo | &x.rb;
    let fences = x.fences & x.seq_cst;
    let (sc, hb_optional) = (x.only(x.seq_cst), hb.optional());
    let base = (&sc | hb_optional.from(fences)).then(&scb).then(&(&sc | hb_optional.to(fences)));
    let between_fences = hb | hb.then(eco).then(hb);
    base | between_fences.from(fences).to(fences)
}

/// Same location, different threads, one a write, not both atomic, neither
/// initial, unordered by hb.
pub(super) fn races(x: &Execution, sw: &Relation) -> Relation {
    let plain = Set(!x.atomics.0) & (x.reads | x.writes);
    let plain = Set(plain.0 & !x.initial.0);
    if plain.is_empty() {
        return Relation::empty(x.size());
    }
    let hb = happens_before(x, sw);
    let accesses = x.reads | x.writes;
    let conflict = product(x.writes, accesses, x.size()) | product(accesses, x.writes, x.size());
    let not_both_atomic = product(plain, accesses, x.size()) | product(accesses, plain, x.size());
    let conflict = conflict & not_both_atomic & &x.loc & &x.ext;
    let ordered = &hb | hb.inverse();
    let own = Set(!x.initial.0);
    (conflict - ordered).from(own).to(own)
}
