//! The limit of a life, settled. A limit that was lowered counts at once: it may kill within the second. One
//! that was raised or taken away counts when it is seen again: of a process that ends, whose group is removed
//! meanwhile, the limit of the group above or of the machine is read, and that was never its own. (Seen in
//! lab/cluster: an instance that was killed and removed in one moment had "21.8 GB" in its last look, and the
//! others a limit that was "lowered from 21.8 GB to 235 MB".)

use lastgasp_incident::evidence::UnixMs;

/// For so long a raised limit must stand.
const STANDS_MS: i64 = 1_000;

/// A raised limit that was seen once.
#[derive(Debug, Default)]
pub(super) struct Raised(Option<(Option<u64>, UnixMs)>);

impl Raised {
    /// The limit in bytes that counts (`None`: none), and since when, of what was known and what is seen now.
    pub(super) fn settled(&mut self, known: Option<u64>, seen: Option<u64>, now: UnixMs) -> (Option<u64>, UnixMs) {
        let is_raised = known.is_some_and(|k| seen.is_none_or(|s| s > k));
        if !is_raised {
            self.0 = None;
            return (seen, now);
        }
        match self.0 {
            Some((to, since)) if to == seen && now.saturating_sub(since) >= STANDS_MS => {
                self.0 = None;
                (seen, since)
            }
            Some((to, _)) if to == seen => (known, now),
            _ => {
                self.0 = Some((seen, now));
                (known, now)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lowered_at_once_and_raised_when_it_stands() {
        let mut r = Raised::default();
        assert_eq!(r.settled(None, Some(200), 10), (Some(200), 10), "the first that is known");
        assert_eq!(r.settled(Some(200), Some(100), 20), (Some(100), 20), "lowered");
        assert_eq!(r.settled(Some(100), Some(300), 30), (Some(100), 30), "raised: not yet");
        assert_eq!(r.settled(Some(100), Some(300), 500), (Some(100), 500), "nor half a second later");
        assert_eq!(r.settled(Some(100), Some(300), 5_030), (Some(300), 30), "since it was seen first");
        assert_eq!(r.settled(Some(300), None, 6_000), (Some(300), 6_000), "taken away: not yet");
        assert_eq!(r.settled(Some(300), Some(300), 7_000), (Some(300), 7_000), "it was the last look at a group");
        assert_eq!(r.settled(Some(300), None, 9_000), (Some(300), 9_000), "which is forgotten");
    }
}
