//! Who died when: the curve of survivors (Kaplan, Meier 1958), the log-rank test (Mantel 1966), and the hazard
//! ratio with its interval (Peto's one-step estimate). Lives may begin late: who starts after others have died
//! is not at risk before.

use super::normal::chi_squared_tail;

/// A life on one clock.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Life {
    /// When it came under observation.
    pub from: f64,
    /// When it died, or was last seen.
    pub to: f64,
    /// Whether it died.
    pub died: bool,
    /// Index of its group.
    pub group: usize,
}

/// A step of a curve of survivors.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Step {
    /// When.
    pub at: f64,
    /// At risk just before.
    pub at_risk: u64,
    /// Died then.
    pub died: u64,
    /// Part that survives from then on, 0 to 1.
    pub survivors: f64,
    /// Standard error of it (Greenwood).
    pub error: f64,
}

/// Curve of survivors of a group: a step for each time of death.
#[must_use]
pub fn curve(lives: &[Life], group: usize) -> Vec<Step> {
    let (mut survivors, mut variance) = (1.0, 0.0);
    let mut out = Vec::new();
    for (at, counts) in table(lives, group + 1) {
        let Some(&(at_risk, died)) = counts.get(group).filter(|c| c.1 > 0 && c.0 > 0) else { continue };
        let (n, d) = (at_risk as f64, died as f64);
        survivors *= 1.0 - d / n;
        variance += if n > d { d / (n * (n - d)) } else { 0.0 };
        out.push(Step { at, at_risk, died, survivors, error: survivors * f64::sqrt(variance) });
    }
    out
}

/// Times of death, each with how many of each group were at risk and died.
fn table(lives: &[Life], groups: usize) -> Vec<(f64, Vec<(u64, u64)>)> {
    let usable = |l: &&Life| l.from.is_finite() && l.to.is_finite() && l.to >= l.from && l.group < groups;
    let lives: Vec<&Life> = lives.iter().filter(usable).collect();
    // Begins, ends and deaths in order of time: one walk, whatever their number. Of those that begin together
    // whoever ends first comes first.
    let (mut begins, mut ends) = (lives.clone(), lives);
    begins.sort_by(|a, b| a.from.total_cmp(&b.from).then(a.to.total_cmp(&b.to)));
    ends.sort_by(|a, b| a.to.total_cmp(&b.to));
    let (mut begun, mut ended) = (begins.iter().peekable(), ends.iter().peekable());
    let mut alive = vec![0_u64; groups];
    let mut out: Vec<(f64, Vec<(u64, u64)>)> = Vec::new();
    let add = |alive: &mut Vec<u64>, group: usize, by: i64| {
        if let Some(n) = alive.get_mut(group) {
            *n = n.saturating_add_signed(by);
        }
    };
    while let Some(next) = ended.peek() {
        let at = next.to;
        // Who begins in the very moment of a death is not at risk of it, unless it is his own.
        while let Some(b) = begun.next_if(|b| b.from < at || b.to <= at) {
            add(&mut alive, b.group, 1);
        }
        let mut counts: Vec<(u64, u64)> = alive.iter().map(|n| (*n, 0)).collect();
        let mut any = false;
        while let Some(e) = ended.next_if(|e| e.to <= at) {
            if e.died {
                any = true;
                if let Some(c) = counts.get_mut(e.group) {
                    c.1 += 1;
                }
            }
            add(&mut alive, e.group, -1);
        }
        if any {
            out.push((at, counts));
        }
    }
    out
}

/// What the log-rank test says.
#[derive(Clone, Debug, PartialEq)]
pub struct LogRank {
    /// Chi-squared.
    pub chi_squared: f64,
    /// How likely one as large is by chance.
    pub p: f64,
    /// Deaths of each group.
    pub observed: Vec<u64>,
    /// Deaths that each would have had, were all alike.
    pub expected: Vec<f64>,
}

/// Hazard ratio with its interval of 95 %.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct HazardRatio {
    /// Of the first group against the second.
    pub ratio: f64,
    /// Low end.
    pub low: f64,
    /// High end.
    pub high: f64,
}

/// Whether two groups or more die alike; `None` of fewer groups, or without deaths to compare. Of more than
/// two groups the conservative sum of `(O - E)^2 / E` is taken, which is never more than the exact one.
#[must_use]
pub fn log_rank(lives: &[Life], groups: usize) -> Option<LogRank> {
    let (mut observed, mut expected, mut variance) = (vec![0_u64; groups], vec![0.0; groups], 0.0);
    for (_, counts) in table(lives, groups) {
        let (n, d) = counts.iter().fold((0, 0), |(n, d), c| (n + c.0, d + c.1));
        let (n, d) = (n as f64, d as f64);
        if n < 2.0 {
            continue;
        }
        for ((o, e), (risk, died)) in observed.iter_mut().zip(&mut expected).zip(&counts) {
            *o += died;
            *e += d * *risk as f64 / n;
        }
        let first = counts.first().map_or(0.0, |c| c.0 as f64);
        variance += d * (first / n) * (1.0 - first / n) * (n - d) / (n - 1.0);
    }
    let told = observed.iter().sum::<u64>();
    if groups < 2 || told == 0 || expected.iter().filter(|e| **e > 0.0).count() < 2 {
        return None;
    }
    let off = observed.first().map_or(0.0, |o| *o as f64) - expected.first().copied().unwrap_or(0.0);
    let chi_squared = match groups {
        // All died in one moment: nothing tells them apart.
        2 if variance <= 0.0 => 0.0,
        2 => off * off / variance,
        _ => observed.iter().zip(&expected).filter(|(_, e)| **e > 0.0).map(|(o, e)| (*o as f64 - e).powi(2) / e).sum(),
    };
    let p = chi_squared_tail(chi_squared, u32::try_from(groups - 1).unwrap_or(u32::MAX));
    Some(LogRank { chi_squared, p, observed, expected })
}

/// Hazard of group 0 against group 1; `None` where they were never at risk together, or nobody died.
#[must_use]
pub fn hazard_ratio(lives: &[Life]) -> Option<HazardRatio> {
    let (mut off, mut variance) = (0.0, 0.0);
    for (_, counts) in table(lives, 2) {
        let [(n0, d0), (n1, d1)] = counts.as_slice() else { continue };
        let (n, d) = ((n0 + n1) as f64, (d0 + d1) as f64);
        if n < 2.0 {
            continue;
        }
        let part = *n0 as f64 / n;
        off += *d0 as f64 - d * part;
        variance += d * part * (1.0 - part) * (n - d) / (n - 1.0);
    }
    if variance <= 0.0 {
        return None;
    }
    let (middle, error) = (off / variance, 1.96 / f64::sqrt(variance));
    Some(HazardRatio { ratio: middle.exp(), low: (middle - error).exp(), high: (middle + error).exp() })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Weeks to the return of leukaemia with 6-MP (group 0; those without the end censored) and with placebo
    /// (Freireich 1963, the data of Cox 1972 and of every textbook): chi-squared 16.79.
    fn leukaemia() -> Vec<Life> {
        let drug = [
            (6, true),
            (6, true),
            (6, true),
            (6, false),
            (7, true),
            (9, false),
            (10, true),
            (10, false),
            (11, false),
            (13, true),
            (16, true),
            (17, false),
            (19, false),
            (20, false),
            (22, true),
            (23, true),
            (25, false),
            (32, false),
            (32, false),
            (34, false),
            (35, false),
        ];
        let placebo = [1, 1, 2, 2, 3, 4, 4, 5, 5, 8, 8, 8, 8, 11, 11, 12, 12, 15, 17, 22, 23];
        let life = |to: i32, died, group| Life { from: 0.0, to: f64::from(to), died, group };
        drug.into_iter().map(|(t, d)| life(t, d, 0)).chain(placebo.into_iter().map(|t| life(t, true, 1))).collect()
    }

    #[test]
    fn the_textbooks_trial() {
        let lives = leukaemia();
        let test = log_rank(&lives, 2).unwrap();
        assert!((test.chi_squared - 16.79).abs() < 0.01, "{test:?}");
        assert_eq!(test.observed, [9, 21]);
        assert!((test.expected[0] - 19.25).abs() < 0.01 && (test.expected[1] - 10.75).abs() < 0.01);
        let steps = curve(&lives, 0);
        let at = |week: f64| steps.iter().find(|s| s.at == week).unwrap();
        assert_eq!((at(6.0).at_risk, at(6.0).died), (21, 3));
        assert!((at(6.0).survivors - 0.857).abs() < 1e-3 && (at(6.0).error - 0.0764).abs() < 1e-3);
        assert!((at(23.0).survivors - 0.448).abs() < 1e-3 && (at(23.0).error - 0.1346).abs() < 1e-3);
        let hazard = hazard_ratio(&lives).unwrap();
        assert!(hazard.ratio < 0.3 && hazard.high < 0.5, "{hazard:?}");
    }

    /// Old 8 of 8 and new 304 of 304, all within 41 s: the version does not discriminate.
    #[test]
    fn all_of_both_died() {
        let lives: Vec<Life> = (0..312)
            .map(|i| Life {
                from: 0.0,
                to: f64::from((i * 37) % 312) / 312.0 * 41.0,
                died: true,
                group: usize::from(i >= 8),
            })
            .collect();
        let (test, hazard) = (log_rank(&lives, 2).unwrap(), hazard_ratio(&lives).unwrap());
        assert!(test.p > 0.2 && hazard.low < 1.0 && hazard.high > 1.0, "{test:?} {hazard:?}");
    }

    /// Who starts late is not at risk of what was before.
    #[test]
    fn late_starters() {
        let life = |from, to, group| Life { from, to, died: true, group };
        let lives = [life(0.0, 5.0, 0), life(0.0, 6.0, 0), life(10.0, 12.0, 1), life(10.0, 13.0, 1)];
        assert_eq!(curve(&lives, 1).iter().map(|s| s.at_risk).collect::<Vec<_>>(), [2, 1]);
        assert_eq!(curve(&lives, 0).iter().map(|s| s.at_risk).collect::<Vec<_>>(), [2, 1]);
        assert_eq!(hazard_ratio(&lives), None, "never at risk together");
    }

    #[test]
    fn odd_lives() {
        let odd = [
            Life { from: f64::NAN, to: 1.0, died: true, group: 0 },
            Life { from: 3.0, to: 1.0, died: true, group: 0 },
            Life { from: 0.0, to: 1.0, died: true, group: 9 },
            Life { from: 2.0, to: 2.0, died: true, group: 0 },
        ];
        assert_eq!(curve(&odd, 0).len(), 1);
        assert_eq!((log_rank(&odd, 2), log_rank(&[], 2), hazard_ratio(&[])), (None, None, None));
    }

    proptest::proptest! {
        /// Curves fall, from 1 to no less than 0, and a test against oneself finds nothing.
        #[test]
        fn curves_fall(lives in proptest::collection::vec((0_u32..50, 0_u32..50, proptest::bool::ANY), 1..60)) {
            let one = |group| lives.iter().map(move |(from, long, died)| Life {
                from: f64::from(*from), to: f64::from(from + long), died: *died, group,
            });
            let both: Vec<Life> = one(0).chain(one(1)).collect();
            let steps = curve(&both, 0);
            proptest::prop_assert!(steps.iter().all(|s| (0.0..=1.0).contains(&s.survivors) && s.died <= s.at_risk));
            proptest::prop_assert!(steps.windows(2).all(|w| w[0].survivors >= w[1].survivors && w[0].at < w[1].at));
            proptest::prop_assert_eq!(&steps, &curve(&both, 1));
            if let Some(test) = log_rank(&both, 2) {
                proptest::prop_assert!(test.p > 0.99);
            }
        }
    }
}
