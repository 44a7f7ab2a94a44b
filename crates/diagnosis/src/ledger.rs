//! Where the RSS is: every byte in a named slice or in "unknown". Pure.

use crate::facts::Facts;
use crate::verdict::Source;

/// A slice of the RSS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slice {
    /// Short name.
    pub name: &'static str,
    /// Bytes; negative only for `unknown`, where the named slices overlap or are not all resident.
    pub bytes: i64,
    /// Where the number comes from.
    pub source: Source,
    /// What it is.
    pub what: &'static str,
}

/// The slices of the RSS; they sum to it. Empty if the RSS was never seen.
#[must_use]
pub fn ledger(facts: &Facts) -> Vec<Slice> {
    let Some(rss) = facts.rss else { return Vec::new() };
    let gc = &facts.gc;
    let exact = |name, bytes: u64, what| Slice { name, bytes: bytes.cast_signed(), source: Source::Exact, what };
    let new = gc.heap_live.saturating_sub(gc.heap_marked);
    let mut out = vec![
        exact(
            "go heap, live at last mark",
            gc.heap_marked.min(gc.heap_live),
            "reachable when the last GC finished marking",
        ),
        exact(
            "go heap, allocated since",
            new,
            "allocated after that mark: live or garbage, the runtime does not know yet",
        ),
        exact(
            "go heap, free in spans",
            gc.heap_in_use.saturating_sub(gc.heap_live),
            "free slots in spans that hold objects, and objects not swept yet",
        ),
        exact("go heap, idle", gc.heap_free, "free pages that the runtime has not given back"),
        exact("go stacks", gc.stacks, "goroutine and system stacks"),
        exact("go runtime", gc.metadata, "span, cache, profile and GC tables"),
        exact("files", rss.file, "program code, data and mapped files that are resident"),
        exact("shared memory", rss.shmem, "tmpfs and shared anonymous memory"),
    ];
    let named: i64 = out.iter().map(|s| s.bytes).sum();
    out.push(Slice {
        name: "unknown",
        bytes: rss.rss.cast_signed() - named,
        source: Source::Estimated,
        what: "neither the Go runtime nor a file: cgo, memory mapped by the program, growth between the two readings; negative where memory counted above was not resident (yet)",
    });
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::{Gc, Rss};

    #[test]
    fn slices_sum_to_the_rss() {
        let gc = Gc {
            heap_live: 700,
            heap_marked: 500,
            heap_in_use: 800,
            heap_free: 50,
            stacks: 20,
            metadata: 10,
            ..Gc::default()
        };
        let facts =
            Facts { gc, rss: Some(Rss { rss: 1000, anon: 900, file: 100, ..Rss::default() }), ..Facts::default() };
        let slices = ledger(&facts);
        assert_eq!(slices.iter().map(|s| s.bytes).sum::<i64>(), 1000);
        assert_eq!(slices.last().map(|s| s.bytes), Some(20));
        assert_eq!(ledger(&Facts::default()), []);
    }
}
