//! What was known of keys: to say what is another now, and from what it came.

use std::collections::BTreeMap;

use super::Kept;

/// Keys of one feed that are remembered at most. Of others it is not known what they were.
const MAX_KEYS: usize = 20_000;

#[derive(Debug, Default)]
pub(super) struct Known(BTreeMap<String, Kept>);

impl Known {
    pub(super) fn get(&self, key: &str) -> Option<&Kept> {
        self.0.get(key)
    }

    /// Notes what a key has now; gives what it had.
    pub(super) fn put(&mut self, key: &str, kept: Kept) -> Option<Kept> {
        if self.0.len() >= MAX_KEYS && !self.0.contains_key(key) {
            return None;
        }
        self.0.insert(key.to_owned(), kept)
    }

    pub(super) fn remove(&mut self, key: &str) -> Option<Kept> {
        self.0.remove(key)
    }

    /// Keys that `keep` does not know.
    pub(super) fn keys_without(&self, keep: impl Fn(&str) -> bool) -> Vec<String> {
        self.0.keys().filter(|k| !keep(k)).cloned().collect()
    }
}
