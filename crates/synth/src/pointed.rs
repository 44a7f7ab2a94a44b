//! What goroutines point to: profiler labels in both forms, and ancestors.

use crate::layout::put;
use crate::tables::return_address;

/// Bytes of a bucket of a `map[string]string` (`runtime/map.go`, `bmap`): `tophash`, keys, values,
/// `overflow`.
const BUCKET: usize = 8 + 8 * 16 + 8 * 16 + 8;
/// Bytes of an `hmap`.
const HMAP: usize = 48;

/// Up to Go 1.23 (`runtime/pprof/label.go`): a pointer to a map. Its first labels alternate between two
/// buckets, the last stands in an overflow bucket.
pub(crate) fn label_map(at: u64, labels: &[(&str, &str)]) -> Vec<u8> {
    let (map, buckets) = (8, 8 + HMAP);
    let overflow = buckets + 2 * BUCKET;
    let mut b = vec![0; overflow + BUCKET];
    put(&mut b, 0, at + map as u64);
    put(&mut b, map, labels.len() as u64);
    // flags 0, B 1: two buckets.
    if let Some(bits) = b.get_mut(map + 9) {
        *bits = 1;
    }
    put(&mut b, map + 16, at + buckets as u64);
    put(&mut b, buckets + BUCKET - 8, at + overflow as u64);
    for (i, (key, value)) in labels.iter().enumerate() {
        let bucket = if i + 1 == labels.len() { overflow } else { buckets + i % 2 * BUCKET };
        let slot = i / 2 % 8;
        if let Some(top) = b.get_mut(bucket + slot) {
            *top = 5 + i as u8;
        }
        string(&mut b, at, bucket + 8 + slot * 16, key);
        string(&mut b, at, bucket + 8 + 128 + slot * 16, value);
    }
    b
}

/// From Go 1.24 on (`LabelSet`): a slice of pairs of strings.
pub(crate) fn label_set(at: u64, labels: &[(&str, &str)]) -> Vec<u8> {
    let mut b = vec![0; 24 + labels.len() * 32];
    for (i, word) in [at + 24, labels.len() as u64, labels.len() as u64].into_iter().enumerate() {
        put(&mut b, i * 8, word);
    }
    for (i, (key, value)) in labels.iter().enumerate() {
        string(&mut b, at, 24 + i * 32, key);
        string(&mut b, at, 24 + i * 32 + 16, value);
    }
    b
}

/// `[]ancestorInfo` (`runtime/runtime2.go`): program counters, number, the `go` statement.
pub(crate) fn ancestors(at: u64, list: &[(u64, Vec<usize>)]) -> Vec<u8> {
    const SIZE: usize = 40;
    let mut b = vec![0; 24 + list.len() * SIZE];
    for (i, word) in [at + 24, list.len() as u64, list.len() as u64].into_iter().enumerate() {
        put(&mut b, i * 8, word);
    }
    for (i, (goid, stack)) in list.iter().enumerate() {
        let one = 24 + i * SIZE;
        let pcs = at + b.len() as u64;
        for (field, word) in
            [pcs, stack.len() as u64, stack.len() as u64, *goid, return_address(0).0].into_iter().enumerate()
        {
            put(&mut b, one + field * 8, word);
        }
        for f in stack {
            b.extend(return_address(*f).0.to_le_bytes());
        }
    }
    b
}

/// Writes a string's header at `slot` and its bytes behind all there is.
fn string(b: &mut Vec<u8>, at: u64, slot: usize, text: &str) {
    let place = at + b.len() as u64;
    put(b, slot, place);
    put(b, slot + 8, text.len() as u64);
    b.extend(text.as_bytes());
    b.resize(b.len().next_multiple_of(8), 0);
}
