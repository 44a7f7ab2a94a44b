//! Profiler labels (`pprof.Do`). Source: `runtime/pprof/label.go`, `runtime/proflabel.go`.
//!
//! Keys are words of the program; values are its users' data and stay out of captures: what is kept of a
//! value is a hash with a salt that is made for one capture and forgotten. Equal values have equal hashes
//! within a capture, and that is all that can be told from them.

use std::hash::{BuildHasher as _, RandomState};

use lastgasp_inferior::{Addr, Memory};

use crate::runtime::Runtime;

/// Most labels of one goroutine.
const MAX_LABELS: u64 = 64;
/// Longest key and longest value that are read.
const MAX_KEY: u64 = 256;
const MAX_VALUE: u64 = 4096;
/// Size of a string in memory: pointer and length.
const STRING: u64 = 16;
/// `bucketCnt`, and the parts of a bucket of a `map[string]string`: `tophash`, keys, values, `overflow`.
const SLOTS: u64 = 8;
const KEYS: u64 = SLOTS;
const VALUES: u64 = KEYS + SLOTS * STRING;
const OVERFLOW: u64 = VALUES + SLOTS * STRING;
const BUCKET: u64 = OVERFLOW + 8;
/// `minTopHash`: what is below marks empty and moved slots.
const MIN_TOP_HASH: u8 = 5;
/// Most buckets (2^n) and overflow buckets that are looked at.
const MAX_B: u8 = 4;
const MAX_BUCKETS: usize = 64;

/// What label values are hashed with: one per capture, kept nowhere.
#[derive(Debug, Default)]
pub struct LabelSalt(RandomState);

/// A profiler label.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Label {
    /// As the program wrote it.
    pub key: String,
    /// Salted hash of the value.
    pub value_hash: u64,
}

/// A string of the target: address and length.
type Text = (Addr, u64);

/// Where the labels of a goroutine stand. `visit` is told of every range that was looked at, so that the same
/// walk serves to copy them.
fn pairs(
    rt: &Runtime,
    mem: &dyn Memory,
    at: Addr,
    visit: &mut dyn FnMut(Addr, u64),
) -> Result<Vec<(Text, Text)>, String> {
    let mut out = Vec::new();
    let word = |a: Addr| mem.u64(a).map_err(|e| e.to_string());
    let string = |a: Addr, bound: u64| -> Result<Text, String> {
        let (ptr, len) = (Addr(word(a)?), word(a.plus(8))?);
        // Some libraries keep other things behind this pointer.
        if len > bound {
            return Err(format!("a label of {len} bytes"));
        }
        Ok((ptr, len))
    };
    match (rt.layout.hmap.b, rt.layout.hmap.buckets, rt.layout.hmap.oldbuckets) {
        // Up to Go 1.23: a pointer to a `map[string]string`.
        (Some(b), Some(buckets), Some(old)) if rt.layout.minor < 24 => {
            let map = Addr(word(at)?);
            visit(at, 8);
            if map.is_null() {
                return Ok(out);
            }
            visit(map, old + 8);
            let b = mem.u8(map.plus(b)).map_err(|e| e.to_string())?;
            if b > MAX_B {
                return Err(format!("a map of 2^{b} buckets"));
            }
            let mut todo: Vec<Addr> = Vec::new();
            let first = Addr(word(map.plus(buckets))?);
            todo.extend((0..1u64 << b).map(|i| first.plus(i * BUCKET)));
            let first = Addr(word(map.plus(old))?);
            if !first.is_null() && b > 0 {
                todo.extend((0..1u64 << (b - 1)).map(|i| first.plus(i * BUCKET)));
            }
            let mut seen = 0;
            while let Some(bucket) = todo.pop().filter(|_| seen < MAX_BUCKETS) {
                seen += 1;
                visit(bucket, BUCKET);
                let top = mem.bytes(bucket, SLOTS as usize, SLOTS as usize).map_err(|e| e.to_string())?;
                for i in (0u64..).zip(top).filter(|(_, t)| *t >= MIN_TOP_HASH).map(|(i, _)| i) {
                    let key = string(bucket.plus(KEYS + i * STRING), MAX_KEY)?;
                    out.push((key, string(bucket.plus(VALUES + i * STRING), MAX_VALUE)?));
                }
                todo.extend(Some(Addr(word(bucket.plus(OVERFLOW))?)).filter(|a| !a.is_null()));
            }
        }
        // From Go 1.24 on: a pointer to a slice of pairs of strings.
        _ => {
            let (list, len) = (Addr(word(at)?), word(at.plus(8))?);
            visit(at, 24);
            if len > MAX_LABELS || word(at.plus(16))? < len {
                return Err(format!("{len} labels"));
            }
            visit(list, len * 2 * STRING);
            for i in 0..len {
                let pair = list.plus(i * 2 * STRING);
                out.push((string(pair, MAX_KEY)?, string(pair.plus(STRING), MAX_VALUE)?));
            }
        }
    }
    for (key, value) in &out {
        visit(key.0, key.1);
        visit(value.0, value.1);
    }
    Ok(out)
}

/// Tells `visit` of all that must be copied to decode the labels at `at`.
pub(crate) fn extents(rt: &Runtime, mem: &dyn Memory, at: Addr, visit: &mut dyn FnMut(Addr, u64)) {
    // What makes no sense here makes none in the copy, and is a gap there.
    let _ = pairs(rt, mem, at, visit);
}

/// The labels at `at`, sorted by key.
pub(crate) fn decode(rt: &Runtime, mem: &dyn Memory, at: Addr, salt: &LabelSalt) -> Result<Vec<Label>, String> {
    let mut out = Vec::new();
    let bytes = |(at, len): Text| mem.bytes(at, len as usize, MAX_VALUE as usize).map_err(|e| e.to_string());
    for (key, value) in pairs(rt, mem, at, &mut |_, _| {})? {
        let key = if key.1 == 0 { Vec::new() } else { bytes(key)? };
        let key = String::from_utf8(key).map_err(|_| "a key that is no text".to_owned())?;
        let value = if value.1 == 0 { Vec::new() } else { bytes(value)? };
        out.push(Label { key, value_hash: salt.0.hash_one(value) });
    }
    out.sort_unstable();
    Ok(out)
}
