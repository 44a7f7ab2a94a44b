//! Which came first: the onset of each series against that of memory, process by process and never over two
//! generations, with the sign test over instances; and the loop that keeps an incident going.

mod sustained;

pub use sustained::{Loop, sustained};

use crate::evidence::{Between, MetricRole, UnixMs};
use crate::jump::Jump;
use crate::life::Life;
use crate::series::shift::{Course, LEAST_PART, Shift, course};
use crate::series::traffic::Traffic;
use crate::statistics::robust::quantile;
use crate::statistics::sign_test::at_least;

/// Onsets nearer to each other than this are not told apart: samples are that far from each other.
pub const SAME_MS: i64 = 500;

/// What the order says of a series.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Relation {
    /// Memory's own onset: what the others are measured from.
    Reference,
    /// It came first: it may be the cause.
    Before,
    /// It came after: a consequence, or a loop that sustains.
    After,
    /// Too near to tell.
    Together,
    /// It did not change.
    Steady,
    /// It is not known.
    Unknown,
}

impl Relation {
    /// Whether it rose before memory, or too near to it to tell: then it may be the trigger.
    #[must_use]
    pub fn may_be_first(self) -> bool {
        matches!(self, Self::Before | Self::Together)
    }

    /// As in JSON.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Reference => "reference",
            Self::Before => "before memory",
            Self::After => "after memory",
            Self::Together => "together with memory",
            Self::Steady => "no change",
            Self::Unknown => "unknown",
        }
    }
}

/// The onset of one series.
#[derive(Clone, Debug, PartialEq)]
pub struct Onset {
    /// `memory`, `census`, `goroutines`, `first attempts`, `retries`, `errors`, `timeouts`, `latency of X`.
    pub series: String,
    /// When it began, in the first instance that has it.
    pub at: Option<UnixMs>,
    /// Milliseconds from memory's onset to its own, the middle of all instances; negative: it came first.
    pub lag_ms: Option<i64>,
    /// The same of the 10th and the 90th percentile.
    pub lag_between_ms: Option<(i64, i64)>,
    /// Instances in which it came as `relation` says.
    pub agree: u64,
    /// Instances in which both onsets are known.
    pub of: u64,
    /// How likely so many would agree by chance (sign test); absent of fewer than two.
    pub p: Option<f64>,
    /// What it says.
    pub relation: Relation,
    /// Level before and after, where it has one.
    pub levels: Option<(f64, f64)>,
    /// Milliseconds of which each of its values is the mean; 0: of a moment.
    pub window_ms: u64,
    /// Whether it rose in the very step of the first death: what was before that cannot be told.
    pub with_deaths: bool,
    /// In words.
    pub text: String,
}

impl Onset {
    /// Whether it is more than before, whenever that began.
    #[must_use]
    pub fn is_more(&self) -> bool {
        self.relation != Relation::Steady && self.levels.is_none_or(|(before, after)| after > before)
    }
}

/// Part of a rise that may be left when it is over.
const OVER: f64 = 0.3;
/// How long before the first kill series are looked at.
const BEFORE_MS: i64 = 3_600_000;
/// And after the last.
const AFTER_MS: i64 = 120_000;

/// The onsets of all series. `first` and `last` are the first and the last trouble.
#[must_use]
pub fn onsets(
    lives: &[&Life<'_>],
    jump: Option<&Jump<'_>>,
    traffic: &Traffic,
    first: UnixMs,
    last: UnixMs,
) -> Vec<Onset> {
    let memory: Vec<(usize, Between)> =
        lives.iter().enumerate().filter_map(|(i, l)| Some((i, l.memory_onset()?))).collect();
    let mut out = vec![reference(&memory, lives.len())];
    if let Some(j) = jump {
        out.push(of_jump(j, &memory));
    }
    out.push(goroutines(lives));
    let begin = Between::first(memory.iter().map(|m| m.1));
    let half = half_of_steady(lives);
    for total in &traffic.totals {
        let name = if total.is_dependency {
            format!("{} of {}", total.role.name(), total.service)
        } else {
            total.role.name().replace('-', " ")
        };
        // Of healthy instances and requests in flight nothing follows that these do not tell.
        if matches!(total.role, MetricRole::Healthy | MetricRole::Unknown(_)) {
            continue;
        }
        let course = course(&total.points, first.saturating_sub(BEFORE_MS), last.saturating_add(AFTER_MS));
        let grid = Grid {
            step: i64::try_from(total.step_ms).unwrap_or(0),
            window: i64::try_from(total.window_ms).unwrap_or(0),
        };
        // Whoever dies makes errors and has calls tried again, here and behind: what rises in the very step
        // of the first death may be all of that (seen in lab/cluster: deaths within a second of an export,
        // and the dependency whose callers had gone was named).
        let role = &total.role;
        let by_deaths = !matches!(role, MetricRole::FirstAttempts | MetricRole::InFlight | MetricRole::Latency);
        let of_asking = matches!(role, MetricRole::FirstAttempts | MetricRole::InFlight) && !total.is_dependency;
        let killed = lives.iter().filter_map(|l| l.killed()).min();
        let moments = Moments { begin, killed, by_deaths, of_asking, half };
        let onset = of_metric(&name, &course, moments, &memory, grid);
        let ended = total.points.last().map(|p| p.unix_ms).filter(|at| ends_before(*at, moments, grid));
        out.push(match ended {
            Some(at) if onset.relation == Relation::Steady => too_short(onset, at),
            _ => onset,
        });
    }
    out
}

fn reference(memory: &[(usize, Between)], lives: usize) -> Onset {
    let first = Between::first(memory.iter().map(|m| m.1)).map(Between::middle);
    let text = match first {
        Some(_) => format!("memory was at rest and began to grow in {} of {lives} processes", memory.len()),
        None => "no process was seen at rest before its memory grew: order cannot be told".to_owned(),
    };
    Onset {
        series: "memory".into(),
        at: first,
        lag_ms: first.map(|_| 0),
        lag_between_ms: None,
        agree: memory.len() as u64,
        of: lives as u64,
        p: None,
        relation: if first.is_some() { Relation::Reference } else { Relation::Unknown },
        levels: None,
        window_ms: 0,
        with_deaths: false,
        text,
    }
}

/// Lags in milliseconds to what they say: the relation that most have, how many do, and the chance of that.
fn relate(lags: &[(i64, i64)]) -> (Relation, u64, Option<f64>) {
    // Each lag with what it may be off by.
    let before = lags.iter().filter(|(lag, off)| *lag < -SAME_MS.max(*off)).count() as u64;
    let after = lags.iter().filter(|(lag, off)| *lag > SAME_MS.max(*off)).count() as u64;
    let of = before + after;
    let (relation, agree) = if of == 0 || of * 2 < lags.len() as u64 {
        (Relation::Together, lags.len() as u64 - of)
    } else if before > after {
        (Relation::Before, before)
    } else if after > before {
        (Relation::After, after)
    } else {
        (Relation::Together, 0)
    };
    let told = matches!(relation, Relation::Before | Relation::After);
    (relation, agree, (told && of >= 2).then(|| at_least(agree, of)))
}

fn between(lags: &[(i64, i64)]) -> (Option<i64>, Option<(i64, i64)>) {
    let values: Vec<f64> = lags.iter().map(|l| l.0 as f64).collect();
    let at = |q: f64| quantile(&values, q).map(|v| v.round() as i64);
    (at(0.5), at(0.1).zip(at(0.9)))
}

/// Milliseconds from memory's onset in each process to a moment, each with what it may be off by.
fn lags_from(memory: &[(usize, Between)], moment: UnixMs, off: i64) -> Vec<(i64, i64)> {
    memory.iter().map(|(_, at)| (moment.saturating_sub(at.middle()), off.saturating_add(at.off()))).collect()
}

fn of_jump(j: &Jump<'_>, memory: &[(usize, Between)]) -> Onset {
    // Between two looks; in the middle of them, where memory did not begin to grow in between: then what lies
    // between the look before and that is all that is known.
    let (from, to) = (j.earliest, j.latest);
    let begin = Between::first(memory.iter().map(|m| m.1)).map_or(to, |b| b.latest);
    let middle = from / 2 + if begin > from { to.min(begin) / 2 } else { to / 2 };
    let off = (to.saturating_sub(from)).max(0) / 2;
    let lags = lags_from(memory, middle, off);
    let lag_ms = between(&lags).0;
    let lag_between_ms = memory.first().map(|_| (from.saturating_sub(begin), to.saturating_sub(begin)));
    let sign = |n: u64, of: u64| (of >= 2).then(|| at_least(n, of));
    let (relation, agree, p) = match (j.of_known, j.before_memory, j.may_be_before) {
        (0, ..) => (Relation::Unknown, 0, None),
        (of, n, _) if n * 2 > of => (Relation::Before, n, sign(n, of)),
        // The looks are too far apart: it came with memory, as far as they can tell.
        (of, _, n) if n * 2 > of => (Relation::Together, n, None),
        (of, _, n) => (Relation::After, of - n, sign(of - n, of)),
    };
    let text = format!(
        "{} went from {} to {} elements in {} of {} heaps that were looked at",
        j.best.collection.owner,
        lastgasp_diagnosis::units::count(j.before),
        lastgasp_diagnosis::units::count(j.after),
        j.lives,
        j.of
    );
    Onset {
        series: "census".into(),
        at: Some(middle),
        lag_ms,
        lag_between_ms,
        agree,
        of: j.of_known,
        p,
        relation,
        levels: Some((j.before as f64, j.after as f64)),
        window_ms: 0,
        with_deaths: false,
        text,
    }
}

/// Goroutines of each process by itself: a spike of the process after it is none of this one's.
fn goroutines(lives: &[&Life<'_>]) -> Onset {
    let (mut lags, mut steady, mut counts, mut first) = (Vec::new(), 0_u64, Vec::new(), None::<UnixMs>);
    for life in lives {
        let Some(c) = life.best() else { continue };
        let g = &c.goroutines;
        if g.at_end == 0 {
            continue;
        }
        if let Some(before) = g.at_memory_onset {
            counts.push((before as f64, g.at_end as f64));
        }
        match (g.onset_unix_ms, life.memory_onset()) {
            (Some(at), Some(memory)) => {
                first = Some(first.map_or(at, |f| f.min(at)));
                // The capture's own order knows how much had grown by then: that decides where it does.
                // Both are dated to the last sample of before.
                let lag = at.saturating_sub(memory.earliest);
                lags.push((if g.is_consequence == Some(true) { lag.max(SAME_MS + 1) } else { lag }, 0));
            }
            (None, Some(_)) => steady += 1,
            _ => {}
        }
    }
    let at = |q: fn(&(f64, f64)) -> f64| quantile(&counts.iter().map(q).collect::<Vec<_>>(), 0.5);
    let levels = at(|c| c.0).zip(at(|c| c.1));
    let numbers = levels.map_or_else(String::new, |(a, b)| {
        format!(
            ": {} when memory began to grow, {} at the end (the middle of all)",
            lastgasp_diagnosis::units::count(a as u64),
            lastgasp_diagnosis::units::count(b as u64)
        )
    });
    let known = lags.len() as u64 + steady;
    let (relation, agree, p, text) = if known == 0 {
        (
            Relation::Unknown,
            0,
            None,
            format!("goroutines: of no process that was at rest before is their order known{numbers}"),
        )
    } else if steady > 0 && steady == lags.len() as u64 {
        // As many as did not: that speaks neither for nor against it (seen blind: two instances, one leak).
        (
            Relation::Unknown,
            0,
            None,
            format!("goroutines piled up in {steady} of {known} processes and in as many not{numbers}"),
        )
    } else if steady > lags.len() as u64 {
        // None of them piled up while it died: were the order a coin's, so many would be as unlikely as this.
        let p = (known >= 2).then(|| at_least(steady, known));
        (
            Relation::Steady,
            steady,
            p,
            format!("goroutines did not pile up in {steady} of {known} processes before they died{numbers}"),
        )
    } else {
        let (relation, agree, p) = relate(&lags);
        (relation, agree, p, format!("goroutines piled up in {} of {known} processes{numbers}", lags.len()))
    };
    let (lag_ms, lag_between_ms) = between(&lags);
    Onset {
        series: "goroutines".into(),
        at: first,
        lag_ms,
        lag_between_ms,
        agree,
        of: known,
        p,
        relation,
        levels,
        window_ms: 0,
        with_deaths: false,
        text,
    }
}

/// What a series of the whole service is held against.
#[derive(Clone, Copy, Debug)]
struct Moments {
    /// When memory first began to grow from rest.
    begin: Option<Between>,
    /// The first death.
    killed: Option<UnixMs>,
    /// Whether deaths themselves make the series rise.
    by_deaths: bool,
    /// Whether they cannot, whatever else they do: of requests that nobody had asked before, and of calls in
    /// flight, a death makes none.
    of_asking: bool,
    /// When half of the growth was there, if it was as fast before as after.
    half: Option<UnixMs>,
}

impl Moments {
    /// Whether a rise came when half of the growth was there, and made it no faster: whatever it is, it is
    /// no cause of it. (Seen blind in lab/cluster: a cache that grew for half a minute, and what a full
    /// process answers late, tried again three seconds before it died.)
    fn made_it_no_faster(self, at: UnixMs) -> bool {
        self.begin.is_none() && self.half.is_some_and(|half| at > half)
    }

    /// Whether a rise from one moment to the next one known came before the first death, though of nobody is
    /// known when its memory began to grow: a consequence of deaths it is not. (Seen in lab/cluster: a
    /// caller's timeout was cut, attempts rose from 24 to 456 a second while memory climbed, and nothing was
    /// concluded.) What deaths make more of must have come clearly before; of what they make no more any
    /// moment before is enough. (Seen in lab/cluster: twice the requests in a service without room, first
    /// attempts rose 0.9 s before the first death, and traffic was not named.)
    fn is_before_deaths(self, at: UnixMs, step: i64) -> bool {
        let margin = if self.of_asking { 0 } else { step.max(2 * SAME_MS) };
        self.begin.is_none() && self.killed.is_some_and(|k| at.saturating_add(margin) <= k)
    }
}

/// When half of the growth was there, in the first process of which that is known, where most grew as fast
/// before as after: whatever came then set nothing off. Of those that were at rest when it began the onset is
/// known, and says more.
fn half_of_steady(lives: &[&Life<'_>]) -> Option<UnixMs> {
    /// From here on it grew faster.
    const FASTER: f64 = 1.5;
    /// At its limit a process grows no more.
    const NEARLY_ALL: f64 = 0.95;
    /// Rates are seen to rise seconds late: of what took no longer their order says nothing.
    const LONG_MS: i64 = 15_000;
    let of = lives.iter().filter_map(|l| {
        let best = l.best()?;
        let (onset, half, end) = (best.window?.onset_unix_ms, best.grown_by(0.5)?, best.grown_by(NEARLY_ALL)?);
        let pace = |part: f64, from: UnixMs, to: UnixMs| part / to.saturating_sub(from).max(1) as f64;
        let is_long = end.saturating_sub(onset) >= LONG_MS;
        let is_steady = pace(NEARLY_ALL - 0.5, half, end) <= pace(0.5, onset, half) * FASTER;
        Some((half, is_long && is_steady))
    });
    let of: Vec<(UnixMs, bool)> = of.collect();
    let steady = of.iter().filter(|(_, is)| *is);
    (steady.clone().count() * 2 > of.len()).then(|| steady.map(|(half, _)| *half).min())?
}

/// How finely a series tells of time, in milliseconds.
#[derive(Clone, Copy, Debug)]
struct Grid {
    /// From point to point.
    step: i64,
    /// Of which each value is the mean; 0: of a moment.
    window: i64,
}

impl Grid {
    /// How much later than it began a rise may be seen. Of a mean over a window a part is enough to be told
    /// from the level before; and what is asked for a rate of so long reads its counters four times in it
    /// (Prometheus' own rule: a range is at least four scrapes).
    fn late(self, s: &Shift) -> i64 {
        let part = (LEAST_PART / (s.factor() - 1.0)).clamp(0.0, 1.0);
        let late = self.window as f64 * (0.25 + part);
        late.min(1e15) as i64
    }
}

/// Whether a series ends before it could show what made memory grow: a rate shows that by and by.
fn ends_before(last: UnixMs, moments: Moments, grid: Grid) -> bool {
    moments.begin.is_some_and(|b| last < b.latest.saturating_add(grid.window.max(grid.step) / 2))
}

/// What ended before, and had not changed till then, is not known to have stayed. (Seen in lab/cluster:
/// Prometheus broke a second after requests had tripled and before the first death, and it was told that
/// nobody had asked more often.)
fn too_short(onset: Onset, last: UnixMs) -> Onset {
    let text = format!("{}, until {}: what came as memory grew was not counted", onset.text, crate::clock::clock(last));
    Onset { relation: Relation::Unknown, levels: None, text, ..onset }
}

fn of_metric(name: &str, course: &Course, moments: Moments, memory: &[(usize, Between)], grid: Grid) -> Onset {
    let step = grid.step;
    let blank = Onset {
        series: name.to_owned(),
        at: None,
        lag_ms: None,
        lag_between_ms: None,
        agree: 0,
        of: 0,
        p: None,
        relation: Relation::Unknown,
        levels: None,
        window_ms: u64::try_from(grid.window).unwrap_or(0),
        with_deaths: false,
        text: String::new(),
    };
    match course {
        Course::Unknown => Onset { text: format!("{name}: too few points to tell"), ..blank },
        Course::Steady { level } => Onset {
            relation: Relation::Steady,
            levels: Some((*level, *level)),
            text: format!("{name}: no change point; about {level:.1} all along"),
            ..blank
        },
        Course::Changed(shifts) => {
            // What matters is the rise nearest to memory's onset, and of those before it the last.
            let begin = moments.begin;
            let died = moments.killed.filter(|_| moments.by_deaths);
            let near = |s: &&Shift| begin.map_or(0, |b| s.at.abs_diff(b.middle()));
            // What had fallen back before memory began to grow is over: a rolling restart makes retries for
            // some seconds (seen in lab/cluster: they were named for the configuration that came after).
            let is_over = |s: &Shift| {
                let until = begin.map(|b| b.earliest).or(moments.killed).unwrap_or(i64::MAX);
                let back = s.before + (s.after - s.before) * OVER;
                shifts.iter().any(|later| later.at > s.at && later.at < until && later.after <= back)
            };
            let rises: Vec<_> = shifts.iter().filter(|s| s.is_up()).collect();
            let over = rises.iter().filter(|s| is_over(s)).max_by_key(|s| s.at).copied();
            let rise = rises.iter().copied().filter(|s| !is_over(s)).min_by_key(near);
            if let (None, Some(s)) = (rise, over) {
                return Onset {
                    at: Some(s.at),
                    relation: Relation::Steady,
                    levels: Some((s.before, s.before)),
                    text: format!(
                        "{name}: rose from {:.1} to {:.1} and had fallen back before {}",
                        s.before,
                        s.after,
                        if begin.is_some() { "memory began to grow" } else { "the first of them was killed" }
                    ),
                    ..blank
                };
            }
            let Some(s) = rise.or_else(|| shifts.iter().min_by_key(near)) else { return blank };
            if !s.is_up() {
                return Onset {
                    at: Some(s.at),
                    relation: Relation::Steady,
                    levels: Some((s.before, s.after)),
                    text: format!("{name}: fell from {:.1} to {:.1}", s.before, s.after),
                    ..blank
                };
            }
            let earliest = s.earliest.min(s.at.saturating_sub(grid.late(s)));
            let off = s.at.saturating_sub(earliest).max(step).max(0);
            let middle = s.at.saturating_sub(s.at.saturating_sub(earliest) / 2);
            let lags = lags_from(memory, middle, off);
            // The service's series is one for all instances: against the first of them it comes first or not.
            let lag = begin.map(|b| (middle.saturating_sub(b.middle()), off.saturating_add(b.off())));
            let (mut relation, ..) = lag.map_or((Relation::Unknown, 0, None), |l| relate(&[l]));
            // A rate is seen to rise late: where that does not matter to what is concluded it is put back.
            let rose = if moments.of_asking { middle } else { s.at };
            let before_deaths = moments.is_before_deaths(rose, step);
            let made_it_no_faster = moments.made_it_no_faster(rose);
            if before_deaths {
                relation = if made_it_no_faster { Relation::After } else { Relation::Together };
            }
            // A call is measured when it ends: its slowness began that much earlier, and what was seen within
            // that time after memory may have come first.
            if relation == Relation::After && lag.is_some_and(|(ms, _)| ms <= ends_later(name, s.after)) {
                relation = Relation::Together;
            }
            let at_deaths = died.is_some_and(|d| s.at >= d);
            let with_deaths = at_deaths && !before_deaths && (relation == Relation::Together || begin.is_none());
            // Of a process that was never at rest: not after memory, whose onset is not known.
            if with_deaths && begin.is_some() {
                relation = Relation::After;
            }
            let agree = lags.iter().filter(|(l, o)| match relation {
                Relation::Before => *l < -SAME_MS.max(*o),
                Relation::After => *l > SAME_MS.max(*o),
                _ => l.abs() <= SAME_MS.max(*o),
            });
            let agree = if with_deaths { lags.len() as u64 } else { agree.count() as u64 };
            let told = matches!(relation, Relation::Before | Relation::After) && lags.len() >= 2 && !with_deaths;
            Onset {
                at: Some(middle),
                lag_ms: lag.map(|l| l.0),
                lag_between_ms: between(&lags).1,
                agree,
                of: lags.len() as u64,
                p: told.then(|| at_least(agree, lags.len() as u64)),
                relation,
                levels: Some((s.before, s.after)),
                with_deaths,
                text: format!(
                    "{name}: from {:.1} to {:.1}{}",
                    s.before,
                    s.after,
                    if with_deaths {
                        ", as the first of them died"
                    } else if before_deaths && made_it_no_faster {
                        ", when half of the growth was there, and it grew no faster after it"
                    } else if before_deaths {
                        ", before the first of them was killed"
                    } else {
                        ""
                    }
                ),
                ..blank
            }
        }
    }
}

/// Milliseconds that slow calls of a dependency take, which is how much later than they began they are seen
/// (seen blind in lab/cluster: answers after 6 s, seen 0.9 s after memory grew, and a release of half a
/// minute before was named). 0 of other series; at most a minute.
fn ends_later(name: &str, seconds: f64) -> i64 {
    if name.starts_with("latency of ") { (seconds * 1e3).clamp(0.0, 60e3) as i64 } else { 0 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::{
        CaptureSummary, FindingSummary, Generation, MetricPoint, MetricSeries, MetricSubject, OnsetSummary,
        WindowSummary,
    };

    fn capture(memory: UnixMs, goroutines: Option<UnixMs>) -> CaptureSummary {
        CaptureSummary {
            phase: "post-kill".into(),
            reason: "oom-kill".into(),
            taken_unix_ms: memory + 4000,
            findings: vec![FindingSummary::default()],
            window: Some(WindowSummary { onset_unix_ms: memory, was_at_rest: true, ..WindowSummary::default() }),
            goroutines: OnsetSummary {
                onset_unix_ms: goroutines,
                at_memory_onset: Some(2010),
                at_end: 2640,
                ..OnsetSummary::default()
            },
            ..CaptureSummary::default()
        }
    }

    fn life(c: &CaptureSummary) -> Life<'_> {
        Life { of: Generation::default(), captures: vec![c] }
    }

    fn metric(role: &str, change_at: UnixMs, before: f64, after: f64) -> MetricSeries {
        MetricSeries {
            role: role.into(),
            step_ms: 1000,
            subject: MetricSubject { service: "svc".into(), ..MetricSubject::default() },
            points: (0..120)
                .map(|i| 1_000_000 + i * 1000)
                .map(|t| MetricPoint {
                    unix_ms: t,
                    value: if t < change_at { before } else { after } + (t / 1000 % 3) as f64,
                })
                .collect(),
            ..MetricSeries::default()
        }
    }

    #[test]
    fn as_many_that_piled_up_as_did_not_say_nothing() {
        let says = |piled: usize, steady: usize| {
            let of = |n, onset| std::iter::repeat_n(capture(1_050_000, onset), n);
            let captures: Vec<CaptureSummary> = of(piled, Some(1_040_000)).chain(of(steady, None)).collect();
            let lives: Vec<Life<'_>> = captures.iter().map(life).collect();
            let onset = goroutines(&lives.iter().collect::<Vec<_>>());
            (onset.relation, onset.agree)
        };
        assert_eq!(says(1, 1), (Relation::Unknown, 0));
        assert_eq!(says(1, 2), (Relation::Steady, 2));
        assert_eq!(says(2, 1), (Relation::Before, 2));
        assert_eq!(says(0, 0), (Relation::Unknown, 0));
    }

    #[test]
    fn a_retry_surge_after_the_deaths_is_a_consequence() {
        let captures: Vec<CaptureSummary> = (0..8).map(|i| capture(1_050_000 + i * 100, None)).collect();
        let lives: Vec<Life<'_>> = captures.iter().map(life).collect();
        let lives: Vec<&Life<'_>> = lives.iter().collect();
        let traffic = Traffic::of(
            &[metric("retries", 1_060_000, 12.0, 1020.0), metric("first-attempts", 0, 6200.0, 6200.0)],
            "svc",
        );
        let got = onsets(&lives, None, &traffic, 1_054_000, 1_056_000);
        let of = |name: &str| got.iter().find(|o| o.series == name).unwrap();
        let retries = of("retries");
        assert_eq!((retries.relation, retries.agree, retries.of), (Relation::After, 8, 8));
        assert!(retries.p.unwrap() < 0.01 && retries.lag_ms.unwrap().abs_diff(9_500) <= 500, "{retries:?}");
        assert_eq!(of("first attempts").relation, Relation::Steady);
        assert_eq!((of("goroutines").relation, of("goroutines").agree), (Relation::Steady, 8));
        assert_eq!(of("memory").at, Some(1_050_000));
    }

    #[test]
    fn a_slow_answer_is_seen_when_it_ends() {
        let later = |name: &str, after: f64| ends_later(name, after);
        assert_eq!(later("latency of playurl", 6.0), 6_000, "seen 0.9 s after memory it began before");
        assert_eq!((later("latency of playurl", 4e9), later("latency of playurl", f64::NAN)), (60_000, 0));
        assert_eq!(later("errors of playurl", 6.0), 0, "what fails is counted at once");
    }

    /// First attempts double as memory begins to grow. Told by a rate of a minute, of counters that are read
    /// every 15 s, they are seen to rise 19 s later: too near to tell, and no consequence.
    #[test]
    fn a_rate_of_a_minute_tells_late() {
        let captures: Vec<CaptureSummary> = (0..8).map(|i| capture(1_050_000 + i * 100, None)).collect();
        let lives: Vec<Life<'_>> = captures.iter().map(life).collect();
        let lives: Vec<&Life<'_>> = lives.iter().collect();
        let seen = |name: &str, begin: i64, times: f64| {
            let mut series = metric("first-attempts", 0, 0.0, 0.0);
            series.name = name.into();
            for p in &mut series.points {
                let read = begin + (p.unix_ms - begin).div_euclid(15_000) * 15_000;
                let part = ((read - begin) as f64 / 60_000.0).clamp(0.0, 1.0);
                p.value = 6200.0 * (1.0 + part * (times - 1.0));
            }
            let got = onsets(&lives, None, &Traffic::of(&[series], "svc"), 1_114_000, 1_116_000);
            got.into_iter().find(|o| o.series == "first attempts").unwrap()
        };
        let told = seen("sum(rate(x[1m]))", 1_049_000, 2.0);
        assert_eq!((told.relation, told.window_ms), (Relation::Together, 60_000), "{told:?}");
        // As it would be if each value were of its moment, and where it did begin much later.
        assert_eq!(seen("x", 1_049_000, 2.0).relation, Relation::After);
        let late = seen("sum(rate(x[1m]))", 1_085_000, 20.0);
        assert_eq!(late.relation, Relation::After, "{late:?}");
    }

    /// Deaths a second after memory began to grow, and a scrape of every second: what rose with them says
    /// nothing.
    #[test]
    fn errors_that_rise_as_the_first_dies_are_of_the_deaths() {
        let captures: Vec<CaptureSummary> = (0..4).map(|i| capture(1_059_200 + i * 10, None)).collect();
        let lives: Vec<Life<'_>> = captures
            .iter()
            .map(|c| {
                let mut l = life(c);
                l.of.ended_unix_ms = Some(1_059_900);
                l.of.ending = crate::evidence::Ending::OomKill;
                l
            })
            .collect();
        let lives: Vec<&Life<'_>> = lives.iter().collect();
        let series = [metric("errors", 1_060_000, 0.0, 80.0), metric("first-attempts", 1_060_000, 20.0, 80.0)];
        let got = onsets(&lives, None, &Traffic::of(&series, "svc"), 1_059_900, 1_060_000);
        let of = |name: &str| got.iter().find(|o| o.series == name).unwrap();
        assert_eq!((of("errors").relation, of("errors").p), (Relation::After, None));
        assert!(of("errors").text.ends_with("as the first of them died"), "{}", of("errors").text);
        assert_eq!(of("first attempts").relation, Relation::Together, "of these no death makes more");
    }

    /// Processes that climbed from their start, and of which the first was killed at 1,060,600.
    #[test]
    fn of_what_no_death_makes_more_a_moment_before_the_first_is_enough() {
        let mut captures: Vec<CaptureSummary> = (0..4).map(|i| capture(1_056_400 + i * 10, None)).collect();
        for c in &mut captures {
            c.window = c.window.map(|w| WindowSummary { was_at_rest: false, ..w });
        }
        let lives: Vec<Life<'_>> = captures
            .iter()
            .map(|c| {
                let mut l = life(c);
                (l.of.ended_unix_ms, l.of.ending) = (Some(1_060_600), crate::evidence::Ending::OomKill);
                l
            })
            .collect();
        let lives: Vec<&Life<'_>> = lives.iter().collect();
        let told = |role: &str, at: i64| {
            let traffic = Traffic::of(&[metric(role, at, 20.0, 80.0)], "svc");
            onsets(&lives, None, &traffic, 1_060_600, 1_061_000).pop().unwrap().relation
        };
        assert_eq!(told("first-attempts", 1_060_000), Relation::Together);
        assert_eq!(told("first-attempts", 1_060_800), Relation::Together, "between two points, the first before");
        assert_eq!(told("in-flight", 1_060_000), Relation::Together);
        assert_eq!(told("retries", 1_060_000), Relation::Unknown, "they may be of the deaths");
        assert_eq!(told("first-attempts", 1_064_000), Relation::Unknown, "after them it explains none");
    }

    #[test]
    fn goroutines_first_in_every_process() {
        let captures: Vec<CaptureSummary> = (0..5).map(|i| capture(1_050_000 + i * 100, Some(1_040_000))).collect();
        let lives: Vec<Life<'_>> = captures.iter().map(life).collect();
        let lives: Vec<&Life<'_>> = lives.iter().collect();
        let got = onsets(&lives, None, &Traffic::default(), 0, i64::MAX);
        let g = got.iter().find(|o| o.series == "goroutines").unwrap();
        assert_eq!((g.relation, g.agree), (Relation::Before, 5));
        assert!((g.p.unwrap() - 1.0 / 32.0).abs() < 1e-9);
    }

    #[test]
    fn nothing_known_is_said_to_be_unknown() {
        let got = onsets(&[], None, &Traffic::default(), 0, 1);
        assert!(got.iter().all(|o| o.relation == Relation::Unknown));
        assert_eq!(relate(&[(100, 0), (-100, 0)]).0, Relation::Together);
        assert_eq!(relate(&[(9000, 15_000)]).0, Relation::Together, "off by more than it lags");
    }
}
