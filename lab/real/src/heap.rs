//! Memory profiles in pprof's format, as a table that can be compared: Go's own answer and lastgasp's file
//! are read by the same code, which shares none with the code that wrote either.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read as _;

use anyhow::{Context as _, Result, bail};
use flate2::read::GzDecoder;
use prost::Message;

#[derive(Clone, PartialEq, Message)]
struct Profile {
    #[prost(message, repeated, tag = "1")]
    sample_type: Vec<ValueType>,
    #[prost(message, repeated, tag = "2")]
    sample: Vec<Sample>,
    #[prost(message, repeated, tag = "4")]
    location: Vec<Location>,
    #[prost(message, repeated, tag = "5")]
    function: Vec<Function>,
    #[prost(string, repeated, tag = "6")]
    string_table: Vec<String>,
    #[prost(int64, tag = "12")]
    period: i64,
}

#[derive(Clone, Copy, PartialEq, Message)]
struct ValueType {
    #[prost(int64, tag = "1")]
    r#type: i64,
}

#[derive(Clone, PartialEq, Message)]
struct Sample {
    #[prost(uint64, repeated, tag = "1")]
    location_id: Vec<u64>,
    #[prost(int64, repeated, tag = "2")]
    value: Vec<i64>,
}

#[derive(Clone, PartialEq, Message)]
struct Location {
    #[prost(uint64, tag = "1")]
    id: u64,
    #[prost(message, repeated, tag = "4")]
    line: Vec<Line>,
}

#[derive(Clone, Copy, PartialEq, Message)]
struct Line {
    #[prost(uint64, tag = "1")]
    function_id: u64,
    #[prost(int64, tag = "2")]
    line: i64,
}

#[derive(Clone, Copy, PartialEq, Message)]
struct Function {
    #[prost(uint64, tag = "1")]
    id: u64,
    #[prost(int64, tag = "2")]
    name: i64,
    #[prost(int64, tag = "4")]
    filename: i64,
}

/// Alloc objects, alloc bytes, in-use objects, in-use bytes.
pub type Values = [i64; 4];

/// A frame: function, file, line.
pub type Frame = (String, String, i64);

/// What each stack (innermost first) allocated.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Heap {
    /// Sampling rate.
    pub rate: i64,
    /// By stack; samples that differ in size class alone are one site.
    pub sites: BTreeMap<Vec<Frame>, Values>,
}

impl Heap {
    /// The files of each function.
    fn files(&self) -> BTreeMap<&str, BTreeSet<&str>> {
        let mut files: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        for (function, file, _) in self.sites.keys().flatten() {
            files.entry(function).or_default().insert(file);
        }
        files
    }

    /// The same with the file left out of frames of these functions.
    fn without_files(&self, functions: &BTreeSet<&str>) -> BTreeMap<Vec<Frame>, Values> {
        let mut out: BTreeMap<Vec<Frame>, Values> = BTreeMap::new();
        for (stack, values) in &self.sites {
            let mut stack = stack.clone();
            for (_, file, _) in stack.iter_mut().filter(|(function, ..)| functions.contains(function.as_str())) {
                file.clear();
            }
            add(out.entry(stack).or_default(), values);
        }
        out
    }
}

fn add(sum: &mut Values, values: &[i64]) {
    for (s, v) in sum.iter_mut().zip(values) {
        *s += v;
    }
}

/// Reads a profile.
///
/// # Errors
/// What is wrong with the bytes.
pub fn parse(gzip: &[u8]) -> Result<Heap> {
    /// Largest profile that is read.
    const MOST: u64 = 256 << 20;
    let mut raw = Vec::new();
    GzDecoder::new(gzip).take(MOST).read_to_end(&mut raw).context("a gzipped profile")?;
    let p = Profile::decode(&*raw)?;
    let text = |i: i64| p.string_table.get(i as usize).map_or("", String::as_str);
    let types: Vec<&str> = p.sample_type.iter().map(|t| text(t.r#type)).collect();
    if types != ["alloc_objects", "alloc_space", "inuse_objects", "inuse_space"] {
        bail!("not a memory profile: {types:?}");
    }
    let functions: BTreeMap<u64, (&str, &str)> =
        p.function.iter().map(|f| (f.id, (text(f.name), text(f.filename)))).collect();
    // One location holds several lines where calls were inlined: innermost first, as the stack.
    let frame = |l: &Line| -> Frame {
        let (name, file) = functions.get(&l.function_id).copied().unwrap_or_default();
        (name.to_owned(), file.to_owned(), l.line)
    };
    let locations: BTreeMap<u64, Vec<Frame>> =
        p.location.iter().map(|l| (l.id, l.line.iter().map(frame).collect())).collect();
    let mut out = Heap { rate: p.period, ..Heap::default() };
    for s in &p.sample {
        let stack = s.location_id.iter().filter_map(|id| locations.get(id)).flatten().cloned().collect();
        add(out.sites.entry(stack).or_default(), &s.value);
    }
    // pprof leaves out what is all zero; so that both are read alike, so do we.
    out.sites.retain(|_, v| *v != [0; 4]);
    Ok(out)
}

/// How two profiles agree.
#[derive(Clone, Debug, Default)]
pub struct Agreement {
    /// Sites that are in both with the same four values.
    pub equal: usize,
    /// Sites that are in either.
    pub total: usize,
    /// The others: stack, the oracle's values, ours.
    pub differ: Vec<(Vec<Frame>, Option<Values>, Option<Values>)>,
}

/// Compares what the program says with what we say: function, file and line of every frame, and all four
/// values.
///
/// Go's pprof knows one file per function name (`b.funcs` in runtime/pprof/proto.go): of a function whose
/// code stands in several files, such as a package's `init`, it gives the file that it came across first.
/// Seen in caddy (`lexers.init`, emacs.go for lexers.go). There the file is not compared, the line is.
#[must_use]
pub fn compare(oracle: &Heap, ours: &Heap) -> Agreement {
    let scattered: BTreeSet<&str> =
        ours.files().into_iter().filter(|(_, f)| f.len() > 1).map(|(name, _)| name).collect();
    let (oracle, ours) = (oracle.without_files(&scattered), ours.without_files(&scattered));
    let stacks: BTreeSet<&Vec<Frame>> = oracle.keys().chain(ours.keys()).collect();
    let mut out = Agreement { total: stacks.len(), ..Agreement::default() };
    for stack in stacks {
        let (a, b) = (oracle.get(stack).copied(), ours.get(stack).copied());
        if a == b {
            out.equal += 1;
        } else {
            out.differ.push((stack.clone(), a, b));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    fn profile(values: Vec<i64>) -> Vec<u8> {
        let strings = ["", "alloc_objects", "alloc_space", "inuse_objects", "inuse_space", "main.f", "main.g", "m.go"];
        let p = Profile {
            sample_type: (1..5).map(|r#type| ValueType { r#type }).collect(),
            sample: vec![Sample { location_id: vec![1], value: values }],
            location: vec![Location {
                id: 1,
                line: vec![Line { function_id: 1, line: 3 }, Line { function_id: 2, line: 9 }],
            }],
            function: vec![Function { id: 1, name: 5, filename: 7 }, Function { id: 2, name: 6, filename: 7 }],
            string_table: strings.iter().map(|s| (*s).to_owned()).collect(),
            period: 524_288,
        };
        let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gz.write_all(&p.encode_to_vec()).unwrap();
        gz.finish().unwrap()
    }

    #[test]
    fn one_object_more_is_seen() {
        let a = parse(&profile(vec![2, 20, 1, 10])).unwrap();
        let frame = |name: &str, line| (name.to_owned(), "m.go".to_owned(), line);
        assert_eq!(a.sites.keys().collect::<Vec<_>>(), [&[frame("main.f", 3), frame("main.g", 9)]]);
        assert_eq!(compare(&a, &a).equal, 1);
        let b = parse(&profile(vec![3, 20, 1, 10])).unwrap();
        let got = compare(&a, &b);
        assert_eq!((got.equal, got.total, got.differ.len()), (0, 1, 1));
    }

    #[test]
    fn the_file_counts_but_where_go_knows_one_per_name() {
        let heap = |files: [&str; 2]| {
            let site = |i: usize| (vec![("p.init".to_owned(), files[i].to_owned(), i as i64)], [1; 4]);
            Heap { rate: 1, sites: (0..2).map(site).collect() }
        };
        assert_eq!(compare(&heap(["a.go", "a.go"]), &heap(["a.go", "b.go"])).equal, 2);
        assert_eq!(compare(&heap(["b.go", "b.go"]), &heap(["a.go", "a.go"])).equal, 0);
    }
}
