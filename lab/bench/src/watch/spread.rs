//! The spread of ways to die: limits, growth rates, threads, Go releases, stripped or not, with and without a
//! larger thing that is not the culprit. The same number gives the same way for ever.

use std::fmt;

/// Minors of Go that victims are built with.
pub(super) const MINORS: [u16; 6] = [19, 20, 22, 24, 26, 27];

/// Bytes, and how often of a hundred: small ones more often, so that a thousand kills are done in half an
/// hour.
const LIMITS: [(u64, u64); 7] =
    [(64 << 20, 25), (128 << 20, 24), (256 << 20, 21), (512 << 20, 13), (1 << 30, 10), (2 << 30, 4), (4 << 30, 3)];
/// Threads that allocate.
const THREADS: [u64; 7] = [1, 2, 4, 8, 16, 32, 64];
const SLOWEST: f64 = 0.1e9;
const FASTEST: f64 = 2e9;

/// One way to die.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Way {
    pub(super) number: usize,
    pub(super) limit: u64,
    /// Bytes per second; 0: as fast as it faults pages.
    pub(super) rate: f64,
    pub(super) threads: u64,
    pub(super) minor: u16,
    pub(super) stripped: bool,
    /// Bytes of another site, more than the culprit will ever have.
    pub(super) decoy: u64,
    pub(super) calm_ms: u64,
}

impl Way {
    /// The way of that number.
    pub(super) fn of(seed: u64, number: usize) -> Self {
        let mut dice = Dice(seed ^ (number as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15));
        let mut hundred = dice.below(100);
        let limit = LIMITS.iter().find(|(_, often)| {
            let hit = hundred < *often;
            hundred = hundred.saturating_sub(*often);
            hit
        });
        let limit = limit.map_or(64 << 20, |l| l.0);
        // A third as fast as it can, the others evenly over the logarithm.
        let rate = if dice.below(3) == 0 { 0.0 } else { SLOWEST * (FASTEST / SLOWEST).powf(dice.share()) };
        let threads = dice.one_of(&THREADS);
        let minor = dice.one_of(&MINORS);
        let stripped = dice.below(2) == 0;
        // With one the calm is so long that the daemon has looked at the profile twice since: else it is
        // growth too, and rightly named.
        let with_decoy = dice.below(8) == 0;
        let decoy = if with_decoy { limit / 100 * 55 } else { 0 };
        let calm_ms = if with_decoy { 12_000 } else { 300 + dice.below(900) };
        Self { number, limit, rate, threads, minor, stripped, decoy, calm_ms }
    }

    /// Arguments of `lab/programs/dies`.
    pub(super) fn args(&self) -> Vec<String> {
        let pairs = [
            ("-rate", format!("{:.0}", self.rate)),
            ("-after", format!("{}ms", self.calm_ms)),
            ("-threads", self.threads.to_string()),
            ("-decoy", self.decoy.to_string()),
            ("-base", (4 << 20).to_string()),
        ];
        pairs.into_iter().flat_map(|(name, value)| [name.to_owned(), value]).collect()
    }
}

impl fmt::Display for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rate = if self.rate > 0.0 { format!("{:.2} GB/s", self.rate / 1e9) } else { "as fast as it can".into() };
        write!(
            f,
            "#{}: limit {} MB, {rate}, {} threads, go1.{}, {}, calm {} ms{}",
            self.number,
            self.limit >> 20,
            self.threads,
            self.minor,
            if self.stripped { "stripped" } else { "plain" },
            self.calm_ms,
            if self.decoy > 0 { ", a larger thing beside it" } else { "" }
        )
    }
}

/// SplitMix64.
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn below(&mut self, n: u64) -> u64 {
        self.next() % n
    }

    /// 0 to 1.
    fn share(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }

    fn one_of<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.below(all.len() as u64) as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_spread_has_all_that_it_should_and_is_the_same_every_time() {
        let ways: Vec<Way> = (0..1000).map(|n| Way::of(1, n)).collect();
        assert_eq!(ways, (0..1000).map(|n| Way::of(1, n)).collect::<Vec<_>>());
        assert_ne!(ways[0], Way { number: 0, ..Way::of(2, 0) });
        for (limit, _) in LIMITS {
            assert!(ways.iter().any(|w| w.limit == limit && w.threads == 64 && w.stripped), "{limit}");
        }
        for minor in MINORS {
            assert!(ways.iter().any(|w| w.minor == minor && w.decoy > 0 && w.rate == 0.0), "{minor}");
        }
        assert!(ways.iter().all(|w| w.rate == 0.0 || (SLOWEST..=FASTEST).contains(&w.rate)));
    }
}
