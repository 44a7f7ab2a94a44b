//! Copies that are none: buffers of those that read the same. Pure.

use crate::facts::GraphCopies;
use crate::thresholds::copies_of_one_content::BUFFER;

/// Packages whose functions make room for what is read next.
const READERS: [&str; 4] = ["bufio.", "bytes.", "io.", "net."];

/// Whether they may be buffers of connections and readers: bytes, no more than such a buffer has, or made by
/// the standard library to read into, or of which goroutines hold one each and nobody knows who made them.
/// That many are equal only says that all were sent the same, and to share them would mix up what is read
/// (seen from outside: "one of them, shared, would save 22.8 MB" of the buffers of 5,564 connections; 21.0 MB
/// of those of six downloads; 12.3 MB of what `io.ReadAll` had of 33 requests).
#[must_use]
pub fn may_be_buffers(c: &GraphCopies) -> bool {
    let read_into = READERS.iter().any(|of| c.site.starts_with(of));
    let goroutines = c.holders.iter().map(|h| h.goroutines).fold(0, u64::saturating_add);
    let one_each = c.site.is_empty()
        && !c.holders.is_empty()
        && c.holders.iter().all(|h| h.goroutines > 0 && h.copies <= h.goroutines)
        && goroutines > 1;
    c.type_name == "[]uint8" && (c.bytes_each <= BUFFER || read_into || one_each)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::CopyHolder;

    #[test]
    fn what_is_read_into_is_no_copy() {
        let holder = |goroutines, copies| CopyHolder { function: "main.serve".into(), goroutines, copies };
        let of = |site: &str, bytes_each, holders: Vec<CopyHolder>| GraphCopies {
            type_name: "[]uint8".into(),
            copies: 6,
            bytes_each,
            site: site.into(),
            holders,
            ..GraphCopies::default()
        };
        assert!(may_be_buffers(&of("bufio.NewReaderSize", 4 << 20, vec![holder(6, 6)])));
        assert!(may_be_buffers(&of("main.load", 4096, vec![holder(6, 6)])), "small ones");
        assert!(may_be_buffers(&of("", 375_000, vec![holder(6, 6)])), "one each, of nobody knows whom");
        assert!(!may_be_buffers(&of("main.loadConfig", 375_000, vec![holder(6, 6)])));
        assert!(!may_be_buffers(&of("", 375_000, vec![holder(0, 6)])), "a variable has them");
        let map = GraphCopies { type_name: "map[int64]int64".into(), ..of("", 375_000, vec![holder(6, 6)]) };
        assert!(!may_be_buffers(&map));
    }
}
