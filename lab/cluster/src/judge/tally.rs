//! Sums over verdicts.

use serde::{Deserialize, Serialize};

use super::compare::Judgement;
use super::mask::Mask;

/// A verdict of a play.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Row {
    /// Scenario.
    pub name: String,
    /// Its family.
    pub family: String,
    /// Its truth, kind and key.
    pub truth: String,
    /// Whether it is kept out of tuning.
    pub hold_out: bool,
    /// Seed.
    pub seed: u64,
    /// What was taken away.
    pub mask: Mask,
    /// Kills for memory that there were.
    pub kills: usize,
    /// Why this one is not counted: the world was not as the scenario says. Empty: it is.
    pub not_counted: String,
    /// Milliseconds from the first kill to the first message that told of the incident; absent where none
    /// did.
    pub told_after_ms: Option<i64>,
    /// How busy the machine's processors were, 0 to 1.
    pub busy: f64,
    /// The verdict.
    pub judgement: Judgement,
}

/// The sums.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Tally {
    /// Verdicts that count.
    pub of: usize,
    /// Right at once.
    pub first: usize,
    /// Right among three.
    pub third: usize,
    /// Sure and wrong.
    pub sure_and_wrong: usize,
}

impl Tally {
    /// Of these rows; those that do not count are left out.
    pub fn of<'a>(rows: impl IntoIterator<Item = &'a Row>) -> Self {
        let mut tally = Self::default();
        for row in rows.into_iter().filter(|r| r.not_counted.is_empty()) {
            tally.of += 1;
            tally.first += usize::from(row.judgement.first);
            tally.third += usize::from(row.judgement.third);
            tally.sure_and_wrong += usize::from(row.judgement.sure_and_wrong);
        }
        tally
    }

    /// A part in percent; 0 of nothing.
    #[must_use]
    pub fn percent(&self, part: usize) -> f64 {
        if self.of == 0 { 0.0 } else { part as f64 * 100.0 / self.of as f64 }
    }
}

/// A bin of the calibration: verdicts of about the same confidence.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Bin {
    /// Its lower end.
    pub from: f64,
    /// Verdicts.
    pub of: usize,
    /// Their mean confidence.
    pub said: f64,
    /// Share of them that was right.
    pub right: f64,
}

/// Confidence against what came out, in five bins. Verdicts that nothing was wrong are none of it.
#[must_use]
pub fn calibration(rows: &[&Row]) -> Vec<Bin> {
    (0..5)
        .map(|i| {
            let from = f64::from(i) * 0.2;
            let inside: Vec<&&Row> = rows
                .iter()
                .filter(|r| r.not_counted.is_empty() && r.judgement.kind != "none" && r.judgement.kind != "unknown")
                .filter(|r| ((r.judgement.confidence * 5.0).floor() as i64).clamp(0, 4) == i64::from(i))
                .collect();
            let n = inside.len().max(1) as f64;
            Bin {
                from,
                of: inside.len(),
                // The sum of nothing is -0.
                said: inside.iter().map(|r| r.judgement.confidence).sum::<f64>() / n + 0.0,
                right: inside.iter().filter(|r| r.judgement.first).count() as f64 / n,
            }
        })
        .collect()
}

/// The value below which a share of all are (nearest rank); `None` of nothing.
#[must_use]
pub fn quantile(mut values: Vec<i64>, share: f64) -> Option<i64> {
    values.sort_unstable();
    let rank = (values.len() as f64 * share).ceil() as usize;
    values.get(rank.clamp(1, values.len().max(1)) - 1).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(first: bool, confidence: f64, not_counted: &str) -> Row {
        let judgement = Judgement { kind: "config".into(), first, third: true, confidence, ..Judgement::default() };
        Row { judgement, not_counted: not_counted.into(), ..Row::default() }
    }

    #[test]
    fn what_does_not_count_is_in_no_sum() {
        let rows = [row(true, 0.9, ""), row(false, 0.9, ""), row(false, 0.9, "nobody died")];
        let tally = Tally::of(&rows);
        assert_eq!((tally.of, tally.first, tally.third), (2, 1, 2));
        assert!((tally.percent(tally.first) - 50.0).abs() < 1e-9);
        assert!(Tally::of(&[]).percent(0).abs() < 1e-9);
    }

    #[test]
    fn bins_hold_all_verdicts_that_say_something() {
        let rows = [row(true, 0.85, ""), row(false, 1.0, ""), row(true, 0.1, "")];
        let bins = calibration(&rows.iter().collect::<Vec<_>>());
        assert_eq!(bins.iter().map(|b| b.of).collect::<Vec<_>>(), [1, 0, 0, 0, 2]);
        assert!((bins[4].right - 0.5).abs() < 1e-9 && (bins[4].said - 0.925).abs() < 1e-9);
    }

    #[test]
    fn quantiles_are_values_that_there_are() {
        assert_eq!(quantile(vec![5, 1, 3], 0.5), Some(3));
        assert_eq!(quantile(vec![5, 1, 3], 0.95), Some(5));
        assert_eq!(quantile(vec![], 0.5), None);
    }
}
