//! The online change detector: Page's cumulative sums (Biometrika 1954), two-sided, in standard deviations.

/// Allowance: half of the shift that is to be found, in standard deviations.
pub const ALLOWANCE: f64 = 0.5;
/// Decision interval, in standard deviations: a false alarm in some 465 values of noise (Montgomery).
pub const DECISION: f64 = 5.0;

/// Which way a series went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// Up.
    Up,
    /// Down.
    Down,
}

/// A change that was detected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Alarm {
    /// Index of the first value of the run that led to it: where the change began, as far as is known.
    pub onset: usize,
    /// Index of the value with which it was detected.
    pub detected: usize,
    /// Which way.
    pub way: Way,
}

/// Cumulative sums of values against what is usual.
#[derive(Clone, Copy, Debug)]
pub struct Cusum {
    mean: f64,
    deviation: f64,
    allowance: f64,
    decision: f64,
    up: (f64, usize),
    down: (f64, usize),
    seen: usize,
}

impl Cusum {
    /// One for values that usually have this mean and standard deviation. Without any noise the deviation is
    /// taken as a hundredth of the mean, and 1 at least where that is zero too.
    #[must_use]
    pub fn new(mean: f64, deviation: f64) -> Self {
        let least = if mean == 0.0 { 1.0 } else { mean.abs() / 100.0 };
        let deviation = if deviation.is_finite() && deviation > 0.0 { deviation } else { least };
        Self { mean, deviation, allowance: ALLOWANCE, decision: DECISION, up: (0.0, 0), down: (0.0, 0), seen: 0 }
    }

    /// With another allowance and decision interval, in standard deviations.
    #[must_use]
    pub fn with(self, allowance: f64, decision: f64) -> Self {
        Self { allowance, decision, ..self }
    }

    /// Takes a value; an alarm if the series has changed. After an alarm it begins anew. What is no number is
    /// passed over.
    pub fn push(&mut self, value: f64) -> Option<Alarm> {
        let at = self.seen;
        self.seen += 1;
        let z = (value - self.mean) / self.deviation;
        if !z.is_finite() {
            return None;
        }
        let add = |(sum, since): (f64, usize), z: f64| {
            let sum_now = (sum + z - self.allowance).max(0.0);
            (sum_now, if sum > 0.0 { since } else { at })
        };
        (self.up, self.down) = (add(self.up, z), add(self.down, -z));
        let (way, (_, onset)) = match (self.up.0 > self.decision, self.down.0 > self.decision) {
            (true, _) => (Way::Up, self.up),
            (_, true) => (Way::Down, self.down),
            _ => return None,
        };
        (self.up, self.down) = ((0.0, at), (0.0, at));
        Some(Alarm { onset, detected: at, way })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the NIST/SEMATECH handbook (6.3.2.3): mean 325, k = 0.3175, h = 4.1959 in the unit of
    /// the values; out of control from the 14th value on.
    #[test]
    fn the_handbooks_example() {
        let values = [
            324.925, 324.675, 324.725, 324.350, 325.350, 325.225, 324.125, 324.525, 325.225, 324.600, 324.625, 325.150,
            328.325, 327.250, 327.825, 328.500, 326.675, 327.775, 326.875, 328.350,
        ];
        let mut cusum = Cusum::new(325.0, 1.0).with(0.3175, 4.1959);
        let alarm = values.iter().find_map(|v| cusum.push(*v)).unwrap();
        assert_eq!(alarm, Alarm { onset: 12, detected: 13, way: Way::Up });
    }

    #[test]
    fn constants_and_nonsense_alarm_nobody() {
        let mut cusum = Cusum::new(10.0, 0.0);
        assert!((0..1000).all(|_| cusum.push(10.0).is_none()));
        assert_eq!((cusum.push(f64::NAN), cusum.push(f64::INFINITY)), (None, None));
        assert_eq!(cusum.push(11.0).map(|a| a.way), Some(Way::Up), "ten hundredths");
        let mut down = Cusum::new(10.0, 1.0);
        assert_eq!((0..9).find_map(|_| down.push(8.0)), Some(Alarm { onset: 0, detected: 3, way: Way::Down }));
    }
}
