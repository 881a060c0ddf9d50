use proptest::prelude::*;

use super::*;
use crate::model::wait::Holder;

fn id(number: Pid) -> ThreadId {
    ThreadId { pid: number, tid: number }
}

fn thread(number: Pid) -> Holder {
    Holder { pid: number, tid: Some(number) }
}

fn process(pid: Pid) -> Holder {
    Holder { pid, tid: None }
}

fn waits(kind: WaitKind, mode: Mode, holders: &[Holder]) -> Wait {
    Wait { holders: holders.to_vec(), mode, ..Wait::new(kind, "thing") }
}

fn lock(holder: Holder) -> Wait {
    waits(WaitKind::PthreadMutex, Mode::Any, &[holder])
}

/// Analyses single-threaded processes 1, 2, … with these waits.
fn of(waits: &[Option<Wait>]) -> Analysis {
    let node = |(at, wait): (usize, &'_ Option<Wait>)| (id(at as Pid + 1), wait.clone());
    let owned: Vec<(ThreadId, Option<Wait>)> = waits.iter().enumerate().map(node).collect();
    let nodes: Vec<Node<'_>> =
        owned.iter().map(|(id, wait)| Node { id: *id, wait: wait.as_ref(), ended: false, settled: true }).collect();
    analyse(&nodes)
}

fn cycles(analysis: &Analysis) -> Vec<Vec<Pid>> {
    analysis.deadlocks.iter().map(|dead| dead.cycle.iter().map(|id| id.tid).collect()).collect()
}

use Verdict::{Deadlocked, Running, Stuck, Unknown, Waiting};

#[test]
fn a_loop_is_a_deadlock_and_who_waits_behind_it_is_stuck() {
    let found = of(&[Some(lock(thread(2))), Some(lock(thread(1))), Some(lock(thread(2))), None, Some(lock(thread(4)))]);
    assert_eq!(found.verdicts, [Deadlocked, Deadlocked, Stuck, Running, Waiting]);
    assert_eq!(cycles(&found), [[1, 2]]);
    assert_eq!(found.deadlocks[0].stuck, [id(1), id(2), id(3)]);
    assert_eq!(found.deadlocks[0].certainty, Certainty::Certain);
}

#[test]
fn a_thread_that_waits_for_itself_is_a_deadlock() {
    let found = of(&[Some(lock(thread(1))), Some(lock(process(2)))]);
    assert_eq!(found.verdicts, [Deadlocked, Deadlocked], "itself, and its own process");
    assert_eq!(cycles(&found), [[1], [2]]);
}

#[test]
fn one_way_out_of_a_wait_for_any_is_enough_and_all_are_needed_for_all() {
    let of_mode =
        |mode| of(&[Some(waits(WaitKind::PipeRead, mode, &[thread(2), thread(3)])), Some(lock(thread(1))), None]);
    assert_eq!(of_mode(Mode::Any).verdicts, [Waiting, Waiting, Running]);
    assert_eq!(of_mode(Mode::All).verdicts, [Deadlocked, Deadlocked, Running]);
}

#[test]
fn what_can_end_by_itself_or_by_the_unseen_is_no_deadlock() {
    type Breaker = fn(&mut Wait);
    let breakers: [(Breaker, Verdict); 4] = [
        (|wait| wait.timed = true, Waiting),
        (|wait| wait.partial = true, Unknown),
        (|wait| wait.certainty = Certainty::Unknown, Unknown),
        (|wait| wait.holders.push(thread(99)), Unknown),
    ];
    for (breaker, verdict) in breakers {
        let mut wait = lock(thread(2));
        breaker(&mut wait);
        let found = of(&[Some(wait), Some(lock(thread(1)))]);
        assert_eq!((found.verdicts, found.deadlocks.len()), (vec![verdict, verdict], 0));
    }
    let wait = lock(thread(1));
    let node = |number, settled| Node { id: id(number), wait: Some(&wait), ended: false, settled };
    assert!(analyse(&[node(1, false)]).deadlocks.is_empty(), "it may have moved on");
    assert_eq!(analyse(&[node(1, true)]).deadlocks.len(), 1);
}

#[test]
fn whoever_may_end_a_wait_in_another_way_keeps_it_from_being_dead() {
    // 1 and 2 wait for each other, 3 for 1; 4 runs, 5 waits for 2.
    let of_besides = |besides: &[Pid]| {
        let third = Wait { besides: besides.to_vec(), ..lock(thread(1)) };
        of(&[Some(lock(thread(2))), Some(lock(thread(1))), Some(third), None, Some(lock(thread(2)))]).verdicts
    };
    assert_eq!(of_besides(&[]), [Deadlocked, Deadlocked, Stuck, Running, Stuck]);
    assert_eq!(of_besides(&[4]), [Deadlocked, Deadlocked, Unknown, Running, Stuck], "it may, which nobody sees");
    assert_eq!(of_besides(&[5, 3]), [Deadlocked, Deadlocked, Stuck, Running, Stuck], "these cannot");
    assert_eq!(of_besides(&[99]), [Deadlocked, Deadlocked, Unknown, Running, Stuck], "nobody knows");
    let own = Wait { besides: vec![1], ..lock(thread(2)) };
    assert_eq!(of(&[Some(own), None]).verdicts, [Waiting, Running]);
    let own = Wait { besides: vec![1], ..lock(thread(2)) };
    let found = of(&[Some(own), Some(lock(thread(2)))]);
    assert_eq!((found.verdicts.clone(), cycles(&found)), (vec![Stuck, Deadlocked], vec![vec![2]]), "no loop by itself");
}

#[test]
fn who_sleeps_until_its_own_process_wakes_it_ends_no_wait() {
    // 1 and 2 wait for each other; 3, with a second thread, waits for 1, and may end
    // its wait itself.
    let of_second = |second: Option<Wait>| {
        let third = Wait { besides: vec![3], ..lock(thread(1)) };
        let waits = [Some(lock(thread(2))), Some(lock(thread(1))), Some(third), second];
        let ids = [id(1), id(2), id(3), ThreadId { tid: 4, ..id(3) }];
        let node = |(id, wait)| Node { id, wait, ended: false, settled: true };
        analyse(&ids.into_iter().zip(waits.iter().map(Option::as_ref)).map(node).collect::<Vec<_>>()).verdicts
    };
    let asleep = |kind, timed| Some(Wait { timed, within: true, ..waits(kind, Mode::Any, &[]) });
    assert_eq!(of_second(None), [Deadlocked, Deadlocked, Unknown, Running]);
    for kind in [WaitKind::RustPark, WaitKind::PthreadCond, WaitKind::Semaphore] {
        assert_eq!(of_second(asleep(kind, false)), [Deadlocked, Deadlocked, Stuck, Waiting], "nobody wakes it");
        assert_eq!(of_second(asleep(kind, true)), [Deadlocked, Deadlocked, Unknown, Waiting], "it wakes by itself");
    }
    assert_eq!(of_second(asleep(WaitKind::Sleep, true)), [Deadlocked, Deadlocked, Unknown, Waiting]);
    let shared = Wait { within: false, ..waits(WaitKind::Semaphore, Mode::Any, &[]) };
    assert_eq!(of_second(Some(shared)), [Deadlocked, Deadlocked, Unknown, Waiting], "another process may post it");
}

#[test]
fn a_process_whose_others_sleep_until_it_wakes_them_acts_by_none_of_them() {
    // 1 waits for process 2; of that one thread waits for 1, and another sleeps.
    let of_second = |first: Option<Wait>, second: Option<Wait>, settled| {
        let waits = [Some(waits(WaitKind::PipeRead, Mode::Any, &[process(2)])), first, second];
        let ids = [id(1), id(2), ThreadId { tid: 3, ..id(2) }];
        let node = |(id, wait): (ThreadId, _)| Node { id, wait, ended: false, settled: settled || id.tid != 3 };
        analyse(&ids.into_iter().zip(waits.iter().map(Option::as_ref)).map(node).collect::<Vec<_>>())
    };
    let asleep = |timed| Some(Wait { timed, within: true, ..waits(WaitKind::PthreadCond, Mode::Any, &[]) });
    let back = || Some(waits(WaitKind::PipeWrite, Mode::Any, &[process(1)]));
    let found = of_second(back(), asleep(false), true);
    assert_eq!((&found.verdicts[..], cycles(&found)), (&[Deadlocked, Deadlocked, Waiting][..], vec![vec![1, 2]]));
    assert_eq!(of_second(back(), asleep(true), true).verdicts, [Waiting; 3], "it wakes by itself");
    assert_eq!(of_second(back(), asleep(false), false).verdicts, [Waiting; 3], "it has run meanwhile");
    assert_eq!(of_second(back(), None, true).verdicts, [Waiting, Waiting, Running]);
    assert_eq!(of_second(asleep(false), asleep(false), true).verdicts, [Waiting; 3], "it has nothing to do");
}

/// Process 1: a thread waits for a lock that a second one holds, which waits so; a third
/// does this. What is found of the three.
fn of_pressed(second: Wait, third: Option<Wait>, settled: bool) -> Analysis {
    let first = Wait { within: true, ..lock(Holder { pid: 1, tid: Some(2) }) };
    let waits = [Some(first), Some(second), third];
    let node = |(at, wait): (usize, &'_ Option<Wait>)| (at as Pid + 1, wait.clone());
    let owned: Vec<(Pid, Option<Wait>)> = waits.iter().enumerate().map(node).collect();
    let node =
        |(tid, wait): &'_ (Pid, Option<Wait>)| (ThreadId { pid: 1, tid: *tid }, *tid != 3 || settled, wait.clone());
    let owned: Vec<_> = owned.iter().map(node).collect();
    let nodes: Vec<Node<'_>> = owned
        .iter()
        .map(|(id, settled, wait)| Node { id: *id, wait: wait.as_ref(), ended: false, settled: *settled })
        .collect();
    analyse(&nodes)
}

#[test]
fn who_holds_a_lock_is_dead_where_all_of_its_process_sleep() {
    let asleep = |kind| Wait { within: true, ..waits(kind, Mode::Any, &[]) };
    let kinds = [WaitKind::PthreadBarrier, WaitKind::RustCondvar, WaitKind::RustPark, WaitKind::Semaphore];
    for kind in kinds.into_iter().chain([WaitKind::CxxWait, WaitKind::Futex]) {
        let found = of_pressed(asleep(kind), Some(asleep(WaitKind::RustPark)), true);
        assert_eq!(found.verdicts, [Deadlocked, Deadlocked, Stuck], "{kind:?}");
        assert_eq!((found.deadlocks.len(), found.deadlocks[0].cycle.len()), (1, 2));
        assert_eq!(found.matters, [false, true, true]);
        let one = Holder { pid: 1, tid: Some(1) };
        let joins = Wait { within: true, ..waits(WaitKind::ThreadJoin, Mode::Any, &[one]) };
        assert_eq!(of_pressed(asleep(kind), Some(joins), true).verdicts, [Deadlocked, Deadlocked, Stuck]);
    }
}

#[test]
fn who_holds_a_lock_may_be_woken_by_whoever_does_not_sleep() {
    let asleep = || Wait { within: true, ..waits(WaitKind::PthreadBarrier, Mode::Any, &[]) };
    let timed = Some(Wait { timed: true, ..asleep() });
    let reads = Some(waits(WaitKind::TtyRead, Mode::Any, &[]));
    for (third, verdict) in [(None, Running), (timed, Waiting), (reads, Waiting)] {
        let found = of_pressed(asleep(), third, true);
        assert_eq!((found.verdicts, found.deadlocks.len()), (vec![Unknown, Unknown, verdict], 0));
    }
    assert_eq!(of_pressed(asleep(), Some(asleep()), false).verdicts, [Unknown, Unknown, Waiting], "it has run");
    let shared = Wait { within: false, ..asleep() };
    assert_eq!(of_pressed(shared, Some(asleep()), true).verdicts, [Waiting, Waiting, Waiting], "others may");
    let unsure = Wait { certainty: Certainty::Unknown, ..asleep() };
    assert_eq!(of_pressed(unsure, Some(asleep()), true).verdicts, [Unknown, Unknown, Waiting]);
    let itself = Wait { timed: true, ..asleep() };
    assert_eq!(of_pressed(itself, Some(asleep()), true).verdicts, [Waiting, Waiting, Waiting]);
}

/// Whatever a futex is for, nobody but the process wakes it; but whether that is for a lock
/// or for something that happens nobody knows.
#[test]
fn a_futex_of_unknown_make_counts_where_it_is_known_to_one_process_only() {
    let futex = || Wait { within: true, certainty: Certainty::Unknown, ..waits(WaitKind::Futex, Mode::Any, &[]) };
    let found = of_pressed(futex(), Some(futex()), true);
    assert_eq!((found.verdicts, found.deadlocks.len()), (vec![Deadlocked, Deadlocked, Stuck], 1));
    let shared = Wait { within: false, ..futex() };
    assert_eq!(of_pressed(shared, Some(futex()), true).verdicts, [Unknown; 3]);
    assert_eq!(of_pressed(futex(), None, true).verdicts, [Unknown, Unknown, Running]);
    let timed = Wait { timed: true, ..futex() };
    assert_eq!(of_pressed(timed, Some(futex()), true).verdicts[..2], [Waiting; 2]);
    assert_eq!(of(&[Some(futex())]).verdicts, [Unknown], "it may have nothing to do");
}

#[test]
fn a_lock_of_nobody_knows_whom_is_never_let_go_of_where_all_sleep() {
    let of_kind = |kind, make, within| of(&[Some(Wait { make, within, ..waits(kind, Mode::Any, &[]) })]).verdicts;
    assert_eq!(of_kind(WaitKind::RustMutex, Make::Usual, true), [Stuck]);
    assert_eq!(of_kind(WaitKind::ParkingLot, Make::ParkingLotMutex, true), [Stuck]);
    assert_eq!(of_kind(WaitKind::RustMutex, Make::Usual, false), [Unknown]);
    // They may have nothing to do.
    assert_eq!(of_kind(WaitKind::ParkingLot, Make::ParkingLotCondvar, true), [Waiting]);
    assert_eq!(of_kind(WaitKind::RustCondvar, Make::Usual, true), [Waiting]);
    assert_eq!(of_kind(WaitKind::Futex, Make::Usual, true), [Unknown]);
}

#[test]
fn who_may_yet_end_a_loop_is_named() {
    // 1 waits for process 2, one thread of which waits for 1; another does something else.
    let of_second = |mut first: Wait, second: Option<Wait>, besides: &[Pid]| {
        first.besides = besides.to_vec();
        let back = waits(WaitKind::PipeRead, Mode::Any, &[process(1)]);
        let waits = [Some(first), Some(back), second, Some(waits(WaitKind::Sleep, Mode::Any, &[]))];
        let ids = [id(1), id(2), ThreadId { tid: 3, ..id(2) }, id(4)];
        let node = |(id, wait)| Node { id, wait, ended: false, settled: true };
        let found = analyse(&ids.into_iter().zip(waits.iter().map(Option::as_ref)).map(node).collect::<Vec<_>>());
        (found.verdicts[0], found.doubts.iter().map(|doubt| (doubt.threads.len(), doubt.by.tid)).collect::<Vec<_>>())
    };
    let pipe = || waits(WaitKind::PipeRead, Mode::Any, &[process(2)]);
    let signal = |within| Some(Wait { within, ..waits(WaitKind::Signal, Mode::Any, &[]) });
    let sleep = || Some(Wait { timed: true, ..waits(WaitKind::Sleep, Mode::Any, &[]) });
    assert_eq!(of_second(pipe(), signal(true), &[]), (Deadlocked, vec![]));
    assert_eq!(of_second(pipe(), signal(false), &[]), (Unknown, vec![(2, 3)]), "it is not seen to come");
    assert_eq!(of_second(pipe(), sleep(), &[]), (Waiting, vec![(2, 3)]), "it wakes by itself");
    assert_eq!(of_second(pipe(), None, &[]), (Waiting, vec![]), "it runs: nothing is amiss");
    let partial = Wait { partial: true, ..pipe() };
    assert_eq!(of_second(partial, signal(true), &[]), (Unknown, vec![(2, 1)]), "itself, by somebody unseen");
    assert_eq!(of_second(pipe(), signal(true), &[4]), (Unknown, vec![(2, 4)]), "one that holds nothing");
    let polls = Wait { kind: WaitKind::Poll, partial: true, ..pipe() };
    assert_eq!(of_second(polls, signal(true), &[]), (Unknown, vec![]), "of any of several there may always be more");
}

#[test]
fn an_inferred_loop_is_claimed_as_inferred() {
    let inferred = Wait { certainty: Certainty::Inferred, ..waits(WaitKind::RustMutex, Mode::Any, &[thread(1)]) };
    let found = of(&[Some(lock(thread(2))), Some(inferred)]);
    assert_eq!(found.deadlocks[0].certainty, Certainty::Inferred);
}

#[test]
fn a_lock_whose_holder_is_gone_is_stuck_without_a_loop() {
    let orphaned = Wait { orphaned: true, ..waits(WaitKind::PthreadMutex, Mode::Any, &[]) };
    let found = of(&[Some(orphaned), Some(lock(thread(1)))]);
    assert_eq!((found.verdicts, found.deadlocks.len()), (vec![Stuck, Stuck], 0));
}

#[test]
fn a_process_acts_by_any_of_its_threads_that_lives() {
    // Process 10: threads 10 and 11; process 20 waits for it and is waited for.
    let (by_lock, by_pipe) = (lock(thread(20)), waits(WaitKind::PipeRead, Mode::Any, &[process(10)]));
    let node = |pid, tid, wait| Node { id: ThreadId { pid, tid }, wait, ended: false, settled: true };
    let free = [node(10, 10, Some(&by_lock)), node(10, 11, None), node(20, 20, Some(&by_pipe))];
    assert_eq!(analyse(&free).verdicts, [Waiting, Running, Waiting]);
    let ended = [free[0], Node { ended: true, ..free[1] }, free[2]];
    let found = analyse(&ended);
    assert_eq!(found.verdicts, [Deadlocked, Running, Deadlocked]);
    assert_eq!(found.deadlocks[0].cycle.len(), 2);
    let on_its_way_out = [Node { ended: true, ..free[0] }, ended[1], free[2]];
    assert!(analyse(&on_its_way_out).deadlocks.is_empty());
}

#[test]
fn a_lock_without_a_known_holder_is_unknown_and_an_event_is_waited_for() {
    let kinds = [WaitKind::RustMutex, WaitKind::PipeRead, WaitKind::Futex, WaitKind::Epoll, WaitKind::PthreadCond];
    let found = of(&kinds.map(|kind| Some(waits(kind, Mode::Any, &[]))));
    assert_eq!(found.verdicts, [Unknown, Unknown, Unknown, Waiting, Waiting]);
    let unreadable = Wait { certainty: Certainty::Unknown, ..waits(WaitKind::Other, Mode::Any, &[]) };
    assert_eq!(of(&[Some(unreadable)]).verdicts, [Unknown]);
    // All of parking_lot's are of one kind.
    for (make, verdict) in [(Make::ParkingLotMutex, Unknown), (Make::ParkingLotCondvar, Waiting)] {
        let parked = Wait { make, ..waits(WaitKind::ParkingLot, Mode::Any, &[]) };
        assert_eq!(of(&[Some(parked)]).verdicts, [verdict], "{make:?}");
    }
}

#[test]
fn a_long_ring_and_a_long_chain_are_walked_without_recursion() {
    let count = 20_000;
    let ring: Vec<Option<Wait>> = (0..count).map(|at| Some(lock(thread((at + 1) % count + 1)))).collect();
    let found = of(&ring);
    assert_eq!((found.deadlocks.len(), found.deadlocks[0].cycle.len()), (1, count as usize));
    assert!(found.deadlocks[0].cycle.windows(2).all(|pair| pair[1].tid == pair[0].tid + 1), "in the ring's order");
    let mut chain = ring;
    chain[count as usize - 1] = None;
    assert!(of(&chain).deadlocks.is_empty());
}

/// A wait of a random graph.
#[derive(Clone, Debug)]
struct Drawn {
    mode: Mode,
    holders: Vec<usize>,
    free: bool,
    partial: bool,
    orphaned: bool,
}

fn drawn(count: usize) -> impl Strategy<Value = Option<Drawn>> {
    let holders = proptest::collection::vec(0..count, 0..3);
    let flags = (0..10_u8, 0..10_u8, 0..10_u8, any::<bool>());
    let wait = (holders, flags).prop_map(|(holders, (free, partial, orphaned, all))| Drawn {
        mode: if all { Mode::All } else { Mode::Any },
        free: free == 0,
        partial: partial == 0,
        orphaned: orphaned == 0 && holders.is_empty(),
        holders,
    });
    prop_oneof![1 => Just(None), 5 => wait.prop_map(Some)]
}

/// By definition: a set of threads is stuck if each of its members waits for
/// ever as long as all others of the set do nothing.
fn is_stuck_set(waits: &[Option<Drawn>], set: u32) -> bool {
    let inside = |at: &usize| set & (1 << at) != 0;
    (0..waits.len()).filter(inside).all(|at| match &waits[at] {
        None => false,
        Some(wait) if wait.free => false,
        Some(wait) if wait.holders.is_empty() => wait.orphaned,
        Some(wait) => match wait.mode {
            Mode::All => wait.holders.iter().any(inside),
            Mode::Any => !wait.partial && wait.holders.iter().all(inside),
        },
    })
}

proptest! {
    #[test]
    fn the_stuck_are_the_union_of_all_stuck_sets(drawn in proptest::collection::vec(drawn(7), 7)) {
        let waits: Vec<Option<Wait>> = drawn.iter().map(|drawn| drawn.as_ref().map(|drawn| {
            let holders: Vec<Holder> = drawn.holders.iter().map(|at| thread(*at as Pid + 1)).collect();
            let wait = waits(WaitKind::PthreadMutex, drawn.mode, &holders);
            Wait { timed: drawn.free, partial: drawn.partial, orphaned: drawn.orphaned, ..wait }
        })).collect();
        let found = of(&waits);
        let stuck = (0..1 << 7_u32).filter(|&set| is_stuck_set(&drawn, set)).fold(0, |all, set| all | set);
        for at in 0..7 {
            prop_assert_eq!(found.verdicts[at].is_for_ever(), stuck & (1 << at) != 0, "thread {}", at + 1);
        }
        // Two are in one deadlock if each leads to the other through the stuck.
        let mut leads = [[false; 7]; 7];
        for at in (0..7).filter(|at| stuck & (1 << at) != 0) {
            for &to in drawn[at].iter().flat_map(|drawn| &drawn.holders).filter(|&&to| stuck & (1 << to) != 0) {
                leads[at][to] = true;
            }
        }
        for via in 0..7 {
            for from in 0..7 {
                for to in 0..7 {
                    leads[from][to] |= leads[from][via] && leads[via][to];
                }
            }
        }
        let in_loop = |at: usize| leads[at][at];
        for (at, &verdict) in found.verdicts.iter().enumerate() {
            prop_assert_eq!(verdict == Deadlocked, in_loop(at));
            let dead = found.deadlocks.iter().find(|dead| dead.cycle.contains(&id(at as Pid + 1)));
            prop_assert_eq!(dead.is_some(), in_loop(at));
            for (other, onward) in leads.iter().enumerate() {
                let together = dead.is_some_and(|dead| dead.cycle.contains(&id(other as Pid + 1)));
                prop_assert_eq!(together, leads[at][other] && onward[at]);
                let behind = dead.is_some_and(|dead| dead.stuck.contains(&id(other as Pid + 1)));
                prop_assert_eq!(behind, in_loop(at) && onward[at]);
            }
        }
    }
}
