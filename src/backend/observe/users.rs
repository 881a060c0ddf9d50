//! User names: the user database is asked once for each id.

use std::collections::HashMap;
use std::sync::Arc;

use nix::unistd::{Uid, User};

use crate::model::text::visible_arc;

/// Names of users by id, as `getpwuid_r(3)` knows them.
#[derive(Debug, Default)]
pub struct Users {
    names: HashMap<u32, Arc<str>>,
}

impl Users {
    /// The user's name, or the id in digits where the database has none or
    /// cannot be read.
    pub fn name(&mut self, uid: u32) -> Arc<str> {
        self.names.entry(uid).or_insert_with(|| look_up(uid)).clone()
    }
}

fn look_up(uid: u32) -> Arc<str> {
    match User::from_uid(Uid::from_raw(uid)) {
        Ok(Some(user)) if !user.name.is_empty() => visible_arc(user.name.as_bytes()),
        _ => Arc::from(uid.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_ids_have_names_and_unknown_ones_digits() {
        let mut users = Users::default();
        assert_eq!(&*users.name(0), "root");
        assert_eq!(&*users.name(3_999_999_999), "3999999999");
        assert!(Arc::ptr_eq(&users.name(0), &users.name(0)), "looked up once");
    }
}
