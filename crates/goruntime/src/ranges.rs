//! Ranges of memory to copy, joined where one piece costs less than two.

use lastgasp_inferior::Addr;

/// Ranges closer than this are copied as one: reading the bytes between costs less than another piece.
const MERGE_GAP: u64 = 512;

/// Sorts ranges and joins those that touch or nearly do.
pub(crate) fn merge(mut ranges: Vec<(Addr, usize)>) -> Vec<(Addr, usize)> {
    /// So that one absent page never costs more than this.
    const LARGEST: usize = 64 << 10;
    ranges.sort_unstable();
    let mut out: Vec<(Addr, usize)> = Vec::with_capacity(ranges.len() / 8 + 1);
    for (addr, len) in ranges {
        if let Some((start, total)) = out.last_mut() {
            let end = start.0.saturating_add(*total as u64);
            let joined = addr.0.saturating_add(len as u64).max(end) - start.0;
            if addr.0 <= end.saturating_add(MERGE_GAP) && joined as usize <= LARGEST {
                *total = joined as usize;
                continue;
            }
        }
        out.push((addr, len));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_merge_up_to_a_bound() {
        let got = merge(vec![(Addr(5000), 100), (Addr(100), 50), (Addr(150), 50), (Addr(600), 10)]);
        assert_eq!(got, [(Addr(100), 510), (Addr(5000), 100)]);
        let many: Vec<_> = (0..100).map(|i| (Addr(i * 1000), 1000)).collect();
        assert!(merge(many).iter().all(|(_, len)| *len <= 64 << 10));
    }
}
