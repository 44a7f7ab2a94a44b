//! The memory profile: allocation stacks with objects and bytes, un-sampled.

use serde::{Deserialize, Serialize};

use super::bounded::{MAX_SERIES, MAX_SITES, at_most};
use super::key::Key;
use super::memory::Gc;

/// An amount of memory, un-sampled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Amount {
    /// Bytes of the objects.
    pub bytes: u64,
    /// Number of objects.
    pub objects: u64,
}

impl Amount {
    /// The sum.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self { bytes: self.bytes.saturating_add(other.bytes), objects: self.objects.saturating_add(other.objects) }
    }

    /// What is left; never below zero.
    #[must_use]
    pub fn minus(self, other: Self) -> Self {
        Self { bytes: self.bytes.saturating_sub(other.bytes), objects: self.objects.saturating_sub(other.objects) }
    }
}

/// The memory profile of the runtime.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Profile {
    /// `MemProfileRate`, the mean of bytes between two samples; 0: profiling is off.
    pub rate: u64,
    /// Time of the baseline in milliseconds on the timeline's clock; absent if there is none.
    pub baseline_t_ms: Option<u64>,
    /// The runtime's gauges at the baseline.
    pub baseline_gc: Option<Gc>,
    /// Sites, one per visible stack, the largest in-use first.
    #[serde(deserialize_with = "at_most::<_, _, MAX_SITES>")]
    pub sites: Vec<Site>,
    /// What the top sites held before, one series a site; empty where nobody looked before.
    #[serde(deserialize_with = "at_most::<_, _, MAX_SERIES>", skip_serializing_if = "Vec::is_empty")]
    pub series: Vec<Series>,
    /// When each value of a series was read, in milliseconds on the timeline's clock, oldest first. The
    /// capture itself comes after the last.
    #[serde(deserialize_with = "at_most::<_, _, MAX_SERIES>", skip_serializing_if = "Vec::is_empty")]
    pub series_t_ms: Vec<u64>,
}

/// What a site held at each earlier look, un-sampled. Values are as many as `series_t_ms`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Series {
    /// The site, an index into `sites`.
    pub site: u32,
    /// Bytes in use.
    #[serde(deserialize_with = "at_most::<_, _, MAX_SERIES>")]
    pub in_use_bytes: Vec<u64>,
    /// Bytes allocated since the process started.
    #[serde(deserialize_with = "at_most::<_, _, MAX_SERIES>")]
    pub allocated_bytes: Vec<u64>,
}

/// An allocation stack with its counters.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Site {
    /// Key of its stack: the same in every capture of a build.
    pub key: Key,
    /// Indices into `frames`, innermost first, the runtime's own frames at the top left out.
    pub stack: Vec<u32>,
    /// In use in the moment of the capture: active and all future cycles.
    pub current: Amount,
    /// Allocated since the process started.
    pub allocated: Amount,
    /// In use, as pprof would have shown it.
    pub published: Amount,
    /// Allocated, as pprof would have shown it.
    pub published_allocated: Amount,
    /// In use at the baseline.
    pub baseline: Amount,
    /// Allocated up to the baseline.
    pub baseline_allocated: Amount,
    /// Allocated since the last mark termination.
    pub burst: Amount,
    /// Number of samples behind `current`.
    pub samples: u64,
    /// One standard error of `current.bytes`: each object of size s was sampled with p = 1 - exp(-s/rate), so
    /// n samples of it err by s * sqrt(n * (1 - p)) / p. Objects much larger than the rate are all sampled
    /// and err by nothing.
    pub error_bytes: u64,
}

impl Site {
    /// Bytes between which `current.bytes` lies with 95 % confidence, given how few samples there are: a site
    /// of one sample may be a fifth of what it seems, or several times as much. Poisson bounds (Byar's
    /// approximation) for as many samples as the standard error is worth.
    #[must_use]
    pub fn range_bytes(&self) -> (u64, u64) {
        const Z: f64 = 1.96;
        let (estimate, error) = (self.current.bytes as f64, self.error_bytes as f64);
        if error < 1.0 || estimate < 1.0 {
            return (self.current.bytes, self.current.bytes);
        }
        let n = (estimate / error).powi(2);
        let low = n * (1.0 - 1.0 / (9.0 * n) - Z / (3.0 * n.sqrt())).max(0.0).powi(3);
        let m = n + 1.0;
        let high = m * (1.0 - 1.0 / (9.0 * m) + Z / (3.0 * m.sqrt())).powi(3);
        ((estimate * low / n) as u64, (estimate * high / n) as u64)
    }

    /// What was allocated and what was freed since the baseline.
    #[must_use]
    pub fn since_baseline(&self) -> (Amount, Amount) {
        let allocated = self.allocated.minus(self.baseline_allocated);
        // Un-sampling rounds each count by itself: freed = allocated - what is more in use, which may be
        // less.
        let freed = |allocated: u64, now: u64, then: u64| allocated.saturating_add(then).saturating_sub(now);
        let freed = Amount {
            bytes: freed(allocated.bytes, self.current.bytes, self.baseline.bytes),
            objects: freed(allocated.objects, self.current.objects, self.baseline.objects),
        };
        (allocated, freed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_samples_have_a_wide_range_and_many_a_narrow_one() {
        let site = |bytes, error_bytes| Site { current: Amount { bytes, objects: 1 }, error_bytes, ..Site::default() };
        // One sample: the exact Poisson bounds are 0.025 and 5.57.
        let (low, high) = site(1_000_000, 1_000_000).range_bytes();
        assert!(low < 60_000 && (5_000_000..6_000_000).contains(&high), "{low} {high}");
        // Ten thousand samples: two percent.
        let (low, high) = site(1_000_000, 10_000).range_bytes();
        assert!((979_000..982_000).contains(&low) && (1_018_000..1_022_000).contains(&high), "{low} {high}");
        assert_eq!(site(5, 0).range_bytes(), (5, 5));
    }

    #[test]
    fn allocated_less_freed_is_what_is_more_in_use() {
        let amount = |bytes| Amount { bytes, objects: bytes / 10 };
        let site = Site {
            current: amount(500),
            baseline: amount(200),
            allocated: amount(1000),
            baseline_allocated: amount(300),
            ..Site::default()
        };
        assert_eq!(site.since_baseline(), (amount(700), amount(400)));
    }
}
