//! The axioms as loops over matrices.

use super::programs::Ord;
use super::traces::Ev;

pub(super) type Matrix = Vec<Vec<bool>>;

pub(super) fn matrix(size: usize, related: impl Fn(usize, usize) -> bool) -> Matrix {
    (0..size).map(|a| (0..size).map(|b| related(a, b)).collect()).collect()
}
fn seq(a: &Matrix, b: &Matrix) -> Matrix {
    matrix(a.len(), |x, z| (0..a.len()).any(|y| a[x][y] && b[y][z]))
}
fn or(all: &[&Matrix]) -> Matrix {
    matrix(all[0].len(), |a, b| all.iter().any(|m| m[a][b]))
}
fn opt(a: &Matrix) -> Matrix {
    matrix(a.len(), |x, y| x == y || a[x][y])
}
fn plus(a: &Matrix) -> Matrix {
    let mut all = a.clone();
    loop {
        let more = or(&[&all, &seq(&all, a)]);
        if more == all {
            return all;
        }
        all = more;
    }
}
fn irreflexive(a: &Matrix) -> bool {
    (0..a.len()).all(|x| !a[x][x])
}
fn acyclic(a: &Matrix) -> bool {
    irreflexive(&plus(a))
}

/// Which models find an execution consistent, and whether RC11 and Rust see a
/// race in it.
#[expect(clippy::many_single_char_names, reason = "the names of the relations in the papers")]
pub(super) fn consistent(events: &[Ev], starts: &[usize], rf: &Matrix, mo: &Matrix) -> ([bool; 4], [bool; 2]) {
    let n = events.len();
    let e = events;
    let init = |a: usize| e[a].thread == usize::MAX;
    let sb = matrix(n, |a, b| !init(a) && e[a].thread == e[b].thread && a < b);
    let loc = matrix(n, |a, b| !e[a].fence && !e[b].fence && e[a].location == e[b].location);
    let (r, w) = (|a: usize| e[a].read.is_some(), |a: usize| e[a].write.is_some());
    let rmw = |a: usize| r(a) && w(a);
    let rb = matrix(n, |a, b| a != b && (0..n).any(|c| rf[c][a] && mo[c][b]));
    let id = |set: &dyn Fn(usize) -> bool| matrix(n, |a, b| a == b && set(a));
    let atomic = !(0..n).any(|a| rmw(a) && (0..n).any(|b| rb[a][b] && mo[b][a]));
    let is_sc_fence = |a: usize| e[a].fence && e[a].order == Ord::Sc;

    let sc = atomic && acyclic(&or(&[&sb, rf, mo, &rb]));

    let po_loc = matrix(n, |a, b| sb[a][b] && loc[a][b]);
    let ppo = matrix(n, |a, b| {
        let overtakes = w(a) && !r(a) && r(b) && !w(b);
        let fenced = (0..n).any(|c| is_sc_fence(c) && sb[a][c] && sb[c][b]);
        sb[a][b] && !e[a].fence && !e[b].fence && (!overtakes || e[a].order == Ord::Sc || fenced)
    });
    let rfe = matrix(n, |a, b| rf[a][b] && e[a].thread != e[b].thread);
    let tso = atomic && acyclic(&or(&[&po_loc, rf, mo, &rb])) && acyclic(&or(&[&ppo, &rfe, mo, &rb]));

    let eco = plus(&or(&[rf, mo, &rb]));
    let is_atomic = |a: usize| !init(a) && e[a].order != Ord::Na;
    let chain = {
        let rfrmw = matrix(n, |a, b| rf[a][b] && rmw(b));
        opt(&plus(&rfrmw))
    };
    let language = |rs: &Matrix| {
        let fence_before = opt(&matrix(n, |a, b| e[a].fence && sb[a][b]));
        let fence_after = opt(&matrix(n, |a, b| sb[a][b] && e[b].fence));
        let mut sw = seq(&id(&|a| !init(a) && e[a].order.rel()), &fence_before);
        sw = seq(&seq(&sw, rs), rf);
        sw = seq(&seq(&sw, &id(&|a| r(a) && is_atomic(a))), &fence_after);
        sw = seq(&sw, &id(&|a| !init(a) && e[a].order.acq()));
        let hb = plus(&or(&[&sb, &sw]));
        let sbl = matrix(n, |a, b| sb[a][b] && !loc[a][b]);
        let hbl = matrix(n, |a, b| hb[a][b] && loc[a][b]);
        let scb = or(&[&sb, &seq(&seq(&sbl, &hb), &sbl), &hbl, mo, &rb]);
        let is_sc = |a: usize| !init(a) && e[a].order == Ord::Sc;
        let f = id(&is_sc_fence);
        let pscb = seq(&seq(&or(&[&id(&is_sc), &seq(&f, &opt(&hb))]), &scb), &or(&[&id(&is_sc), &seq(&opt(&hb), &f)]));
        let pscf = seq(&seq(&f, &or(&[&hb, &seq(&seq(&hb, &eco), &hb)])), &f);
        let race = (0..n).any(|a| {
            (0..n).any(|b| {
                (w(a) || w(b))
                    && loc[a][b]
                    && !init(a)
                    && !init(b)
                    && e[a].thread != e[b].thread
                    && !(is_atomic(a) && is_atomic(b))
                    && !hb[a][b]
                    && !hb[b][a]
            })
        });
        let fine = irreflexive(&seq(&hb, &opt(&eco)))
            && !(0..n).any(|a| rmw(a) && eco[a][a])
            && atomic
            && acyclic(&or(&[&pscb, &pscf]));
        (fine, race)
    };
    let own = opt(&po_loc);
    let rs11 = seq(&seq(&seq(&id(&w), &own), &id(&|a| w(a) && is_atomic(a))), &chain);
    let rs20 = seq(&id(&|a| w(a) && is_atomic(a)), &chain);
    let (rc11, race11) = language(&rs11);
    let (rust, race20) = language(&rs20);
    let rc11 = rc11 && acyclic(&or(&[&sb, rf]));
    let dependent = matrix(n, |a, b| {
        let within = |at: usize| !init(a) && !init(b) && e[a].thread == e[b].thread && starts[e[b].thread] + at == a;
        e[b].data.is_some_and(within) || e[b].ctrl.iter().any(|at| within(*at))
    });
    let rust = rust && acyclic(&or(&[&dependent, rf]));
    ([sc, tso, rc11, rust], [race11 && rc11, race20 && rust])
}
