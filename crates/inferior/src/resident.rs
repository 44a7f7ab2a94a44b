//! What of each mapping is resident: `/proc/PID/smaps` (kernel: `Documentation/filesystems/proc.rst`).
//! Reading it walks the page tables, some milliseconds per gigabyte: never while a target stands still.

use crate::mapping::{Mapping, parse_maps};

/// A mapping with what of it is in memory, in bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resident {
    /// The mapping, as `/proc/PID/maps` has it.
    pub mapping: Mapping,
    /// `Rss`: all of it that is resident.
    pub rss: u64,
    /// `Anonymous`: of them, memory of the process's own (written pages of a private file mapping too).
    pub anon: u64,
    /// `AnonHugePages`: of them, in huge pages.
    pub huge: u64,
}

/// Parses `/proc/PID/smaps`; lines that make no sense are left out.
#[must_use]
pub fn parse_smaps(text: &str) -> Vec<Resident> {
    let mut out: Vec<Resident> = Vec::new();
    for line in text.lines() {
        // A field is `Name:  number kB`; the head of a mapping has no colon in its first word.
        match line.split_once(':').filter(|(name, _)| !name.contains(' ') && !name.contains('-')) {
            Some((name, rest)) => {
                let Some(last) = out.last_mut() else { continue };
                let bytes = rest
                    .split_whitespace()
                    .next()
                    .and_then(|n| n.parse::<u64>().ok())
                    .unwrap_or(0)
                    .saturating_mul(1024);
                match name {
                    "Rss" => last.rss = bytes,
                    "Anonymous" => last.anon = bytes,
                    "AnonHugePages" => last.huge = bytes,
                    _ => {}
                }
            }
            None => {
                out.extend(parse_maps(line).into_iter().map(|mapping| Resident { mapping, rss: 0, anon: 0, huge: 0 }));
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_heap_arena_and_a_file() {
        let text = "c000000000-c004000000 rw-p 00000000 00:00 0                    [anon: Go: heap]\n\
            Size:              65536 kB\nRss:               61440 kB\nAnonymous:         61440 kB\nAnonHugePages:     40960 kB\nVmFlags: rd wr mr\n\
            00400000-00556000 r-xp 00000000 fe:00 1234                         /usr/bin/a:b\nRss:                 800 kB\nAnonymous:             0 kB\n";
        let got = parse_smaps(text);
        assert_eq!(got.len(), 2);
        assert_eq!((got[0].rss, got[0].anon, got[0].huge), (61440 << 10, 61440 << 10, 40960 << 10));
        assert_eq!(got[0].mapping.path, "[anon: Go: heap]");
        assert_eq!((got[1].mapping.path.as_str(), got[1].rss, got[1].anon), ("/usr/bin/a:b", 800 << 10, 0));
    }

    #[test]
    fn of_this_very_process_it_sums_to_its_rss() {
        let smaps = parse_smaps(&std::fs::read_to_string("/proc/self/smaps").unwrap());
        let sum: u64 = smaps.iter().map(|r| r.rss).sum();
        let rss = crate::resident_bytes(std::process::id() as i32).unwrap();
        assert!(sum.abs_diff(rss) < rss / 2, "{sum} {rss}");
        assert!(smaps.iter().all(|r| r.anon <= r.rss && r.huge <= r.anon));
    }
}
