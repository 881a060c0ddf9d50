//! Which CPUs the two processes of a channel run on.

use std::fs::File;
use std::io::Write;

use crate::model::channel::Placement;
use crate::sys::affinity;

/// The CPUs of both sides; empty where they may run anywhere.
#[derive(Debug, Default)]
pub struct Seats {
    /// What was asked for.
    pub placement: Placement,
    /// Of the side that sends and asks.
    pub asker: Vec<usize>,
    /// Of the side that receives and answers.
    pub answerer: Vec<usize>,
    /// What to keep in mind with every figure taken on them.
    pub flags: Vec<&'static str>,
    /// Keeps all CPUs out of idle states for as long as it is open.
    _awake: Option<File>,
}

impl Seats {
    /// Takes the seats that a placement asks for.
    ///
    /// # Errors
    /// Why this machine, or this process, has no such seats.
    pub fn take(placement: Placement) -> Result<Self, String> {
        if placement == Placement::Unpinned {
            return Ok(Seats { placement, ..Seats::default() });
        }
        let cpus = affinity::allowed().map_err(|error| format!("cannot tell the allowed CPUs: {error}"))?;
        let &first = cpus.first().ok_or("no CPU is allowed")?;
        if placement == Placement::SameCpu {
            return Ok(Seats { placement, asker: vec![first], answerer: vec![first], ..Seats::default() });
        }
        let siblings = affinity::siblings(first);
        let others = || cpus.iter().copied().filter(|&cpu| cpu != first);
        let apart = others().find(|cpu| !siblings.contains(cpu));
        let other = apart.or_else(|| others().next());
        let other = other.ok_or_else(|| format!("it needs two CPUs, and only CPU {first} is allowed here"))?;
        let flags = if apart.is_none() { vec!["two threads of one core"] } else { Vec::new() };
        let awake = if placement == Placement::CrossCpuAwake { Some(stay_awake()?) } else { None };
        Ok(Seats { placement, asker: vec![first], answerer: vec![other], flags, _awake: awake })
    }
}

/// Asks for an idle latency of 0 (`Documentation/power/pm_qos_interface.rst`);
/// the wish holds for as long as the file is open.
fn stay_awake() -> Result<File, String> {
    const PATH: &str = "/dev/cpu_dma_latency";
    let mut file = File::options()
        .write(true)
        .open(PATH)
        .map_err(|error| format!("cannot keep the CPUs awake: {PATH}: {error} (run as root)"))?;
    file.write_all(&0_i32.to_ne_bytes())
        .map_err(|error| format!("cannot keep the CPUs awake: writing {PATH}: {error}"))?;
    Ok(file)
}

impl Seats {
    /// Whether both sides have the same single CPU.
    pub(super) fn are_one_cpu(&self) -> bool {
        self.asker.len() == 1 && self.asker == self.answerer
    }

    /// Whether a side may run on this CPU.
    pub(super) fn hold(&self, cpu: usize) -> bool {
        self.asker.is_empty() || self.asker.contains(&cpu) || self.answerer.contains(&cpu)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seats_are_as_asked_for_or_say_why_not() {
        let cpus = affinity::allowed().unwrap();
        let same = Seats::take(Placement::SameCpu).unwrap();
        assert_eq!(same.asker, same.answerer);
        assert!(Seats::take(Placement::Unpinned).unwrap().asker.is_empty());
        match Seats::take(Placement::CrossCpu) {
            Ok(seats) => assert_ne!(seats.asker, seats.answerer),
            Err(why) => assert!(cpus.len() == 1 && why.contains("two CPUs"), "{why}"),
        }
    }

    #[test]
    fn one_cpu_is_not_enough_for_two() {
        std::thread::spawn(|| {
            affinity::bind(&affinity::allowed().unwrap()[..1]).unwrap();
            assert!(Seats::take(Placement::CrossCpu).unwrap_err().contains("two CPUs"));
        })
        .join()
        .unwrap();
    }
}
