//! The same shape with other numbers: a seed moves times, sizes and rates of a scenario a little, always in
//! the same way.

use super::Scenario;
use super::quantity::{Size, Span};

/// A stream of numbers from a seed (SplitMix64, Steele, Lea and Flood 2014).
struct Stream(u64);

impl Stream {
    /// A number of 0 to 1.
    fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    }

    fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.next()
    }
}

impl Scenario {
    /// This scenario with other numbers; a seed of 0 leaves it as it is.
    #[must_use]
    pub fn seeded(mut self, seed: u64) -> Self {
        if seed == 0 {
            return self;
        }
        let of_name =
            self.name.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |h, b| (h ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3));
        let mut stream = Stream(seed ^ of_name);
        // All later actions move together, so that what belongs together stays together.
        let shift = stream.between(0.0, 4000.0) as u64;
        self.duration = Span(self.duration.0 + shift);
        for act in &mut self.acts {
            act.at = Span(act.at.0 + shift);
            if let Some(p) = &mut act.publish
                && p.count > 1000
            {
                p.count = (p.count as f64 * stream.between(0.85, 1.3)) as u64;
            }
        }
        for caller in self.caller.values_mut() {
            caller.rate *= stream.between(0.9, 1.15);
        }
        let limit = self.service.limit.0 as f64 * stream.between(0.95, 1.1);
        self.service.limit = Size((limit as u64) & !0xfff);
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_stays_in_its_bounds_and_is_always_the_same() {
        let (mut a, mut b) = (Stream(7), Stream(7));
        for _ in 0..1000 {
            let n = a.between(2.0, 3.0);
            assert!((2.0..3.0).contains(&n));
            assert!((n - b.between(2.0, 3.0)).abs() < f64::EPSILON);
        }
    }
}
