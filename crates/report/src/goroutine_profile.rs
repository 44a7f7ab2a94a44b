//! `goroutines.pb.gz`, like Go's own goroutine profile. Source: `runtime/pprof/proto.go`
//! (`appendLocsForStack`), `runtime/pprof/pprof.go` (`printCountProfile`).
//!
//! Different on purpose: the values of labels are salted hashes (they are users' data); stacks are whole
//! where Go's end after 32 calls (up to 1.22) or 128; goroutines that run have the runtime's frames on the
//! thread's stack above their own.

use std::collections::BTreeMap;

use lastgasp_diagnosis::Facts;
use lastgasp_diagnosis::facts::Label;
use rustc_hash::FxHashMap;

use crate::goroutine_view::{Call, View};
use crate::pprof::{self, Draft, Line, Sample, value};

/// The file, of all goroutines but the runtime's own.
#[must_use]
pub fn goroutine_profile(facts: &Facts, time_nanos: i64) -> Vec<u8> {
    let code = facts.target.code.unwrap_or_default();
    let draft = Draft::new(&[("goroutine", "count")], time_nanos);
    let mut b = Builder { code: code.start, draft, locations: FxHashMap::default() };
    b.draft.counts(("goroutine", "count"), 1, "goroutine");
    b.draft.program(&facts.target, (code.start, code.end));
    for (stack, labels, count) in samples(facts) {
        b.sample(&stack, labels, count);
    }
    b.draft.file()
}

/// Most numerous first, as Go orders them; equal numbers by stack.
fn samples(facts: &Facts) -> Vec<(Vec<Call<'_>>, &[Label], u64)> {
    let view = View::of(facts);
    // By index first, which spares comparing calls.
    let mut by_index: BTreeMap<(u32, u32), u64> = BTreeMap::new();
    for g in facts.goroutines.list.each.iter() {
        let Some(kind) = view.kind(g) else { continue };
        *by_index.entry((kind.stack, g.labels)).or_default() += 1;
    }
    let mut by_stack: BTreeMap<(Vec<Call<'_>>, &[Label]), u64> = BTreeMap::new();
    for ((stack, labels), count) in by_index {
        let mut shown = view.stack(stack);
        // `runtime.goexit` is no caller of anybody's: pprof leaves it out.
        shown.retain(|c| !c.elided && c.frame.function != "runtime.goexit");
        *by_stack.entry((shown, view.labels(labels))).or_default() += count;
    }
    let mut out: Vec<_> = by_stack.into_iter().map(|((stack, labels), n)| (stack, labels, n)).collect();
    out.sort_by_key(|s| std::cmp::Reverse(s.2));
    out
}

struct Builder<'a> {
    /// Where the code starts.
    code: u64,
    draft: Draft,
    /// By program counter and by how the stack was entered there.
    locations: FxHashMap<Vec<Call<'a>>, u64>,
}

impl<'a> Builder<'a> {
    /// Calls that are inlined into each other are the lines of one location.
    fn location(&mut self, calls: &[Call<'a>]) -> u64 {
        if let Some(id) = self.locations.get(calls) {
            return *id;
        }
        let mut line = |c: &Call<'_>| {
            let function_id = self.draft.function(&c.frame.function, &c.frame.file);
            Line { function_id, line: i64::from(c.frame.line) }
        };
        let line = calls.iter().map(&mut line).collect();
        let address = calls.first().map_or(0, |c| self.code.wrapping_add(c.pc));
        let id = self.draft.location(address, line);
        self.locations.insert(calls.to_vec(), id);
        id
    }

    fn sample(&mut self, stack: &[Call<'a>], labels: &[Label], count: u64) {
        let location_id =
            stack.chunk_by(|a, b| a.inlined && a.pc == b.pc).map(|together| self.location(together)).collect();
        let label = labels
            .iter()
            .map(|l| {
                let (key, hash) = (&l.key, format!("hash:{}", l.value_hash));
                pprof::Label { key: self.draft.string(key), str: self.draft.string(&hash), num: 0 }
            })
            .collect();
        self.draft.sample(Sample { location_id, value: vec![value(count)], label });
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use flate2::read::GzDecoder;
    use prost::Message as _;

    use super::*;
    use crate::goroutine_view::example::facts;
    use crate::pprof::Profile;

    #[test]
    fn goroutines_of_one_stack_and_labels_are_one_sample() {
        let mut bytes = Vec::new();
        GzDecoder::new(goroutine_profile(&facts(), 5).as_slice()).read_to_end(&mut bytes).unwrap();
        let p = Profile::decode(bytes.as_slice()).unwrap();
        let text = |i: i64| p.string_table[i as usize].as_str();
        let sample = |s: &Sample| {
            let stack: Vec<Vec<&str>> = s
                .location_id
                .iter()
                .map(|id| &p.location[*id as usize - 1].line)
                .map(|lines| lines.iter().map(|l| text(p.function[l.function_id as usize - 1].name)).collect())
                .collect();
            let labels: Vec<String> = s.label.iter().map(|l| format!("{}={}", text(l.key), text(l.str))).collect();
            (s.value.clone(), stack, labels)
        };
        let samples: Vec<_> = p.sample.iter().map(sample).collect();
        let waits = vec![vec!["runtime.gopark"], vec!["main.take[go.shape.int]", "main.worker"]];
        assert_eq!(
            samples,
            [
                // One of them was left out of the copy: it counts with those that stopped where it did.
                (vec![2], waits.clone(), vec![]),
                // Equal numbers by stack.
                (vec![1], vec![], vec![]),
                (vec![1], vec![vec!["main.main"]], vec![]),
                (vec![1], vec![vec!["main.worker"]], vec![]),
                (vec![1], waits, vec!["tenant=hash:00000000000000ab".into()]),
            ]
        );
        assert_eq!(p.location[0].address, 4_194_304 + 4096, "an address as Go writes it");
        assert_eq!((p.mapping[0].memory_start, p.mapping[0].memory_limit), (4_194_304, 8_388_608));
        assert_eq!((text(p.mapping[0].filename), text(p.mapping[0].build_id), p.time_nanos), ("shop", "id", 5));
    }
}
