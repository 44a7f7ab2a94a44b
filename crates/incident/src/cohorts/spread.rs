//! Times of death: all at once whatever their age, or each at its own age. A common cause from outside does
//! the one, a leak the other.

use lastgasp_diagnosis::units::seconds;

use crate::evidence::UnixMs;
use crate::life::Life;
use crate::statistics::robust::{deviation, median, quantile};
use crate::statistics::spearman::spearman;

/// Least first deaths for the spread to say anything.
const LEAST: usize = 4;

/// What the times of death say.
#[derive(Clone, Debug, PartialEq)]
pub struct Spread {
    /// Instances whose first death it is about.
    pub deaths: u64,
    /// Seconds from the 5th to the 95th percentile of the times of death.
    pub over_seconds: f64,
    /// The same of their ages at death.
    pub ages_over_seconds: f64,
    /// Rank correlation of start and death, and its chance: 1 where each dies at the same age.
    pub start_and_death: Option<(f64, f64)>,
    /// Whether all died at once though their ages differ: a common cause.
    pub common: bool,
    /// Whether they died at the same age though not at once: each carries its cause with it.
    pub by_age: bool,
    /// In words.
    pub text: String,
}

/// Of the first death of each instance; `None` of too few, or whose start is not known.
#[must_use]
pub fn spread(lives: &[&Life<'_>]) -> Option<Spread> {
    let mut first: std::collections::BTreeMap<&str, (UnixMs, UnixMs)> = std::collections::BTreeMap::new();
    for (i, l) in lives.iter().enumerate() {
        let Some(at) = l.killed().filter(|_| l.of.started_unix_ms > 0) else { continue };
        let name = if l.of.instance.is_empty() {
            lives.get(i).map_or("", |l| l.of.container.as_str())
        } else {
            &l.of.instance
        };
        let known = first.entry(name).or_insert((l.of.started_unix_ms, at));
        if at < known.1 {
            *known = (l.of.started_unix_ms, at);
        }
    }
    if first.len() < LEAST {
        return None;
    }
    let base = first.values().map(|f| f.0).min()?;
    let of = |t: UnixMs| t.saturating_sub(base) as f64 / 1e3;
    let deaths: Vec<f64> = first.values().map(|f| of(f.1)).collect();
    let ages: Vec<f64> = first.values().map(|f| f.1.saturating_sub(f.0) as f64 / 1e3).collect();
    let width = |v: &[f64]| Some(quantile(v, 0.95)? - quantile(v, 0.05)?);
    let (over_seconds, ages_over_seconds) = (width(&deaths)?, width(&ages)?);
    let pairs: Vec<(f64, f64)> = first.values().map(|f| (of(f.0), of(f.1))).collect();
    let start_and_death = spearman(&pairs);
    let age = median(&ages)?;
    let common = over_seconds < ages_over_seconds / 5.0 && over_seconds < age / 5.0;
    // Each at its own age: ages lie close together, deaths as far apart as the starts did.
    let close = deviation(&ages)? < age * 0.35;
    let follows = start_and_death.is_some_and(|(rho, p)| rho > 0.6 && p < 0.05);
    // Those that were started together die together of whatever it is.
    let starts = width(&pairs.iter().map(|p| p.0).collect::<Vec<_>>())?;
    let apart = starts > age / 10.0 && starts > 2.0 * ages_over_seconds;
    let by_age = !common && close && follows && apart;
    let says = if common {
        "all at once whatever their age: a common cause from outside, no leak"
    } else if by_age {
        "each at about the same age: what kills grows in each of them from its start"
    } else {
        "neither at once nor by age"
    };
    let text = format!(
        "{} first deaths within {}, at ages that differ by {}: {says}",
        first.len(),
        seconds(over_seconds),
        seconds(ages_over_seconds)
    );
    Some(Spread { deaths: first.len() as u64, over_seconds, ages_over_seconds, start_and_death, common, by_age, text })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::{Ending, Generation};

    fn lives(times: &[(i64, i64)]) -> Vec<Life<'static>> {
        let life = |(i, (from, to)): (usize, &(i64, i64))| Life {
            of: Generation {
                instance: format!("i{i}"),
                started_unix_ms: *from * 1000,
                ended_unix_ms: Some(*to * 1000),
                ending: Ending::OomKill,
                ..Generation::default()
            },
            captures: Vec::new(),
        };
        times.iter().enumerate().map(life).collect()
    }

    fn of(times: &[(i64, i64)]) -> Option<Spread> {
        let lives = lives(times);
        spread(&lives.iter().collect::<Vec<_>>())
    }

    #[test]
    fn at_once_whatever_their_age() {
        let times: Vec<(i64, i64)> = (1..=20).map(|i| (i * 977, 40_000 + (i * 13) % 41)).collect();
        let s = of(&times).unwrap();
        assert!(s.common && !s.by_age && s.text.contains("common cause"), "{s:?}");
    }

    #[test]
    fn each_at_its_own_age() {
        let times: Vec<(i64, i64)> = (1..=20).map(|i| (i * 900, i * 900 + 7200 + (i * 131) % 400)).collect();
        let s = of(&times).unwrap();
        assert!(s.by_age && !s.common, "{s:?}");
    }

    #[test]
    fn started_together_says_nothing() {
        let times: Vec<(i64, i64)> = (1..=20).map(|i| (100 + i, 7200 + i * 3)).collect();
        let s = of(&times).unwrap();
        assert!(!s.common && !s.by_age, "{s:?}");
        assert_eq!(of(&times[..3]), None);
    }
}
