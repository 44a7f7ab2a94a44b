//! Who died and who did not, label by label: does the version, the data centre, the node tell them apart? And
//! what the spread of the times of death says.

mod spread;

pub use spread::{Spread, spread};

use std::collections::BTreeMap;

use lastgasp_diagnosis::units::count;

use crate::evidence::{Generation, UnixMs};
use crate::life::Life;
use crate::statistics::cosine::cosine;
use crate::statistics::fisher::two_sided;
use crate::statistics::survival::{HazardRatio, Life as Observed, Step, curve, hazard_ratio, log_rank};

/// Chance below which a difference is one.
const SURE: f64 = 0.01;
/// Groups of a label that are compared at most; a label with more values than that tells instances apart, not
/// causes.
const MAX_GROUPS: usize = 12;
/// An interval of the hazard ratio within these says: no difference that would matter.
const ALIKE: (f64, f64) = (0.5, 2.0);

/// What a label says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Says {
    /// It tells who dies.
    Discriminates,
    /// It does not: groups die alike.
    DoesNot,
    /// All have the same value: nothing can be said by it.
    Shared,
    /// There are too few to say.
    Undecided,
}

impl Says {
    /// As in JSON.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Discriminates => "discriminates",
            Self::DoesNot => "does not discriminate",
            Self::Shared => "shared by all",
            Self::Undecided => "undecided",
        }
    }
}

/// A group of a label.
#[derive(Clone, Debug, PartialEq)]
pub struct Cohort {
    /// Value of the label.
    pub value: String,
    /// Lives at risk in the incident.
    pub lives: u64,
    /// Of them killed; where nobody was, those whose memory climbs.
    pub killed: u64,
    /// Curve of survivors, in seconds since the incident began.
    pub curve: Vec<Step>,
}

/// A label with its groups.
#[derive(Clone, Debug, PartialEq)]
pub struct Label {
    /// `version`, `data centre`, `node`, ...
    pub name: String,
    /// Groups, the largest first.
    pub cohorts: Vec<Cohort>,
    /// What it says.
    pub says: Says,
    /// Chance of the difference: Fisher's of small groups, the log-rank test's else.
    pub p: Option<f64>,
    /// Which test that was.
    pub test: &'static str,
    /// Hazard of the first group against the second, of two.
    pub hazard: Option<HazardRatio>,
    /// Least likeness of the groups' allocation vectors, where captures of both are there.
    pub likeness: Option<f64>,
    /// In words.
    pub text: String,
    /// The value whose instances die where others do not; empty where none.
    pub culprit: String,
}

/// The labels that are tried.
fn labels_of(g: &Generation) -> Vec<(String, String)> {
    let mut out: Vec<(&str, String)> = vec![
        ("version", version(g)),
        ("data centre", g.place.data_centre.clone()),
        ("node", g.place.node.clone()),
        ("image", g.place.image.clone()),
        ("kernel", g.place.kernel.clone()),
        ("Go version", g.build.go_version.clone()),
        ("limit", g.limit_bytes.map_or_else(String::new, lastgasp_diagnosis::units::bytes)),
        ("GOGC", g.gogc.map_or_else(String::new, |n| if n < 0 { "off".to_owned() } else { n.to_string() })),
        ("GOMEMLIMIT", g.gomemlimit.map_or_else(String::new, lastgasp_diagnosis::units::bytes)),
    ];
    out.extend(g.labels.iter().map(|(k, v)| (k.as_str(), v.clone())));
    out.into_iter().filter(|(_, v)| !v.is_empty()).map(|(k, v)| (k.to_owned(), v)).collect()
}

/// What tells versions apart: the release's version, else the commit in twelve digits, else the build id.
#[must_use]
pub fn version(g: &Generation) -> String {
    let label = g.build.label();
    label.chars().take(if label.len() == 40 { 12 } else { 40 }).collect()
}

/// Compares groups of all lives that were at risk from `from` to `to`. Ages are told apart too: those that
/// had run for less than the middle of all, and the others.
#[must_use]
pub fn labels(lives: &[&Life<'_>], from: UnixMs, to: UnixMs) -> Vec<Label> {
    let at_risk: Vec<&Life<'_>> = lives.iter().copied().filter(|l| is_at_risk(l, from, to)).collect();
    let fate = Fate::of(&at_risk, from, to);
    let mut values: BTreeMap<String, Vec<(usize, String)>> = BTreeMap::new();
    for (i, life) in at_risk.iter().enumerate() {
        for (label, value) in labels_of(&life.of) {
            values.entry(label).or_default().push((i, value));
        }
    }
    let order = ["version", "data centre", "node", "image", "kernel", "Go version", "limit", "GOGC", "GOMEMLIMIT"];
    let rank = |name: &str| order.iter().position(|o| *o == name).unwrap_or(order.len());
    // What one value is known of and not of all is none that all share (seen from outside: a GOMEMLIMIT that
    // one of three had, "the same for all").
    values.retain(|_, of| of.len() == at_risk.len() || of.iter().any(|(_, v)| of.first().is_some_and(|(_, f)| f != v)));
    let mut out: Vec<Label> =
        values.into_iter().map(|(name, of)| label(&name, &of, &at_risk, fate, (from, to))).collect();
    out.sort_by(|a, b| rank(&a.name).cmp(&rank(&b.name)).then_with(|| a.name.cmp(&b.name)));
    out
}

/// What groups are compared by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    /// They were killed.
    Killed,
    /// Nobody was killed yet, and their memory climbs.
    Climbing,
}

impl Fate {
    fn of(lives: &[&Life<'_>], from: UnixMs, to: UnixMs) -> Self {
        let any = |fate: Self| lives.iter().any(|l| fate.at(l, from, to).is_some());
        if !any(Self::Killed) && any(Self::Climbing) { Self::Climbing } else { Self::Killed }
    }

    /// When it met a life within this time.
    fn at(self, life: &Life<'_>, from: UnixMs, to: UnixMs) -> Option<UnixMs> {
        let at = match self {
            Self::Killed => life.killed()?,
            Self::Climbing => life.climb()?.seen_unix_ms,
        };
        (at >= from && at <= to.saturating_add(1)).then_some(at)
    }

    /// In words: of so many, and of who.
    fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::Killed => ("killed", "who dies"),
            Self::Climbing => ("climb", "whose memory climbs"),
        }
    }
}

/// Who lived at any moment of it.
fn is_at_risk(life: &Life<'_>, from: UnixMs, to: UnixMs) -> bool {
    let begin = begin_of(life);
    begin <= to && life.of.ended_unix_ms.is_none_or(|e| e >= from)
}

fn begin_of(life: &Life<'_>) -> UnixMs {
    if life.of.started_unix_ms > 0 { life.of.started_unix_ms } else { life.of.first_seen_unix_ms }
}

fn label(name: &str, of: &[(usize, String)], lives: &[&Life<'_>], fate: Fate, (from, to): (UnixMs, UnixMs)) -> Label {
    let mut groups: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (i, value) in of {
        groups.entry(value).or_default().push(*i);
    }
    let mut groups: Vec<(&str, Vec<usize>)> = groups.into_iter().collect();
    groups.sort_by(|a, b| b.1.len().cmp(&a.1.len()).then_with(|| a.0.cmp(b.0)));
    let all = groups.len();
    let too_many = all > MAX_GROUPS;
    groups.truncate(MAX_GROUPS);
    let observed: Vec<Observed> = groups
        .iter()
        .enumerate()
        .flat_map(|(g, (_, members))| {
            members.iter().filter_map(move |i| lives.get(*i).map(|l| observe(l, g, fate, from, to)))
        })
        .collect();
    let cohorts: Vec<Cohort> = groups
        .iter()
        .enumerate()
        .map(|(g, (value, members))| Cohort {
            value: (*value).to_owned(),
            lives: members.len() as u64,
            killed: observed.iter().filter(|o| o.group == g && o.died).count() as u64,
            curve: curve(&observed, g),
        })
        .collect();
    let hazard = if cohorts.len() == 2 { hazard_ratio(&observed) } else { None };
    let likeness = likeness(&groups, lives);
    let (says, p, test, culprit) = decide(&cohorts, &observed, hazard, too_many);
    let text = words(name, &cohorts, fate, says, p, test, hazard, likeness, all);
    Label { name: name.to_owned(), cohorts, says, p, test, hazard, likeness, text, culprit }
}

/// A life on the incident's clock, in seconds.
fn observe(life: &Life<'_>, group: usize, fate: Fate, from: UnixMs, to: UnixMs) -> Observed {
    let seconds = |t: UnixMs| t.saturating_sub(from) as f64 / 1e3;
    let killed = fate.at(life, from, to);
    // Who ended otherwise was at risk until then.
    let until = killed.or(life.of.ended_unix_ms).unwrap_or(to).min(to.max(from));
    Observed { from: seconds(begin_of(life).max(from)), to: seconds(until).max(0.0), died: killed.is_some(), group }
}

fn decide(
    cohorts: &[Cohort],
    observed: &[Observed],
    hazard: Option<HazardRatio>,
    too_many: bool,
) -> (Says, Option<f64>, &'static str, String) {
    if cohorts.len() < 2 {
        return (Says::Shared, None, "", String::new());
    }
    if too_many {
        return (Says::Undecided, None, "", String::new());
    }
    let killed: u64 = cohorts.iter().map(|c| c.killed).sum();
    let survived = |c: &Cohort| c.lives.saturating_sub(c.killed);
    // One group against all others: the one whose share of deaths is the farthest from the others'.
    let against = |c: &Cohort| {
        let (k, s) = (killed - c.killed, cohorts.iter().map(survived).sum::<u64>() - survived(c));
        two_sided(c.killed, survived(c), k, s)
    };
    let share = |c: &Cohort| c.killed as f64 / c.lives.max(1) as f64;
    let least = cohorts.iter().map(|c| (against(c), c)).min_by(|a, b| a.0.total_cmp(&b.0));
    // As many tests as groups were made: the chance is that of the least of them.
    let fisher = least.map(|(p, _)| if cohorts.len() == 2 { p } else { (p * cohorts.len() as f64).min(1.0) });
    let rank = log_rank(observed, cohorts.len());
    let few = cohorts.iter().any(|c| c.lives < 10);
    let (p, test) = match (&rank, fisher) {
        (Some(r), Some(f)) if !few => (Some(r.p.min(1.0)).map(|p| p.max(f.min(p))), "log-rank"),
        (_, f) => (f, "Fisher's exact"),
    };
    let all_died = cohorts.iter().all(|c| c.lives > 0 && survived(c) == 0);
    let sure = p.is_some_and(|p| p < SURE);
    // Where all of all groups died only their times could tell, and a few seconds are no cause.
    if sure && !all_died && fisher.is_some_and(|f| f < 0.05) {
        let most = cohorts.iter().max_by(|a, b| share(a).total_cmp(&share(b)));
        return (Says::Discriminates, p, test, most.map(|c| c.value.clone()).unwrap_or_default());
    }
    let narrow = hazard.is_some_and(|h| h.low > ALIKE.0 && h.high < ALIKE.1);
    // Concluded as early as the numbers allow: each group has lost some, in parts that are alike; or the
    // interval of the hazard ratio lies within a factor of two.
    let each_died = cohorts.iter().all(|c| c.killed > 0);
    let shares: Vec<f64> = cohorts.iter().map(share).collect();
    let spread = shares.iter().fold(0.0_f64, |m, s| m.max(*s)) - shares.iter().fold(1.0_f64, |m, s| m.min(*s));
    if narrow || (all_died && each_died) || (each_died && spread < 0.25 && killed >= 6) {
        return (Says::DoesNot, p, test, String::new());
    }
    // Two of each and no death in one of them says little; one group of which most died proves nothing while
    // the other has been there for a moment only.
    (Says::Undecided, p, test, String::new())
}

/// The least likeness between what grew in the first group's captures and in each other group's.
fn likeness(groups: &[(&str, Vec<usize>)], lives: &[&Life<'_>]) -> Option<f64> {
    let vector = |members: &[usize]| {
        let mut sums: BTreeMap<&str, u64> = BTreeMap::new();
        for c in members.iter().filter_map(|i| lives.get(*i)?.best()) {
            for part in &c.growth.parts {
                let sum = sums.entry(part.function.as_str()).or_default();
                *sum = sum.saturating_add(part.bytes);
            }
        }
        sums
    };
    let all: Vec<BTreeMap<&str, u64>> = groups.iter().map(|(_, m)| vector(m)).collect();
    let (first, others) = all.split_first()?;
    let each =
        others.iter().filter_map(|o| cosine(first.iter().map(|(k, v)| (*k, *v)), o.iter().map(|(k, v)| (*k, *v))));
    each.reduce(f64::min)
}

#[allow(clippy::too_many_arguments)] // All that a sentence is made of.
fn words(
    name: &str,
    cohorts: &[Cohort],
    fate: Fate,
    says: Says,
    p: Option<f64>,
    test: &str,
    hazard: Option<HazardRatio>,
    likeness: Option<f64>,
    all: usize,
) -> String {
    let (met, who) = fate.words();
    let shown = cohorts.iter().take(4).map(|c| format!("{}: {} of {} {met}", c.value, count(c.killed), count(c.lives)));
    let mut out = shown.collect::<Vec<_>>().join(", ");
    if all > 4 {
        out.push_str(&format!(", and {} more values", all - 4));
    }
    if let Some(h) = hazard {
        out.push_str(&format!("; hazard ratio {:.2} [{:.2}-{:.2}]", h.ratio, h.low, h.high));
    }
    if let Some(p) = p.filter(|_| !test.is_empty()) {
        out.push_str(&format!("; {test} test p = {}", chance(p)));
    }
    if let Some(l) = likeness {
        out.push_str(&format!("; likeness of what grew {l:.3}"));
    }
    let end = match says {
        Says::Discriminates => format!(" -> the {name} tells {who}"),
        Says::DoesNot => format!(" -> the {name} does not discriminate"),
        Says::Shared => format!(" -> all have the same {name}: nothing follows from it"),
        Says::Undecided => format!(" -> too early to say whether the {name} matters"),
    };
    out + &end
}

/// A probability for people.
#[must_use]
pub fn chance(p: f64) -> String {
    match p {
        p if p >= 0.095 => format!("{p:.2}"),
        p if p >= 0.001 => format!("{p:.3}"),
        p if p >= 1e-12 => format!("{p:.0e}"),
        _ => "0.000...".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::{Build, Ending};

    fn lives(groups: &[(&str, u64, u64)]) -> Vec<Life<'static>> {
        let mut out = Vec::new();
        for (version, killed, alive) in groups {
            for i in 0..killed + alive {
                let end = (i < *killed).then(|| 100_000 + (out.len() as i64 * 7919) % 41_000);
                out.push(Life {
                    of: Generation {
                        service: "svc".into(),
                        instance: format!("{version}-{i}"),
                        started_unix_ms: 1000,
                        ended_unix_ms: end,
                        ending: if end.is_some() { Ending::OomKill } else { Ending::Running },
                        build: Build { version: (*version).into(), ..Build::default() },
                        ..Generation::default()
                    },
                    captures: Vec::new(),
                });
            }
        }
        out
    }

    fn version_says(groups: &[(&str, u64, u64)]) -> Label {
        let lives = lives(groups);
        let lives: Vec<&Life<'_>> = lives.iter().collect();
        labels(&lives, 100_000, 145_000).into_iter().find(|l| l.name == "version").unwrap()
    }

    #[test]
    fn old_eight_of_eight_and_new_all_of_theirs() {
        let got = version_says(&[("v1.41", 8, 0), ("v1.42", 304, 0)]);
        assert_eq!(got.says, Says::DoesNot, "{got:?}");
        assert!(
            got.text.contains("v1.42: 304 of 304 killed") && got.text.contains("v1.41: 8 of 8 killed"),
            "{}",
            got.text
        );
        assert!(got.text.ends_with("the version does not discriminate"));
    }

    #[test]
    fn only_the_new_version_dies() {
        let got = version_says(&[("v1.41", 0, 30), ("v1.42", 10, 0)]);
        assert_eq!((got.says, got.culprit.as_str()), (Says::Discriminates, "v1.42"));
        assert!(got.p.unwrap() < 1e-6);
    }

    #[test]
    fn what_is_known_of_one_alone_is_not_shared() {
        let mut lives = lives(&[("v1.41", 3, 0)]);
        let shared = |lives: &[Life<'_>]| {
            let lives: Vec<&Life<'_>> = lives.iter().collect();
            labels(&lives, 100_000, 145_000).iter().any(|l| l.name == "GOMEMLIMIT")
        };
        lives[0].of.gomemlimit = Some(189_000_000);
        assert!(!shared(&lives));
        lives.iter_mut().for_each(|l| l.of.gomemlimit = Some(189_000_000));
        assert!(shared(&lives));
    }

    #[test]
    fn where_nobody_has_died_it_is_told_whose_memory_climbs() {
        let mut lives = lives(&[("v1.41", 0, 12), ("v1.42", 0, 6)]);
        for l in lives.iter_mut().filter(|l| l.of.build.version == "v1.42") {
            l.of.climb = Some(crate::evidence::Climb { seen_unix_ms: 140_000, ..Default::default() });
        }
        let of = |lives: &[Life<'_>]| {
            let lives: Vec<&Life<'_>> = lives.iter().collect();
            labels(&lives, 100_000, 145_000).into_iter().find(|l| l.name == "version").unwrap()
        };
        let got = of(&lives);
        assert_eq!((got.says, got.culprit.as_str()), (Says::Discriminates, "v1.42"));
        assert!(got.text.contains("v1.42: 6 of 6 climb") && got.text.ends_with("tells whose memory climbs"), "{got:?}");
        // As soon as one is killed that counts.
        (lives[0].of.ended_unix_ms, lives[0].of.ending) = (Some(120_000), Ending::OomKill);
        assert!(of(&lives).text.contains("v1.42: 0 of 6 killed"));
    }

    #[test]
    fn few_say_nothing_and_one_value_says_less() {
        assert_eq!(version_says(&[("a", 1, 0), ("b", 0, 1)]).says, Says::Undecided);
        assert_eq!(version_says(&[("a", 5, 5)]).says, Says::Shared);
        let many: Vec<(String, u64, u64)> = (0..40).map(|i| (format!("n{i}"), 1, 0)).collect();
        let many: Vec<(&str, u64, u64)> = many.iter().map(|(n, k, a)| (n.as_str(), *k, *a)).collect();
        assert_eq!(version_says(&many).says, Says::Undecided);
    }

    #[test]
    fn as_early_as_the_numbers_allow() {
        // Two of two old ones and four of six new ones.
        assert_eq!(version_says(&[("old", 2, 0), ("new", 5, 1)]).says, Says::DoesNot);
        // A new version of which some died while none of twelve old ones did.
        assert_eq!(version_says(&[("old", 0, 12), ("new", 6, 2)]).says, Says::Discriminates);
    }
}
