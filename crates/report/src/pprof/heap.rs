//! `profile.proto`, as `go tool pprof` and every other pprof reader opens it. Messages: google/pprof,
//! `proto/profile.proto`; only the fields that are used.

use std::collections::BTreeMap;
use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;
use lastgasp_diagnosis::Facts;
use lastgasp_diagnosis::facts::Site;
use prost::Message;

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Profile {
    #[prost(message, repeated, tag = "1")]
    pub(crate) sample_type: Vec<ValueType>,
    #[prost(message, repeated, tag = "2")]
    pub(crate) sample: Vec<Sample>,
    #[prost(message, repeated, tag = "3")]
    pub(crate) mapping: Vec<Mapping>,
    #[prost(message, repeated, tag = "4")]
    pub(crate) location: Vec<Location>,
    #[prost(message, repeated, tag = "5")]
    pub(crate) function: Vec<Function>,
    #[prost(string, repeated, tag = "6")]
    pub(crate) string_table: Vec<String>,
    #[prost(int64, tag = "9")]
    pub(crate) time_nanos: i64,
    #[prost(message, optional, tag = "11")]
    pub(crate) period_type: Option<ValueType>,
    #[prost(int64, tag = "12")]
    pub(crate) period: i64,
    #[prost(int64, tag = "14")]
    pub(crate) default_sample_type: i64,
}

#[derive(Clone, Copy, PartialEq, Message)]
pub(crate) struct ValueType {
    #[prost(int64, tag = "1")]
    pub(crate) r#type: i64,
    #[prost(int64, tag = "2")]
    pub(crate) unit: i64,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Sample {
    #[prost(uint64, repeated, tag = "1")]
    pub(crate) location_id: Vec<u64>,
    #[prost(int64, repeated, tag = "2")]
    pub(crate) value: Vec<i64>,
    #[prost(message, repeated, tag = "3")]
    pub(crate) label: Vec<Label>,
}

#[derive(Clone, Copy, PartialEq, Message)]
pub(crate) struct Label {
    #[prost(int64, tag = "1")]
    pub(crate) key: i64,
    #[prost(int64, tag = "2")]
    pub(crate) str: i64,
}

#[derive(Clone, Copy, PartialEq, Message)]
pub(crate) struct Mapping {
    #[prost(uint64, tag = "1")]
    pub(crate) id: u64,
    #[prost(uint64, tag = "2")]
    pub(crate) memory_start: u64,
    #[prost(uint64, tag = "3")]
    pub(crate) memory_limit: u64,
    #[prost(int64, tag = "5")]
    pub(crate) filename: i64,
    #[prost(int64, tag = "6")]
    pub(crate) build_id: i64,
    #[prost(bool, tag = "7")]
    pub(crate) has_functions: bool,
    #[prost(bool, tag = "8")]
    pub(crate) has_filenames: bool,
    #[prost(bool, tag = "9")]
    pub(crate) has_line_numbers: bool,
    #[prost(bool, tag = "10")]
    pub(crate) has_inline_frames: bool,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Location {
    #[prost(uint64, tag = "1")]
    pub(crate) id: u64,
    #[prost(uint64, tag = "2")]
    pub(crate) mapping_id: u64,
    #[prost(uint64, tag = "3")]
    pub(crate) address: u64,
    #[prost(message, repeated, tag = "4")]
    pub(crate) line: Vec<Line>,
}

#[derive(Clone, Copy, PartialEq, Message)]
pub(crate) struct Line {
    #[prost(uint64, tag = "1")]
    pub(crate) function_id: u64,
    #[prost(int64, tag = "2")]
    pub(crate) line: i64,
}

#[derive(Clone, Copy, PartialEq, Message)]
pub(crate) struct Function {
    #[prost(uint64, tag = "1")]
    pub(crate) id: u64,
    #[prost(int64, tag = "2")]
    pub(crate) name: i64,
    #[prost(int64, tag = "3")]
    pub(crate) system_name: i64,
    #[prost(int64, tag = "4")]
    pub(crate) filename: i64,
}

/// Builds a profile from frames that are named by index.
struct Builder<'a> {
    facts: &'a Facts,
    profile: Profile,
    strings: BTreeMap<String, i64>,
    functions: BTreeMap<(String, String), u64>,
    /// Location of each frame, once it has one.
    locations: BTreeMap<u32, u64>,
}

impl<'a> Builder<'a> {
    fn new(facts: &'a Facts, types: &[(&str, &str)], time_nanos: i64) -> Self {
        let mut b = Self {
            facts,
            profile: Profile::default(),
            strings: BTreeMap::new(),
            functions: BTreeMap::new(),
            locations: BTreeMap::new(),
        };
        b.string("");
        for (name, unit) in types {
            let t = ValueType { r#type: b.string(name), unit: b.string(unit) };
            b.profile.sample_type.push(t);
        }
        let mapping = Mapping {
            id: 1,
            memory_start: 0,
            memory_limit: 0,
            filename: b.string(&facts.target.service),
            build_id: b.string(facts.target.build_id.as_deref().unwrap_or("")),
            has_functions: true,
            has_filenames: true,
            has_line_numbers: true,
            has_inline_frames: true,
        };
        b.profile.mapping.push(mapping);
        b.profile.time_nanos = time_nanos;
        b
    }

    fn string(&mut self, s: &str) -> i64 {
        if let Some(i) = self.strings.get(s) {
            return *i;
        }
        let i = self.profile.string_table.len() as i64;
        self.profile.string_table.push(s.to_owned());
        self.strings.insert(s.to_owned(), i);
        i
    }

    fn location(&mut self, frame: u32) -> Option<u64> {
        if let Some(id) = self.locations.get(&frame) {
            return Some(*id);
        }
        let f = self.facts.frames.get(frame as usize)?;
        let key = (f.function.clone(), f.file.clone());
        let function_id = match self.functions.get(&key) {
            Some(id) => *id,
            None => {
                let id = self.profile.function.len() as u64 + 1;
                let name = self.string(&f.function);
                let filename = self.string(&f.file);
                self.profile.function.push(Function { id, name, system_name: name, filename });
                self.functions.insert(key, id);
                id
            }
        };
        let id = self.profile.location.len() as u64 + 1;
        self.profile.location.push(Location {
            id,
            mapping_id: 1,
            address: 0,
            line: vec![Line { function_id, line: i64::from(f.line) }],
        });
        self.locations.insert(frame, id);
        Some(id)
    }

    fn sample(&mut self, stack: &[u32], values: &[u64]) {
        if values.iter().all(|v| *v == 0) {
            return;
        }
        let location_id = stack.iter().filter_map(|f| self.location(*f)).collect();
        let value = values.iter().map(|v| i64::try_from(*v).unwrap_or(i64::MAX)).collect();
        self.profile.sample.push(Sample { location_id, value, label: Vec::new() });
    }

    /// The finished file. The same facts give the same bytes: the gzip header carries no time.
    fn finish(mut self, period: (&str, &str), every: u64, default: &str) -> Vec<u8> {
        self.profile.period_type = Some(ValueType { r#type: self.string(period.0), unit: self.string(period.1) });
        self.profile.period = i64::try_from(every).unwrap_or(0);
        self.profile.default_sample_type = self.string(default);
        zip(&self.profile)
    }
}

/// The file of a profile. The gzip header carries no time.
pub(crate) fn zip(profile: &Profile) -> Vec<u8> {
    let mut gz = GzEncoder::new(Vec::new(), Compression::default());
    // Writing into a Vec cannot fail.
    let _ = gz.write_all(&profile.encode_to_vec());
    gz.finish().unwrap_or_default()
}

const HEAP: [(&str, &str); 4] =
    [("alloc_objects", "count"), ("alloc_space", "bytes"), ("inuse_objects", "count"), ("inuse_space", "bytes")];

fn heap(facts: &Facts, time_nanos: i64, more: &[(&str, &str)], values: impl Fn(&Site) -> Vec<u64>) -> Vec<u8> {
    let types: Vec<(&str, &str)> = HEAP.iter().chain(more).copied().collect();
    let mut b = Builder::new(facts, &types, time_nanos);
    for site in &facts.profile.sites {
        b.sample(&site.stack, &values(site));
    }
    b.finish(("space", "bytes"), facts.profile.rate, "inuse_space")
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
