//! Which CPUs a thread may run on: `sched_getaffinity(2)`, `sched_setaffinity(2)`,
//! and which of them are two threads of one core (sysfs).

use std::io;

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

/// The CPUs that the calling thread may run on, in ascending order.
///
/// # Errors
/// Whatever `sched_getaffinity(2)` says.
pub fn allowed() -> io::Result<Vec<usize>> {
    let set = sched_getaffinity(None)?;
    Ok((0..CpuSet::MAX_CPU).filter(|&cpu| set.is_set(cpu)).collect())
}

/// Binds the calling thread to these CPUs.
///
/// # Errors
/// Whatever `sched_setaffinity(2)` says; `EINVAL` where none of them exists or
/// is allowed.
pub fn bind(cpus: &[usize]) -> io::Result<()> {
    let mut set = CpuSet::new();
    cpus.iter().filter(|&&cpu| cpu < CpuSet::MAX_CPU).for_each(|&cpu| set.set(cpu));
    Ok(sched_setaffinity(None, &set)?)
}

/// The CPUs that there are and that run, in ascending order; `None` where sysfs does
/// not say.
pub fn online() -> Option<Vec<usize>> {
    let list = std::fs::read_to_string("/sys/devices/system/cpu/online").ok()?;
    Some(parse_list(list.trim())).filter(|cpus| !cpus.is_empty())
}

/// The CPUs that are threads of the same core as `cpu`, itself included;
/// only itself where sysfs does not say.
pub fn siblings(cpu: usize) -> Vec<usize> {
    let path = format!("/sys/devices/system/cpu/cpu{cpu}/topology/thread_siblings_list");
    std::fs::read_to_string(path).map_or_else(|_| vec![cpu], |text| parse_list(text.trim()))
}

/// `0-2,5` as numbers.
fn parse_list(text: &str) -> Vec<usize> {
    let range = |part: &str| -> Option<std::ops::RangeInclusive<usize>> {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        Some(first.parse().ok()?..=last.parse().ok()?)
    };
    text.split(',').filter_map(range).flatten().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_can_be_bound_to_one_of_its_cpus() {
        std::thread::spawn(|| {
            let cpus = allowed().unwrap();
            bind(&cpus[..1]).unwrap();
            assert_eq!(allowed().unwrap(), cpus[..1]);
            assert!(bind(&[]).is_err());
        })
        .join()
        .unwrap();
    }

    #[test]
    fn cpu_lists() {
        assert_eq!(parse_list("0-2,5"), [0, 1, 2, 5]);
        assert_eq!(parse_list("3"), [3]);
        assert!(parse_list("").is_empty());
        assert!(siblings(0).contains(&0));
    }
}
