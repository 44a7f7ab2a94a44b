//! What earlier looks at one collection found: the newest ones, and of older ones every second, every fourth
//! and so on, so that few numbers tell of a long time.

/// Looks that are kept.
const MOST: usize = 32;

/// One look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Look {
    /// When, in milliseconds of the caller's clock.
    pub at_ms: u64,
    /// Elements.
    pub elements: u64,
}

/// Looks, oldest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Looks {
    all: Vec<Look>,
}

impl Looks {
    /// Adds one. Where there is no room, of the two neighbours that are nearest in time beside their age the
    /// younger goes.
    pub fn push(&mut self, look: Look) {
        self.all.push(look);
        if self.all.len() > MOST {
            let age = |l: &Look| look.at_ms.saturating_sub(l.at_ms).max(1) as f64;
            let ratio = |i: usize| match (self.all.get(i - 1), self.all.get(i)) {
                (Some(older), Some(younger)) => age(older) / age(younger),
                _ => f64::MAX,
            };
            // The first and the last stay.
            let drop = (1..self.all.len() - 1).min_by(|a, b| ratio(*a).total_cmp(&ratio(*b)));
            if let Some(at) = drop {
                self.all.remove(at);
            }
        }
    }

    /// All that are kept, oldest first.
    #[must_use]
    pub fn all(&self) -> &[Look] {
        &self.all
    }

    /// The newest.
    #[must_use]
    pub fn last(&self) -> Option<Look> {
        self.all.last().copied()
    }

    /// The look, of those before the newest, at which it had the fewest elements; of equal ones the youngest.
    #[must_use]
    pub fn before(&self) -> Option<Look> {
        let (_, earlier) = self.all.split_last()?;
        earlier.iter().rev().min_by_key(|l| l.elements).copied()
    }

    /// Whether elements only ever became more, from the first look that is kept to the newest.
    #[must_use]
    pub fn only_grows(&self) -> bool {
        let pairs = || self.all.iter().zip(self.all.iter().skip(1));
        pairs().all(|(a, b)| a.elements <= b.elements) && pairs().any(|(a, b)| a.elements < b.elements)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_time_is_told_by_few_looks_and_the_ends_stay() {
        let mut looks = Looks::default();
        for i in 0..10_000u64 {
            looks.push(Look { at_ms: i * 5000, elements: i });
        }
        assert_eq!(looks.all().len(), MOST);
        assert_eq!((looks.all()[0].elements, looks.last().unwrap().elements), (0, 9999));
        assert_eq!(looks.before().unwrap().elements, 0);
        // Some are young.
        assert!(looks.all().iter().filter(|l| l.elements > 9900).count() >= 8, "{:?}", looks.all());
        assert!(looks.only_grows());
        looks.push(Look { at_ms: 60_000_000, elements: 3 });
        assert!(!looks.only_grows());
    }
}
