//! From what a user asked for to what the kernel is told: names become
//! numbers.

use std::ffi::{CString, c_int};

use nix::unistd::{Gid, Group, Uid, User, getgrouplist};

use crate::model::Fault;
use crate::model::launch::{Attributes, Grouping};
use crate::sys::affinity;
use crate::sys::limits::RESOURCES;
use crate::sys::spawn::{self, Credentials, Limits};

/// Attributes with everything looked up.
#[derive(Debug, Default)]
pub(super) struct Resolved {
    limits: Vec<(c_int, Limits)>,
    user: Option<(u32, u32, Option<Vec<u32>>)>,
}

impl Resolved {
    /// Looks names up. What there is not is said before anything starts.
    pub(super) fn of(wanted: &Attributes) -> Result<Self, Fault> {
        let limit = |limit: &crate::model::launch::ResourceLimit| {
            let known = RESOURCES.iter().find(|(name, _)| *name == limit.name);
            let unknown = || fault(format!("there is no limit called {}", limit.name));
            Ok((known.ok_or_else(unknown)?.1, (limit.soft, limit.hard)))
        };
        let limits = wanted.limits.iter().map(limit).collect::<Result<_, Fault>>()?;
        // Who asks for none is not made to wait for sysfs.
        let online = if wanted.cpus.is_empty() { None } else { affinity::online() };
        if let Some(online) = online
            && let Some(absent) = wanted.cpus.iter().find(|cpu| !online.contains(cpu))
        {
            // The kernel passes over those that are not there, in silence.
            let all: Vec<String> = online.iter().map(usize::to_string).collect();
            return Err(fault(format!("there is no CPU {absent}: this machine runs {}", all.join(", "))));
        }
        let user = match (&wanted.user, &wanted.group) {
            (None, None) => None,
            (user, group) => Some(credentials(user.as_deref(), group.as_deref())?),
        };
        Ok(Resolved { limits, user })
    }

    /// As the kernel is told it.
    pub(super) fn attributes<'a>(&'a self, wanted: &'a Attributes, terminal: bool) -> spawn::Attributes<'a> {
        spawn::Attributes {
            limits: &self.limits,
            nice: wanted.nice,
            cpus: (!wanted.cpus.is_empty()).then_some(&wanted.cpus),
            umask: wanted.umask,
            terminal,
            user: self.user.as_ref().map(|(uid, gid, groups)| Credentials {
                uid: *uid,
                gid: *gid,
                groups: groups.as_deref(),
            }),
        }
    }
}

/// The session or group as the kernel is told it.
pub(super) fn grouping(wanted: Grouping) -> spawn::Group {
    match wanted {
        Grouping::Inherit => spawn::Group::Inherit,
        Grouping::Group => spawn::Group::Own,
        Grouping::Session => spawn::Group::Session,
    }
}

/// User, group, and the supplementary groups where we may set them.
pub(super) fn credentials(user: Option<&str>, group: Option<&str>) -> Result<(u32, u32, Option<Vec<u32>>), Fault> {
    let (mut uid, mut gid, mut name) = (Uid::current().as_raw(), Gid::current().as_raw(), None);
    if let Some(wanted) = user {
        let found = match wanted.parse() {
            Ok(number) => User::from_uid(Uid::from_raw(number)),
            Err(_) => User::from_name(wanted),
        };
        match (found, wanted.parse()) {
            (Ok(Some(known)), _) => (uid, gid, name) = (known.uid.as_raw(), known.gid.as_raw(), Some(known.name)),
            // A number needs no name.
            (_, Ok(number)) => (uid, gid) = (number, number),
            _ => return Err(fault(format!("there is no user called {wanted}"))),
        }
    }
    if let Some(wanted) = group {
        gid = match (wanted.parse(), Group::from_name(wanted)) {
            (Ok(number), _) => number,
            (Err(_), Ok(Some(known))) => known.gid.as_raw(),
            _ => return Err(fault(format!("there is no group called {wanted}"))),
        };
    }
    let list = |name: String| getgrouplist(&CString::new(name).ok()?, Gid::from_raw(gid)).ok();
    let groups = name.and_then(list).map_or_else(|| vec![gid], |all| all.into_iter().map(Gid::as_raw).collect());
    // Only root may set them; for who becomes what it is, they are right.
    Ok((uid, gid, Uid::effective().is_root().then_some(groups)))
}

fn fault(what: String) -> Fault {
    Fault::new("spawn", what)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::launch::ResourceLimit;

    #[test]
    fn names_are_looked_up_and_what_there_is_not_is_said() {
        let limit = |name: &str| ResourceLimit { name: name.to_owned(), soft: Some(5), hard: None };
        let wanted =
            Attributes { limits: vec![limit("nofile")], user: Some("root".to_owned()), ..Attributes::default() };
        let resolved = Resolved::of(&wanted).unwrap();
        let attributes = resolved.attributes(&wanted, false);
        assert_eq!(attributes.limits, [(libc::RLIMIT_NOFILE as c_int, (Some(5), None))]);
        assert_eq!(attributes.user.map(|user| (user.uid, user.gid)), Some((0, 0)));
        let wrong = [
            (Attributes { limits: vec![limit("nofiles")], ..Attributes::default() }, "no limit called nofiles"),
            (Attributes { cpus: vec![0, 8_191], ..Attributes::default() }, "no CPU 8191"),
            (Attributes { user: Some("no such".into()), ..Attributes::default() }, "no user called no such"),
            (Attributes { group: Some("no such".into()), ..Attributes::default() }, "no group called no such"),
        ];
        for (wanted, words) in wrong {
            assert!(Resolved::of(&wanted).unwrap_err().what.contains(words));
        }
        let numbers = Attributes { user: Some("54321".into()), group: Some("12345".into()), ..Attributes::default() };
        let user = Resolved::of(&numbers).unwrap().user.unwrap();
        assert_eq!((user.0, user.1), (54_321, 12_345));
    }
}
