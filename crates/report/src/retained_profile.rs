//! `retained.pb.gz`: what keeps the live heap, as a profile whose stacks are ways: the root is the outermost
//! call, the type at the end of the way the innermost. `go tool pprof -http` shows it as a flame graph.
//!
//! A sample is what stands at the end of one way, so that the cumulative value of a step is all that is kept
//! by way of it, and nothing counts twice. What is live and in no way that the graph names is one sample of
//! its own: the sum is the live heap.

use std::collections::BTreeMap;

use lastgasp_diagnosis::Facts;
use lastgasp_diagnosis::facts::{GraphFacts, GraphPath, GraphRoot};

use crate::pprof::{Draft, Line, Sample, value};

/// What is in no way that is named.
const OTHERS: &str = "(by other ways)";
/// What several roots hold, and none alone, where no ways are known.
const SHARED: &str = "(by several roots together)";
/// Steps of a way that are shown.
const MAX_STEPS: usize = 64;

/// The file; `None` where there is no graph of the heap.
#[must_use]
pub fn retained_profile(facts: &Facts, time_nanos: i64) -> Option<Vec<u8>> {
    let g = facts.graph.as_ref()?;
    let draft = Draft::new(&[("retained_objects", "count"), ("retained_space", "bytes")], time_nanos);
    let mut b = Builder { draft, locations: BTreeMap::new() };
    b.draft.counts(("space", "bytes"), 1, "retained_space");
    b.draft.program(&facts.target, (0, 0));
    for (stack, objects, bytes) in samples(g) {
        b.sample(&stack, objects, bytes);
    }
    Some(b.draft.file())
}

/// Stacks, the innermost step first, with the objects and bytes at the end of each; in all what is live.
fn samples(g: &GraphFacts) -> Vec<(Vec<String>, u64, u64)> {
    let mut out: Vec<(Vec<String>, u64, u64)> = if g.paths.is_empty() {
        let root = |r: &GraphRoot| (root_stack(r), r.objects, r.retained_bytes);
        let shared = (vec![SHARED.to_owned()], g.shared_objects, g.shared_bytes);
        g.roots.iter().map(root).chain(std::iter::once(shared)).collect()
    } else {
        g.paths.iter().map(|p| (way_stack(p), p.objects, p.bytes)).collect()
    };
    let (objects, bytes) = out.iter().fold((0_u64, 0_u64), |(o, b), s| (o.saturating_add(s.1), b.saturating_add(s.2)));
    let rest = (g.objects.saturating_sub(objects), g.live_bytes.saturating_sub(bytes));
    out.push((vec![OTHERS.to_owned()], rest.0, rest.1));
    out
}

fn way_stack(p: &GraphPath) -> Vec<String> {
    let mut stack: Vec<String> = p.steps.iter().take(MAX_STEPS).cloned().collect();
    if !p.type_name.is_empty() && stack.last() != Some(&p.type_name) {
        stack.push(p.type_name.clone());
    }
    if stack.is_empty() {
        stack.push(OTHERS.to_owned());
    }
    stack.reverse();
    stack
}

fn root_stack(r: &GraphRoot) -> Vec<String> {
    let name = match r.goroutines {
        0 => format!("{} {}", r.kind, r.name),
        _ => format!("goroutines in {}", r.name),
    };
    // Innermost first.
    std::iter::once(&r.mostly).filter(|m| !m.is_empty()).cloned().chain(std::iter::once(name)).collect()
}

struct Builder {
    draft: Draft,
    locations: BTreeMap<String, u64>,
}

impl Builder {
    /// A step is a function and a location of its own.
    fn location(&mut self, step: &str) -> u64 {
        if let Some(id) = self.locations.get(step) {
            return *id;
        }
        let function_id = self.draft.function(step, "");
        let id = self.draft.location(0, vec![Line { function_id, line: 0 }]);
        self.locations.insert(step.to_owned(), id);
        id
    }

    fn sample(&mut self, stack: &[String], objects: u64, bytes: u64) {
        if objects == 0 && bytes == 0 {
            return;
        }
        let location_id = stack.iter().map(|step| self.location(step)).collect();
        let value = [objects, bytes].map(value).to_vec();
        self.draft.sample(Sample { location_id, value, label: Vec::new() });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(steps: &[&str], kind: &str, bytes: u64) -> GraphPath {
        GraphPath {
            steps: steps.iter().map(|s| (*s).to_owned()).collect(),
            type_name: kind.into(),
            objects: 1,
            bytes,
            retained_bytes: bytes * 2,
        }
    }

    #[test]
    fn samples_are_the_live_heap_and_nothing_twice() {
        let g = GraphFacts {
            objects: 10,
            live_bytes: 1_000,
            paths: vec![
                path(&["global main.cache"], "main.cache", 100),
                path(&["global main.cache", ".avids", "[]int64"], "[]int64", 600),
            ],
            ..GraphFacts::default()
        };
        let all = samples(&g);
        assert_eq!(all.iter().map(|s| s.2).sum::<u64>(), 1_000);
        assert_eq!(all.get(1).unwrap().0, ["[]int64", ".avids", "global main.cache"]);
        assert_eq!(all.last().unwrap(), &(vec![OTHERS.to_owned()], 8, 300));
    }

    #[test]
    fn without_ways_roots_are_the_stacks_and_without_a_graph_there_is_no_file() {
        let root = GraphRoot {
            kind: "goroutine".into(),
            name: "main.ugcTab".into(),
            goroutines: 158,
            mostly: "map[int64]int64".into(),
            retained_bytes: 700,
            objects: 158,
            ..GraphRoot::default()
        };
        let g = GraphFacts { objects: 200, live_bytes: 1_000, roots: vec![root], ..GraphFacts::default() };
        let all = samples(&g);
        assert_eq!(all.first().unwrap().0, ["map[int64]int64", "goroutines in main.ugcTab"]);
        let facts = Facts { graph: Some(g), ..Facts::default() };
        assert!(retained_profile(&facts, 0).is_some_and(|f| f.starts_with(&[0x1f, 0x8b])));
        assert!(retained_profile(&Facts::default(), 0).is_none());
    }
}
