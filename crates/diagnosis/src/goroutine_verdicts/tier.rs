//! How much is known against a blocked goroutine.

/// Tier of a verdict, the gravest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Tier {
    /// Nothing that can still run leads to what it waits for: it will never be woken. Reckoned with all
    /// references of the process, and never said where some could not be read.
    Proved,
    /// Much speaks for it and one thing is open: only package variables lead there and its like grow in number;
    /// or the locks seem to be held in a ring, and Go lets anybody unlock a mutex; or a reference may be missing.
    Suspect,
    /// It waits for the world outside and has set no deadline, or for a goroutine that does.
    Stalled,
    /// Its own ticker wakes it, again and again, and nothing else leads to its way out.
    Immortal,
    /// Somebody can wake it, or nothing is known that speaks against it.
    Healthy,
}

impl Tier {
    /// All of them, the gravest first.
    pub const ALL: [Self; 5] = [Self::Proved, Self::Suspect, Self::Stalled, Self::Immortal, Self::Healthy];

    /// As in JSON and metrics.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Proved => "proved",
            Self::Suspect => "suspect",
            Self::Stalled => "stalled",
            Self::Immortal => "immortal",
            Self::Healthy => "healthy",
        }
    }

    /// Whether it is something to tell a reader of.
    #[must_use]
    pub fn is_trouble(self) -> bool {
        self != Self::Healthy
    }
}

/// Goroutines of each tier.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tiers {
    counts: [u64; 5],
}

impl Tiers {
    pub(super) fn add(&mut self, tier: Tier, n: u64) {
        if let Some(c) = self.counts.get_mut(tier as usize) {
            *c = c.saturating_add(n);
        }
    }

    /// How many of one tier.
    #[must_use]
    pub fn of(&self, tier: Tier) -> u64 {
        self.counts.get(tier as usize).copied().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tiers_are_counted_by_name() {
        let mut t = Tiers::default();
        t.add(Tier::Stalled, 3);
        t.add(Tier::Healthy, 2);
        assert_eq!(Tier::ALL.map(|of| t.of(of)), [0, 0, 3, 0, 2]);
        assert!(Tier::ALL.is_sorted() && !Tier::Healthy.is_trouble());
    }
}
