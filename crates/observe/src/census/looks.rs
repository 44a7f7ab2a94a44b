//! What earlier looks at one collection found: the first, the newest eight, and of older ones every fourth,
//! every sixteenth and so on, eight of each: few numbers that tell of a long time, and a look costs the same
//! however many there were.

/// Looks of one spacing that are kept.
const EACH: usize = 8;
/// Spacings, each four times the one before: with a look every five seconds the widest tells of three hours.
const LEVELS: usize = 5;

/// One look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Look {
    /// When, in milliseconds of the caller's clock.
    pub at_ms: u64,
    /// Elements.
    pub elements: u64,
}

/// Looks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Looks {
    first: Look,
    last: Look,
    /// How many there were.
    count: u64,
    levels: [Ring; LEVELS],
}

/// The newest of one spacing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Ring {
    kept: [Look; EACH],
    next: u8,
    len: u8,
}

impl Ring {
    fn push(&mut self, look: Look) {
        if let Some(place) = self.kept.get_mut(usize::from(self.next)) {
            *place = look;
        }
        self.next = (self.next + 1) % EACH as u8;
        self.len = (self.len + 1).min(EACH as u8);
    }
}

impl Looks {
    /// Adds one.
    pub fn push(&mut self, look: Look) {
        if self.count == 0 {
            self.first = look;
        }
        self.last = look;
        let mut every = 1;
        for level in &mut self.levels {
            if self.count.is_multiple_of(every) {
                level.push(look);
            }
            every *= 4;
        }
        self.count += 1;
    }

    /// All that are kept, oldest first.
    #[must_use]
    pub fn all(&self) -> Vec<Look> {
        let kept = self.levels.iter().flat_map(|l| l.kept.iter().take(usize::from(l.len)));
        let mut all: Vec<Look> = kept.copied().collect();
        all.extend((self.count > 0).then_some(self.first));
        all.sort_by_key(|l| l.at_ms);
        all.dedup();
        all
    }

    /// The newest.
    #[must_use]
    pub fn last(&self) -> Option<Look> {
        (self.count > 0).then_some(self.last)
    }

    /// The look, of those before the newest, at which it had the fewest elements; of equal ones the youngest.
    #[must_use]
    pub fn before(&self) -> Option<Look> {
        let all = self.all();
        let (_, earlier) = all.split_last()?;
        earlier.iter().rev().min_by_key(|l| l.elements).copied()
    }

    /// Whether elements only ever became more, from the first look to the newest, as far as they are kept.
    #[must_use]
    pub fn only_grows(&self) -> bool {
        let all = self.all();
        let pairs = || all.iter().zip(all.iter().skip(1));
        pairs().all(|(a, b)| a.elements <= b.elements) && pairs().any(|(a, b)| a.elements < b.elements)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_time_is_told_by_few_looks_and_the_ends_stay() {
        let mut looks = Looks::default();
        assert_eq!((looks.last(), looks.before(), looks.only_grows()), (None, None, false));
        for i in 0..10_000u64 {
            looks.push(Look { at_ms: i * 5000, elements: i });
        }
        let all = looks.all();
        assert!(all.len() <= EACH * LEVELS + 1 && all.is_sorted_by_key(|l| l.at_ms));
        assert_eq!((all[0].elements, looks.last().unwrap().elements), (0, 9999));
        assert_eq!(looks.before().unwrap().elements, 0);
        // The newest, and some of three hours.
        assert_eq!(all.iter().filter(|l| l.elements >= 9992).count(), 8);
        assert!(all.iter().any(|l| (7900..8300).contains(&l.elements)), "{all:?}");
        assert!(looks.only_grows());
        looks.push(Look { at_ms: 60_000_000, elements: 3 });
        assert!(!looks.only_grows());
    }
}
