//! A moment that is known to lie between two samples: calm processes are sampled seconds apart, and what
//! happened between two samples must not be dated to the first of them. (Seen in the lab: a configuration was
//! published between the last calm sample and the first grown one, and was told to have come 2.6 s after
//! memory; test `a_change_between_the_last_calm_sample_and_the_first_grown_one_is_before`.)

use super::UnixMs;

/// A moment between two samples.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Between {
    /// It was not before this.
    pub earliest: UnixMs,
    /// It was not after this.
    pub latest: UnixMs,
}

impl Between {
    /// The middle.
    #[must_use]
    pub fn middle(self) -> UnixMs {
        self.earliest.saturating_add(self.off())
    }

    /// Milliseconds that the middle may be off by.
    #[must_use]
    pub fn off(self) -> i64 {
        self.latest.saturating_sub(self.earliest).max(0) / 2
    }

    /// The first of many such moments: where one moment can be all of them, that one, as near as they tell it
    /// together; else no later than the one that must have come first.
    #[must_use]
    pub fn first(all: impl IntoIterator<Item = Self> + Clone) -> Option<Self> {
        let ends = || all.clone().into_iter();
        let latest = ends().map(|b| b.latest).min()?;
        let common = ends().map(|b| b.earliest).max()?;
        let earliest = if common <= latest { common } else { ends().map(|b| b.earliest).min()? };
        Some(Self { earliest, latest })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_tell_one_moment_closer_than_each() {
        let of = |earliest, latest| Between { earliest, latest };
        let together = Between::first([of(41_274, 46_904), of(42_282, 47_100), of(46_351, 47_147)]);
        assert_eq!(together, Some(of(46_351, 46_904)));
        let apart = Between::first([of(10_000, 12_000), of(60_000, 61_000)]);
        assert_eq!(apart, Some(of(10_000, 12_000)));
        assert_eq!(Between::first([]), None);
        let one = of(1000, 4000);
        assert_eq!((one.middle(), one.off()), (2500, 1500));
    }
}
