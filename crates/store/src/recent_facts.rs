//! Facts of the captures from before a death that were just written: the one from after it comes a moment
//! later and is told with them, and to read them back from the disk would take longer than all else that is
//! done for it. Bounded in bytes; what is not here is read from its folder.

use std::collections::VecDeque;
use std::sync::Arc;

use lastgasp_diagnosis::Facts;

/// Most bytes of all of them, as far as they are estimated: fifty victims of one moment, of the usual size.
const MAX_BYTES: usize = 16 << 20;

/// Facts by the name of their folder, oldest first.
#[derive(Debug, Default)]
pub(crate) struct RecentFacts {
    all: VecDeque<(String, Arc<Facts>)>,
    bytes: usize,
}

impl RecentFacts {
    /// Remembers those of a capture that are not too many; the oldest go for them.
    pub(crate) fn add(&mut self, folder: &str, facts: &Facts) {
        let bytes = estimated(facts);
        if bytes > MAX_BYTES {
            return;
        }
        self.bytes += bytes;
        self.all.push_back((folder.to_owned(), Arc::new(facts.clone())));
        while self.bytes > MAX_BYTES {
            let Some((_, gone)) = self.all.pop_front() else { break };
            self.bytes = self.bytes.saturating_sub(estimated(&gone));
        }
    }

    /// Those of a folder.
    pub(crate) fn get(&self, folder: &str) -> Option<Arc<Facts>> {
        self.all.iter().find(|(name, _)| name == folder).map(|(_, facts)| Arc::clone(facts))
    }

    /// Forgets those of a process that is dead: it has been told of.
    pub(crate) fn forget(&mut self, victim: (i32, u64)) {
        self.all.retain(|(_, facts)| {
            let is_of_it = (facts.target.pid, facts.target.started_unix) == victim;
            if is_of_it {
                self.bytes = self.bytes.saturating_sub(estimated(facts));
            }
            !is_of_it
        });
    }
}

/// Bytes that facts take, roughly: of what there may be many.
fn estimated(facts: &Facts) -> usize {
    let g = &facts.goroutines;
    let small = facts.timeline.samples.len() + g.list.each.len() + g.list.calls.len() + g.list.places.len();
    let stacks = g.list.stacks.iter().map(|s| s.calls.len()).sum::<usize>();
    let large = facts.frames.len() + facts.profile.sites.len() + g.groups.len() + g.list.kinds.len();
    64 * small + 4 * stacks + 256 * large + 4096
}

#[cfg(test)]
mod tests {
    use lastgasp_diagnosis::facts::Sample;

    use super::*;

    fn facts(pid: i32, samples: usize) -> Facts {
        let mut facts = Facts::default();
        facts.target.pid = pid;
        facts.timeline.samples = vec![Sample::default(); samples];
        facts
    }

    #[test]
    fn the_oldest_go_for_new_ones() {
        let mut recent = RecentFacts::default();
        for pid in 0..100 {
            recent.add(&pid.to_string(), &facts(pid, 8192));
            assert!(recent.bytes <= MAX_BYTES);
        }
        assert!(recent.get("0").is_none() && recent.get("99").is_some() && recent.get("75").is_some());
        recent.add("huge", &facts(1, MAX_BYTES));
        assert!(recent.get("huge").is_none() && recent.get("99").is_some());
    }

    #[test]
    fn who_has_been_told_of_is_forgotten() {
        let mut recent = RecentFacts::default();
        for (folder, pid) in [("a", 1), ("b", 2), ("c", 1)] {
            recent.add(folder, &facts(pid, 10));
        }
        recent.forget((1, 0));
        assert!(recent.get("a").is_none() && recent.get("b").is_some() && recent.get("c").is_none());
        recent.forget((2, 0));
        assert_eq!((recent.bytes, recent.all.len()), (0, 0));
    }
}
