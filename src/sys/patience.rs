//! Scheduling policy of the calling thread, sched(7).

/// Whether to wait one's turn (`SCHED_BATCH`): a thread that is woken so never
/// takes the CPU from whoever woke it. Needs no permission either way.
pub fn set(patient: bool) {
    let policy = if patient { libc::SCHED_BATCH } else { libc::SCHED_OTHER };
    // SAFETY: all zero is a valid parameter block.
    let mut parameters: libc::sched_param = unsafe { std::mem::zeroed() };
    parameters.sched_priority = 0;
    // Where a sandbox forbids it everything works as well, a little slower.
    // SAFETY: reads the block; 0 is the calling thread.
    unsafe { libc::sched_setscheduler(0, policy, &raw const parameters) };
}
