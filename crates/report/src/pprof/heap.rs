//! The memory profile: where memory was allocated, by stack.

use std::collections::BTreeMap;

use lastgasp_diagnosis::Facts;
use lastgasp_diagnosis::facts::Site;

use super::draft::{Draft, value};
use lastgasp_gosource::profile_proto::{Line, Sample};

/// Builds a profile from frames that are named by index.
struct Builder<'a> {
    facts: &'a Facts,
    draft: Draft,
    /// Location of each frame, once it has one.
    locations: BTreeMap<u32, u64>,
}

impl<'a> Builder<'a> {
    fn new(facts: &'a Facts, types: &[(&str, &str)], time_nanos: i64) -> Self {
        let mut draft = Draft::new(types, time_nanos);
        draft.program(&facts.target, (0, 0));
        Self { facts, draft, locations: BTreeMap::new() }
    }

    fn location(&mut self, frame: u32) -> Option<u64> {
        if let Some(id) = self.locations.get(&frame) {
            return Some(*id);
        }
        let f = self.facts.frames.get(frame as usize)?;
        let function_id = self.draft.function(&f.function, &f.file);
        let id = self.draft.location(0, vec![Line { function_id, line: i64::from(f.line) }]);
        self.locations.insert(frame, id);
        Some(id)
    }

    fn sample(&mut self, stack: &[u32], values: &[u64]) {
        if values.iter().all(|v| *v == 0) {
            return;
        }
        let location_id = stack.iter().filter_map(|f| self.location(*f)).collect();
        let value = values.iter().map(|v| value(*v)).collect();
        self.draft.sample(Sample { location_id, value, label: Vec::new() });
    }
}

const HEAP: [(&str, &str); 4] =
    [("alloc_objects", "count"), ("alloc_space", "bytes"), ("inuse_objects", "count"), ("inuse_space", "bytes")];

fn heap(facts: &Facts, time_nanos: i64, more: &[(&str, &str)], values: impl Fn(&Site) -> Vec<u64>) -> Vec<u8> {
    let types: Vec<(&str, &str)> = HEAP.iter().chain(more).copied().collect();
    let mut b = Builder::new(facts, &types, time_nanos);
    for site in &facts.profile.sites {
        b.sample(&site.stack, &values(site));
    }
    b.draft.counts(("space", "bytes"), facts.profile.rate, "inuse_space");
    b.draft.file()
}

/// `heap.pb.gz`: current values, un-sampled; then what was allocated since the last mark, and what grew since
/// the baseline.
#[must_use]
pub fn heap_profile(facts: &Facts, time_nanos: i64) -> Vec<u8> {
    let more =
        [("burst_objects", "count"), ("burst_space", "bytes"), ("growth_objects", "count"), ("growth_space", "bytes")];
    heap(facts, time_nanos, &more, |s| {
        let growth = s.current.minus(s.baseline);
        [s.allocated, s.current, s.burst, growth].iter().flat_map(|a| [a.objects, a.bytes]).collect()
    })
}

/// `heap.published.pb.gz`: what `/debug/pprof/heap` would have shown.
#[must_use]
pub fn published_profile(facts: &Facts, time_nanos: i64) -> Vec<u8> {
    heap(facts, time_nanos, &[], |s| {
        [s.published_allocated, s.published].iter().flat_map(|a| [a.objects, a.bytes]).collect()
    })
}
