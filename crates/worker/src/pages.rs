//! Pages of memory that were read a moment ago. Words that stand together are asked for one by one, and to
//! ask a worker costs some microseconds: so a whole page is asked for, and taken for what it is now for some
//! milliseconds; and whoever comes back to a process after a while mostly wants the pages that he wanted the
//! last time, which are asked for together.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

pub(crate) const PAGE: usize = 4096;
/// How long a page that was read is taken for what it is now.
const FRESH: Duration = Duration::from_millis(3);
/// Pages that are kept for so long, of all memories together: who asks, asks for fewer than a hundred in that
/// time. (A bound for each memory let those of a hundred calm processes keep 16 MB of old pages.)
const MAX_PAGES: usize = 256;
/// Who has asked for nothing for so long comes back.
const AWAY: Duration = Duration::from_millis(100);
/// Pages that are asked for together.
const MAX_AHEAD: usize = 24;

/// A memory and the number of a page of it.
type Key = (u64, u64);

/// Pages that were read a moment ago.
#[derive(Debug, Default)]
pub(crate) struct Pages(BTreeMap<Key, (Instant, Box<[u8]>)>);

impl Pages {
    /// Bytes within a page, if that is fresh.
    pub(crate) fn get(&self, key: Key, skip: usize, buf: &mut [u8]) -> Option<()> {
        let (read, page) = self.0.get(&key)?;
        let bytes = page.get(skip..skip + buf.len()).filter(|_| read.elapsed() < FRESH)?;
        buf.copy_from_slice(bytes);
        Some(())
    }

    pub(crate) fn put(&mut self, key: Key, now: Instant, page: &[u8]) {
        if self.0.len() >= MAX_PAGES {
            self.0.retain(|_, (read, _)| now.saturating_duration_since(*read) < FRESH);
        }
        if self.0.len() >= MAX_PAGES {
            self.0.clear();
        }
        self.0.insert(key, (now, page.into()));
    }
}

/// Which pages of one memory are wanted, now and the time before.
#[derive(Debug, Default)]
pub(crate) struct Visit {
    last: Option<Instant>,
    wanted: Vec<u64>,
}

impl Visit {
    /// Notes that a page is wanted. Gives what is to be asked for with it: the pages that were wanted the
    /// last time, if this is the first one after a while.
    pub(crate) fn wants(&mut self, page: u64, now: Instant) -> Vec<u64> {
        let is_back = self.last.is_none_or(|last| now.saturating_duration_since(last) >= AWAY);
        self.last = Some(now);
        let ahead = if is_back { std::mem::take(&mut self.wanted) } else { Vec::new() };
        if self.wanted.len() < MAX_AHEAD && !self.wanted.contains(&page) {
            self.wanted.push(page);
        }
        ahead.into_iter().filter(|n| *n != page).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_are_kept_for_a_moment_and_few_of_them() {
        let (mut pages, now) = (Pages::default(), Instant::now());
        let old = now.checked_sub(FRESH * 2).unwrap();
        let page = |n: u64| vec![n as u8; PAGE];
        for n in 0..MAX_PAGES as u64 {
            pages.put((n % 7, n), if n < 200 { old } else { now }, &page(n));
        }
        let mut buf = [0; 2];
        assert_eq!(pages.get((100 % 7, 100), 8, &mut buf), None, "it is old");
        assert_eq!(pages.get((1, 255), 8, &mut buf), None, "that of another memory");
        pages.put((0, 300), Instant::now(), &page(3));
        assert_eq!((pages.get((0, 300), PAGE - 2, &mut buf), buf), (Some(()), [3; 2]));
        assert_eq!(pages.get((0, 300), PAGE - 1, &mut buf), None, "beyond its end");
        assert!(pages.0.len() <= 57, "the old ones are gone");
        for n in 0..1000 {
            pages.put((9, n), Instant::now(), &page(n));
            assert!(pages.0.len() <= MAX_PAGES);
        }
    }

    #[test]
    fn who_comes_back_asks_for_what_he_wanted_the_last_time() {
        let (mut visit, began) = (Visit::default(), Instant::now());
        let at = |ms: u64| began + Duration::from_millis(ms);
        let wanted = |visit: &mut Visit, ms: u64, pages: &[u64]| -> Vec<Vec<u64>> {
            pages.iter().map(|page| visit.wants(*page, at(ms))).collect()
        };
        let none = Vec::<u64>::new;
        assert_eq!(wanted(&mut visit, 0, &[1, 2, 1, 3]), [none(), none(), none(), none()]);
        assert_eq!(wanted(&mut visit, 50, &[4]), [none()], "he has not been away");
        assert_eq!(wanted(&mut visit, 5000, &[2, 5]), [vec![1, 3, 4], none()]);
        assert_eq!(wanted(&mut visit, 10_000, &[9]), [vec![2, 5]], "what was not wanted is not asked for again");
        let many: Vec<u64> = (0..1000).collect();
        wanted(&mut visit, 20_000, &many);
        assert_eq!(visit.wants(7, at(30_000)).len(), MAX_AHEAD - 1);
    }
}
