//! Memory profiles in pprof's format, as a table that can be compared: Go's own answer and lastgasp's file are read by the same code, which shares none with
//! the code that wrote either.

use std::collections::BTreeMap;
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

/// What each stack (innermost first, `function file:line` a line) allocated.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Heap {
    /// Sampling rate.
    pub rate: i64,
    /// By stack; samples that differ in size class alone are one site.
    pub sites: BTreeMap<String, Values>,
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
    let mut locations: BTreeMap<u64, String> = BTreeMap::new();
    for l in &p.location {
        let text = locations.entry(l.id).or_default();
        for line in &l.line {
            let (name, file) = functions.get(&line.function_id).copied().unwrap_or_default();
            *text += &format!("{name} {file}:{}\n", line.line);
        }
    }
    let mut out = Heap { rate: p.period, ..Heap::default() };
    for s in &p.sample {
        let stack: String =
            s.location_id.iter().map(|id| locations.get(id).map_or("?\n", String::as_str)).collect();
        let site = out.sites.entry(stack).or_default();
        for (sum, v) in site.iter_mut().zip(&s.value) {
            *sum += v;
        }
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
    pub differ: Vec<(String, Option<Values>, Option<Values>)>,
}

/// Compares what the program says with what we say.
#[must_use]
pub fn compare(oracle: &Heap, ours: &Heap) -> Agreement {
    let stacks: std::collections::BTreeSet<&String> = oracle.sites.keys().chain(ours.sites.keys()).collect();
    let mut out = Agreement { total: stacks.len(), ..Agreement::default() };
    for stack in stacks {
        let (a, b) = (oracle.sites.get(stack).copied(), ours.sites.get(stack).copied());
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
        assert_eq!(a.sites.keys().collect::<Vec<_>>(), ["main.f m.go:3\nmain.g m.go:9\n"]);
        assert_eq!(compare(&a, &a).equal, 1);
        let b = parse(&profile(vec![3, 20, 1, 10])).unwrap();
        let got = compare(&a, &b);
        assert_eq!((got.equal, got.total, got.differ.len()), (0, 1, 1));
    }
}
