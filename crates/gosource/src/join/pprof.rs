//! A heap profile as `/debug/pprof/heap` and `/debug/pprof/allocs` serve it, and as captures have it. Source
//! of the form: google/pprof, `proto/profile.proto`.

use std::io::Read as _;

use lastgasp_diagnosis::facts::{Amount, Frame};
use prost::Message as _;
use rustc_hash::FxHashMap;

use super::evidence::{Allocated, Stack};
use crate::profile_proto::{Function, Line, Location, Profile, Sample};

/// Why a profile could not be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PprofError {
    /// It is no profile.
    #[error("this is no pprof profile ({0}): give heap.pb.gz of a capture, or what /debug/pprof/heap serves")]
    NoProfile(String),
    /// It is one of something else.
    #[error("this profile has no alloc_space (it has {0}): give one of the heap")]
    NotOfTheHeap(String),
    /// It is larger than anything that Go writes.
    #[error("this profile is larger than {0} MB")]
    TooLarge(u64),
}

/// Bytes of a profile, unpacked; of prometheus under load it has 1 MB.
const MOST_BYTES: u64 = 512 << 20;
/// Frames of a stack; Go keeps 128.
const MOST_FRAMES: usize = 4096;

impl Allocated {
    /// Of a heap profile, packed or not.
    ///
    /// # Errors
    /// It is no profile, or none of the heap.
    pub fn of_pprof(bytes: &[u8]) -> Result<Self, PprofError> {
        let unpacked = unpacked(bytes)?;
        let profile = Profile::decode(unpacked.as_slice()).map_err(|e| PprofError::NoProfile(e.to_string()))?;
        let string =
            |at: i64| usize::try_from(at).ok().and_then(|at| profile.string_table.get(at)).map_or("", String::as_str);
        let types: Vec<&str> = profile.sample_type.iter().map(|t| string(t.r#type)).collect();
        if types.is_empty() {
            return Err(PprofError::NoProfile("it has no sample type".to_owned()));
        }
        let column = |name: &str| types.iter().position(|t| *t == name);
        let (Some(objects), Some(space)) = (column("alloc_objects"), column("alloc_space")) else {
            return Err(PprofError::NotOfTheHeap(types.join(", ")));
        };
        let (in_use_objects, in_use_space) = (column("inuse_objects"), column("inuse_space"));
        let functions: FxHashMap<u64, Function> = profile.function.iter().map(|f| (f.id, *f)).collect();
        let locations: FxHashMap<u64, &Location> = profile.location.iter().map(|l| (l.id, l)).collect();
        let frames_of = |sample: &Sample| {
            let lines = sample.location_id.iter().filter_map(|id| locations.get(id)).flat_map(|l| &l.line);
            let frame = |line: &Line| {
                let function = functions.get(&line.function_id)?;
                let (function, file) = (string(function.name).to_owned(), string(function.filename).to_owned());
                Some(Frame { function, file, line: u32::try_from(line.line).unwrap_or(0) })
            };
            lines.take(MOST_FRAMES).filter_map(frame).collect::<Vec<_>>()
        };
        let stacks = profile.sample.iter().map(|sample| {
            let value = |column: Option<usize>| {
                column.and_then(|c| sample.value.get(c)).and_then(|v| u64::try_from(*v).ok()).unwrap_or(0)
            };
            let size = sample.label.iter().find(|l| string(l.key) == "bytes").and_then(|l| u64::try_from(l.num).ok());
            let allocated = Amount { bytes: value(Some(space)), objects: value(Some(objects)) };
            let in_use = Amount { bytes: value(in_use_space), objects: value(in_use_objects) };
            Stack { frames: frames_of(sample), allocated, lately: allocated, in_use, size: size.unwrap_or(0) }
        });
        let seconds = (profile.duration_nanos > 0).then(|| profile.duration_nanos as f64 / 1e9);
        let mut gaps = Vec::new();
        if seconds.is_none() {
            gaps.push(
                "a profile of a whole life does not say how long that was: nothing is known of bytes per second"
                    .to_owned(),
            );
        }
        Ok(Self { stacks: stacks.collect(), seconds, go_version: String::new(), collector_share: None, gaps })
    }
}

fn unpacked(bytes: &[u8]) -> Result<Vec<u8>, PprofError> {
    let mut out = Vec::new();
    let of_plain = |out: &mut Vec<u8>| bytes.take(MOST_BYTES + 1).read_to_end(out);
    let read = match bytes.starts_with(&[0x1f, 0x8b]) {
        true => flate2::read::MultiGzDecoder::new(bytes).take(MOST_BYTES + 1).read_to_end(&mut out),
        false => of_plain(&mut out),
    };
    read.map_err(|e| PprofError::NoProfile(e.to_string()))?;
    if out.len() as u64 > MOST_BYTES { Err(PprofError::TooLarge(MOST_BYTES >> 20)) } else { Ok(out) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile_proto::{Label, ValueType};

    fn profile() -> Profile {
        let strings =
            ["", "alloc_objects", "alloc_space", "inuse_objects", "inuse_space", "main.f", "/a/main.go", "bytes"];
        Profile {
            sample_type: (1..5).map(|r#type| ValueType { r#type, unit: 0 }).collect(),
            sample: vec![Sample {
                location_id: vec![1, 99],
                value: vec![2, 64, 1, 32],
                label: vec![Label { key: 7, str: 0, num: 32 }],
            }],
            location: vec![Location { id: 1, line: vec![Line { function_id: 1, line: 12 }], ..Default::default() }],
            function: vec![Function { id: 1, name: 5, filename: 6, ..Default::default() }],
            string_table: strings.iter().map(ToString::to_string).collect(),
            duration_nanos: 2_000_000_000,
            ..Default::default()
        }
    }

    #[test]
    fn a_heap_profile_has_stacks_with_sizes() {
        let allocated = Allocated::of_pprof(&profile().encode_to_vec()).unwrap();
        let stack = &allocated.stacks[0];
        assert_eq!((stack.allocated, stack.in_use.bytes, stack.size), (Amount { bytes: 64, objects: 2 }, 32, 32));
        assert_eq!(stack.frames, [Frame { function: "main.f".into(), file: "/a/main.go".into(), line: 12 }]);
        assert_eq!(allocated.seconds, Some(2.0));
    }

    #[test]
    fn anything_else_is_refused_with_what_to_give() {
        let mut other = profile();
        other.string_table[2] = "cpu".into();
        assert!(matches!(Allocated::of_pprof(&other.encode_to_vec()), Err(PprofError::NotOfTheHeap(_))));
        for bytes in [&b""[..], b"rubbish", &[0x1f, 0x8b, 0, 0]] {
            assert!(matches!(Allocated::of_pprof(bytes), Err(PprofError::NoProfile(_))), "{bytes:?}");
        }
    }
}
