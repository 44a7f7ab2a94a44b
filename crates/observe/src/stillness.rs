//! How still a target was while it was copied.

use std::time::Duration;

/// What the target did while it was copied, and for how long it was held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stillness {
    /// All its threads stood still to the end of the copy, which is of one moment.
    StoodStill(Duration),
    /// It was held, but not all of it, or not to the end of the copy.
    InPart(Duration),
    /// It was not stopped: each word is right by itself, and the copy is of no single moment.
    RanOn,
    /// It was dead, its memory held by the pin.
    Dead,
    /// It was a core file.
    Core,
}

impl Stillness {
    /// After a stop that held it for `held`, if it held anything; `whole` if it held all of it to the end of
    /// the copy.
    #[must_use]
    pub fn of_a_stop(held: Option<Duration>, whole: bool) -> Self {
        match held {
            Some(held) if whole => Self::StoodStill(held),
            Some(held) => Self::InPart(held),
            None => Self::RanOn,
        }
    }

    /// Whether nothing changed while it was copied.
    #[must_use]
    pub fn is_still(self) -> bool {
        matches!(self, Self::StoodStill(_) | Self::Dead | Self::Core)
    }

    /// How long it was held; zero where it was not.
    #[must_use]
    pub fn stopped(self) -> Duration {
        match self {
            Self::StoodStill(held) | Self::InPart(held) => held,
            Self::RanOn | Self::Dead | Self::Core => Duration::ZERO,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_who_was_held_to_the_end_stood_still() {
        let ms = Duration::from_millis(3);
        let still = |held, whole| {
            let s = Stillness::of_a_stop(held, whole);
            (s, s.is_still(), s.stopped())
        };
        assert_eq!(still(Some(ms), true), (Stillness::StoodStill(ms), true, ms));
        assert_eq!(still(Some(ms), false), (Stillness::InPart(ms), false, ms));
        assert_eq!(still(None, true), (Stillness::RanOn, false, Duration::ZERO));
        for (s, is_still) in [(Stillness::RanOn, false), (Stillness::Dead, true), (Stillness::Core, true)] {
            assert_eq!((s.is_still(), s.stopped()), (is_still, Duration::ZERO));
        }
    }
}
