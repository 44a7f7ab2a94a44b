//! `goroutines.pb.gz`, like Go's own goroutine profile. Source: `runtime/pprof/proto.go`
//! (`appendLocsForStack`), `runtime/pprof/pprof.go` (`printCountProfile`).
//!
//! Different on purpose: the values of labels are salted hashes (they are users' data); stacks are whole
//! where Go's end after 32 calls (up to 1.22) or 128; goroutines that run have the runtime's frames on the
//! thread's stack above their own.

use std::collections::BTreeMap;
use std::sync::Arc;

use lastgasp_goruntime::{Call, Goroutine, Label, is_system};
use rustc_hash::FxHashMap;

use crate::pprof::{self, Function, Line, Location, Mapping, Profile, Sample, ValueType, zip};

/// The executable, as pprof calls it a mapping.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Executable {
    /// Its path or name.
    pub file: String,
    /// GNU build id.
    pub build_id: Option<String>,
    /// Where its code stands in the process.
    pub code: (u64, u64),
}

/// The file, of all goroutines but the runtime's own.
#[must_use]
pub fn goroutine_profile(goroutines: &[Goroutine], executable: &Executable, time_nanos: i64) -> Vec<u8> {
    let mut b = Builder::default();
    b.string("");
    let kind = ValueType { r#type: b.string("goroutine"), unit: b.string("count") };
    b.profile.sample_type.push(kind);
    b.profile.period_type = Some(kind);
    b.profile.period = 1;
    b.profile.time_nanos = time_nanos;
    b.profile.default_sample_type = kind.r#type;
    let mapping = Mapping {
        id: 1,
        memory_start: executable.code.0,
        memory_limit: executable.code.1,
        filename: b.string(&executable.file),
        build_id: b.string(executable.build_id.as_deref().unwrap_or("")),
        has_functions: true,
        has_filenames: true,
        has_line_numbers: true,
        has_inline_frames: true,
    };
    b.profile.mapping.push(mapping);
    for (stack, labels, count) in samples(goroutines) {
        b.sample(&stack, &labels, count);
    }
    zip(&b.profile)
}

/// Most numerous first, as Go orders them; equal numbers by stack.
fn samples(goroutines: &[Goroutine]) -> Vec<(Vec<Call>, Arc<[Label]>, u64)> {
    // Goroutines that do the same share one list: by its address first, which spares comparing calls.
    type Shared = (Arc<[Call]>, Arc<[Label]>);
    let mut by_list: BTreeMap<(usize, usize), (Shared, u64)> = BTreeMap::new();
    for g in goroutines.iter().filter(|g| !is_system(g)) {
        let key = (g.stack.as_ptr().addr(), g.labels.as_ptr().addr());
        by_list.entry(key).or_insert_with(|| ((Arc::clone(&g.stack), Arc::clone(&g.labels)), 0)).1 += 1;
    }
    let mut by_stack: BTreeMap<(Vec<Call>, Arc<[Label]>), u64> = BTreeMap::new();
    for ((stack, labels), count) in by_list.into_values() {
        // `runtime.goexit` is no caller of anybody's: pprof leaves it out.
        let shown = stack.iter().filter(|c| !c.elided && c.frame.function != "runtime.goexit");
        *by_stack.entry((shown.cloned().collect(), labels)).or_default() += count;
    }
    let mut out: Vec<_> = by_stack.into_iter().map(|((stack, labels), n)| (stack, labels, n)).collect();
    out.sort_by_key(|s| std::cmp::Reverse(s.2));
    out
}

#[derive(Default)]
struct Builder {
    profile: Profile,
    strings: FxHashMap<String, i64>,
    functions: FxHashMap<(String, String), u64>,
    /// By program counter and by how the stack was entered there.
    locations: FxHashMap<Vec<Call>, u64>,
}

impl Builder {
    fn string(&mut self, s: &str) -> i64 {
        if let Some(i) = self.strings.get(s) {
            return *i;
        }
        let i = self.profile.string_table.len() as i64;
        self.profile.string_table.push(s.to_owned());
        self.strings.insert(s.to_owned(), i);
        i
    }

    fn function(&mut self, call: &Call) -> u64 {
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
    fn location(&mut self, calls: &[Call]) -> u64 {
        if let Some(id) = self.locations.get(calls) {
            return *id;
        }
        let id = self.profile.location.len() as u64 + 1;
        let line =
            calls.iter().map(|c| Line { function_id: self.function(c), line: i64::from(c.frame.line) }).collect();
        let address = calls.first().map_or(0, |c| c.pc.0);
        self.profile.location.push(Location { id, mapping_id: 1, address, line });
        self.locations.insert(calls.to_vec(), id);
        id
    }

    fn sample(&mut self, stack: &[Call], labels: &[Label], count: u64) {
        let location_id =
            stack.chunk_by(|a, b| a.inlined && a.pc == b.pc).map(|together| self.location(together)).collect();
        let label = labels
            .iter()
            .map(|l| pprof::Label {
                key: self.string(&l.key),
                str: self.string(&format!("hash:{:016x}", l.value_hash)),
            })
            .collect();
        self.profile.sample.push(Sample { location_id, value: vec![i64::try_from(count).unwrap_or(i64::MAX)], label });
    }
}
