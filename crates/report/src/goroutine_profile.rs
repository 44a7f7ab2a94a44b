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
use crate::pprof::{self, Function, Line, Location, Mapping, Profile, Sample, ValueType, zip};

/// The file, of all goroutines but the runtime's own.
#[must_use]
pub fn goroutine_profile(facts: &Facts, time_nanos: i64) -> Vec<u8> {
    let code = facts.target.code.unwrap_or_default();
    let mut b = Builder { code: code.start, ..Builder::default() };
    b.string("");
    let kind = ValueType { r#type: b.string("goroutine"), unit: b.string("count") };
    b.profile.sample_type.push(kind);
    b.profile.period_type = Some(kind);
    b.profile.period = 1;
    b.profile.time_nanos = time_nanos;
    b.profile.default_sample_type = kind.r#type;
    let mapping = Mapping {
        id: 1,
        memory_start: code.start,
        memory_limit: code.end,
        filename: b.string(&facts.target.service),
        build_id: b.string(facts.target.build_id.as_deref().unwrap_or("")),
        has_functions: true,
        has_filenames: true,
        has_line_numbers: true,
        has_inline_frames: true,
    };
    b.profile.mapping.push(mapping);
    for (stack, labels, count) in samples(facts) {
        b.sample(&stack, labels, count);
    }
    zip(&b.profile)
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

#[derive(Default)]
struct Builder<'a> {
    /// Where the code starts.
    code: u64,
    profile: Profile,
    strings: FxHashMap<String, i64>,
    functions: FxHashMap<(String, String), u64>,
    /// By program counter and by how the stack was entered there.
    locations: FxHashMap<Vec<Call<'a>>, u64>,
}

impl<'a> Builder<'a> {
    fn string(&mut self, s: &str) -> i64 {
        if let Some(i) = self.strings.get(s) {
            return *i;
        }
        let i = self.profile.string_table.len() as i64;
        self.profile.string_table.push(s.to_owned());
        self.strings.insert(s.to_owned(), i);
        i
    }

    fn function(&mut self, call: &Call<'_>) -> u64 {
        let key = (call.frame.function.clone(), call.frame.file.clone());
        if let Some(id) = self.functions.get(&key) {
            return *id;
        }
        let id = self.profile.function.len() as u64 + 1;
        let (name, filename) = (self.string(&key.0), self.string(&key.1));
        self.profile.function.push(Function { id, name, system_name: name, filename });
        self.functions.insert(key, id);
        id
    }

    /// Calls that are inlined into each other are the lines of one location.
    fn location(&mut self, calls: &[Call<'a>]) -> u64 {
        if let Some(id) = self.locations.get(calls) {
            return *id;
        }
        let id = self.profile.location.len() as u64 + 1;
        let line =
            calls.iter().map(|c| Line { function_id: self.function(c), line: i64::from(c.frame.line) }).collect();
        let address = calls.first().map_or(0, |c| self.code.wrapping_add(c.pc));
        self.profile.location.push(Location { id, mapping_id: 1, address, line });
        self.locations.insert(calls.to_vec(), id);
        id
    }

    fn sample(&mut self, stack: &[Call<'a>], labels: &[Label], count: u64) {
        let location_id =
            stack.chunk_by(|a, b| a.inlined && a.pc == b.pc).map(|together| self.location(together)).collect();
        let label = labels
            .iter()
            .map(|l| pprof::Label { key: self.string(&l.key), str: self.string(&format!("hash:{}", l.value_hash)) })
            .collect();
        self.profile.sample.push(Sample { location_id, value: vec![i64::try_from(count).unwrap_or(i64::MAX)], label });
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use flate2::read::GzDecoder;
    use prost::Message as _;

    use super::*;
    use crate::goroutine_view::example::facts;

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
