//! Evidence as it can be used: what came twice counts once, times that cannot be are put right or said, and
//! nothing is larger than a bound. What was done is said in sentences.

use std::collections::{BTreeMap, BTreeSet};

use crate::evidence::{Change, Evidence, FeedState, Generation, MetricSeries, UnixMs};

/// Later than the moment of asking by more than this is a wrong clock.
const FUTURE_MS: i64 = 60_000;
/// Told of later than this after it happened is late. Chosen: feeds that ask do so within a minute.
const LATE_MS: i64 = 5 * 60_000;
/// Skew of a clock from which it matters, in milliseconds.
const SKEW_MS: i64 = 2_000;
/// Changes that are looked at, those nearest to the moment of asking.
const MAX_CHANGES: usize = 20_000;
/// Series, and points of each.
const MAX_SERIES: usize = 512;
const MAX_POINTS: usize = 200_000;

/// Puts evidence right, and says what was done.
#[must_use]
pub fn clean(mut evidence: Evidence) -> Evidence {
    let mut said = Vec::new();
    let now = evidence.now_unix_ms;
    let skews = skews(&evidence.feeds, &mut said);
    changes(&mut evidence.changes, now, &skews, &mut said);
    generations(&mut evidence.generations, now, &mut said);
    let future = evidence.captures.iter().filter(|c| c.taken_unix_ms > now.saturating_add(FUTURE_MS)).count();
    if now > 0 && future > 0 {
        said.push(format!("{future} captures are from the future by this machine's clock: one of the clocks is wrong"));
    }
    let undated = evidence.captures.iter().filter(|c| c.taken_unix_ms <= 0).count();
    if undated > 0 {
        said.push(format!("{undated} captures do not say when they were taken: they are left out"));
    }
    evidence.captures.retain(|c| c.taken_unix_ms > 0);
    evidence.captures.sort_by(|a, b| a.taken_unix_ms.cmp(&b.taken_unix_ms).then_with(|| a.folder.cmp(&b.folder)));
    evidence.captures.dedup_by(|a, b| a.folder == b.folder && a.pid == b.pid && a.taken_unix_ms == b.taken_unix_ms);
    series(&mut evidence.series, now, &skews, &mut said);
    evidence.gaps.append(&mut said);
    evidence
}

/// Clocks that are off by enough to matter.
fn skews(feeds: &[FeedState], said: &mut Vec<String>) -> BTreeMap<String, i64> {
    let off = feeds.iter().filter_map(|f| Some((f.source.clone(), f.skew_ms.filter(|s| s.abs() >= SKEW_MS)?)));
    let skews: BTreeMap<String, i64> = off.collect();
    for (source, ms) in &skews {
        let way = if *ms > 0 { "ahead of" } else { "behind" };
        said.push(format!(
            "the clock of {source} is {} {way} ours: its times are moved by that",
            lastgasp_diagnosis::units::seconds(ms.unsigned_abs() as f64 / 1e3)
        ));
    }
    skews
}

fn changes(changes: &mut Vec<Change>, now: UnixMs, skews: &BTreeMap<String, i64>, said: &mut Vec<String>) {
    let told = changes.len();
    for c in changes.iter_mut() {
        if let Some(skew) = skews.get(&c.source) {
            c.at_unix_ms = c.at_unix_ms.saturating_sub(*skew);
        }
    }
    let (mut undated, mut future, mut late) = (0_usize, 0_usize, 0_usize);
    changes.retain_mut(|c| {
        if c.at_unix_ms <= 0 {
            c.at_unix_ms = c.received_unix_ms;
            undated += 1;
        } else if now > 0 && c.at_unix_ms > now.saturating_add(FUTURE_MS) {
            // Heard of before it happened: the clock of its source is wrong, and ours is what there is.
            future += 1;
            c.at_unix_ms = c.received_unix_ms;
        } else if c.received_unix_ms > 0 && c.received_unix_ms.saturating_sub(c.at_unix_ms) > LATE_MS {
            late += 1;
        }
        c.at_unix_ms > 0 && (now <= 0 || c.at_unix_ms <= now.saturating_add(FUTURE_MS))
    });
    // Those that were told first stay.
    changes.sort_by(|a, b| {
        (a.at_unix_ms, a.received_unix_ms, &a.source, &a.id, &a.key).cmp(&(
            b.at_unix_ms,
            b.received_unix_ms,
            &b.source,
            &b.id,
            &b.key,
        ))
    });
    let mut seen = BTreeSet::new();
    let before = changes.len();
    changes.retain(|c| {
        let id = if c.id.is_empty() {
            format!("{}\u{0}{}\u{0}{}\u{0}{}\u{0}{}", c.kind.name(), c.key, c.at_unix_ms, c.from, c.to)
        } else {
            c.id.clone()
        };
        seen.insert((c.source.clone(), id))
    });
    let twice = before - changes.len();
    for (n, what) in [
        (twice, "were told more than once, and count once"),
        (future, "are from the future by this machine's clock: they are taken as of when they were heard of"),
        (undated, "do not say when they happened: they are taken as of when they were heard of"),
        (late, "were told of more than 5 min after they happened"),
    ] {
        if n > 0 {
            said.push(format!("of {told} changes {n} {what}"));
        }
    }
    if changes.len() > MAX_CHANGES {
        said.push(format!("of {} changes the last {MAX_CHANGES} are looked at", changes.len()));
        changes.drain(..changes.len() - MAX_CHANGES);
    }
    *changes = crate::causes::changes::joined(std::mem::take(changes));
}

/// Lives that were told several times, as they went on, become one each.
fn generations(all: &mut Vec<Generation>, now: UnixMs, said: &mut Vec<String>) {
    let mut known: BTreeMap<(String, i32, UnixMs), Generation> = BTreeMap::new();
    for g in all.drain(..) {
        let key = (g.instance.clone(), g.pid, g.started_unix_ms / 1000);
        match known.get_mut(&key) {
            None => {
                known.insert(key, g);
            }
            Some(was) => merge(was, g),
        }
    }
    let wrong = known.values().filter(|g| g.ended_unix_ms.is_some_and(|e| e < g.started_unix_ms)).count();
    if wrong > 0 {
        said.push(format!(
            "{wrong} processes ended before they were started, by what was told of them: their start is not used"
        ));
    }
    all.extend(known.into_values().map(|mut g| {
        if g.ended_unix_ms.is_some_and(|e| e < g.started_unix_ms) {
            g.started_unix_ms = 0;
        }
        if now > 0 && g.ended_unix_ms.is_some_and(|e| e > now.saturating_add(FUTURE_MS)) {
            g.ended_unix_ms = Some(now);
        }
        g
    }));
    all.sort_by(|a, b| (a.started_unix_ms, &a.instance, a.pid).cmp(&(b.started_unix_ms, &b.instance, b.pid)));
    let mut nodes: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for g in all.iter().filter(|g| !g.place.node.is_empty() && !g.instance.is_empty()) {
        nodes.entry(&g.instance).or_default().insert(&g.place.node);
    }
    let moved: Vec<&str> = nodes.iter().filter(|(_, n)| n.len() > 1).map(|(i, _)| *i).collect();
    if let Some(first) = moved.first() {
        let more = if moved.len() > 1 { format!(" and {} more", moved.len() - 1) } else { String::new() };
        said.push(format!("{first}{more} ran on more than one node: each life counts where it was lived"));
    }
}

fn merge(was: &mut Generation, is: Generation) {
    let later = is.last_seen_unix_ms >= was.last_seen_unix_ms || is.ended_unix_ms.is_some();
    let ended = was.ended_unix_ms.or(is.ended_unix_ms);
    let ending =
        if was.ended_unix_ms.is_some() && is.ended_unix_ms.is_none() { was.ending.clone() } else { is.ending.clone() };
    let first = [was.first_seen_unix_ms, is.first_seen_unix_ms].into_iter().filter(|t| *t > 0).min().unwrap_or(0);
    let last = was.last_seen_unix_ms.max(is.last_seen_unix_ms);
    let peak = was.peak_bytes.max(is.peak_bytes);
    if later {
        *was = is;
    }
    (was.ended_unix_ms, was.ending) = (ended, ending);
    (was.first_seen_unix_ms, was.last_seen_unix_ms, was.peak_bytes) = (first, last, peak);
}

fn series(all: &mut Vec<MetricSeries>, now: UnixMs, skews: &BTreeMap<String, i64>, said: &mut Vec<String>) {
    if all.len() > MAX_SERIES {
        said.push(format!("of {} series {MAX_SERIES} are looked at", all.len()));
        all.truncate(MAX_SERIES);
    }
    let (mut nonsense, mut holes) = (0_usize, BTreeSet::new());
    for s in all.iter_mut() {
        let skew = skews.get(&s.source).copied().unwrap_or(0);
        s.points.iter_mut().for_each(|p| p.unix_ms = p.unix_ms.saturating_sub(skew));
        let before = s.points.len();
        s.points.retain(|p| {
            p.value.is_finite() && p.unix_ms > 0 && (now <= 0 || p.unix_ms <= now.saturating_add(FUTURE_MS))
        });
        nonsense += before - s.points.len();
        s.points.sort_by_key(|p| p.unix_ms);
        s.points.dedup_by_key(|p| p.unix_ms);
        if s.points.len() > MAX_POINTS {
            s.points.drain(..s.points.len() - MAX_POINTS);
        }
        let step = i64::try_from(s.step_ms).unwrap_or(0);
        let wide = |w: &[crate::evidence::MetricPoint]| match w {
            [a, b] => b.unix_ms.saturating_sub(a.unix_ms) > step.saturating_mul(3),
            _ => false,
        };
        if step > 0 && s.points.windows(2).any(wide) {
            holes.insert(s.name.clone());
        }
    }
    if nonsense > 0 {
        said.push(format!("{nonsense} points of metrics are no numbers, or of no time that can be: they are left out"));
    }
    if let Some(first) = holes.first() {
        let more = if holes.len() > 1 { format!(" and {} more", holes.len() - 1) } else { String::new() };
        said.push(format!("{first}{more}: metrics with holes; of those times nothing is concluded"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::{Ending, MetricPoint, Place};

    fn change(id: &str, at: UnixMs, received: UnixMs) -> Change {
        Change { id: id.into(), source: "etcd".into(), at_unix_ms: at, received_unix_ms: received, ..Change::default() }
    }

    #[test]
    fn late_double_and_future_changes() {
        let now = 10_000_000;
        let evidence = Evidence {
            now_unix_ms: now,
            changes: vec![
                change("a", 9_000_000, 9_000_100),
                change("a", 9_000_000, 9_500_000),
                change("b", now + 3_600_000, 9_900_000),
                change("c", 0, 9_800_000),
                change("d", 0, 0),
                change("e", 8_000_000, 9_000_000),
            ],
            ..Evidence::default()
        };
        let got = clean(evidence);
        let at: Vec<(&str, UnixMs)> = got.changes.iter().map(|c| (c.id.as_str(), c.at_unix_ms)).collect();
        assert_eq!(at, [("e", 8_000_000), ("a", 9_000_000), ("c", 9_800_000), ("b", 9_900_000)]);
        let said = got.gaps.join("\n");
        for words in ["1 were told more than once", "1 are from the future", "do not say when", "more than 5 min after"]
        {
            assert!(said.contains(words), "{words}: {said}");
        }
    }

    #[test]
    fn a_clock_that_is_known_to_be_wrong_is_put_right() {
        let feed = FeedState { source: "etcd".into(), skew_ms: Some(120_000), ..FeedState::default() };
        let evidence = Evidence {
            now_unix_ms: 10_000_000,
            feeds: vec![feed],
            changes: vec![change("a", 9_000_000, 0)],
            ..Evidence::default()
        };
        let got = clean(evidence);
        assert_eq!(got.changes[0].at_unix_ms, 8_880_000);
        assert!(got.gaps[0].contains("2.0 min ahead of ours"), "{:?}", got.gaps);
    }

    #[test]
    fn a_life_told_twice_is_one_and_a_moved_instance_is_said() {
        let life = |node: &str, started, ended: Option<UnixMs>| Generation {
            instance: "rs-1".into(),
            pid: 7,
            started_unix_ms: started,
            ended_unix_ms: ended,
            last_seen_unix_ms: ended.unwrap_or(started),
            ending: if ended.is_some() { Ending::OomKill } else { Ending::Running },
            place: Place { node: node.into(), ..Place::default() },
            ..Generation::default()
        };
        let evidence = Evidence {
            generations: vec![
                life("n1", 1_000_000, Some(2_000_000)),
                life("n1", 1_000_000, None),
                life("n2", 3_000_000, None),
                life("n2", 9_000_000, Some(5_000_000)),
            ],
            ..Evidence::default()
        };
        let got = clean(evidence);
        assert_eq!(got.generations.len(), 3);
        let first = got.generations.iter().find(|g| g.started_unix_ms == 1_000_000).unwrap();
        assert_eq!((first.ended_unix_ms, &first.ending), (Some(2_000_000), &Ending::OomKill));
        let said = got.gaps.join("\n");
        assert!(said.contains("rs-1 ran on more than one node") && said.contains("ended before they were started"));
    }

    #[test]
    fn points_that_cannot_be_are_left_out() {
        let point = |unix_ms, value| MetricPoint { unix_ms, value };
        let series = MetricSeries {
            name: "m".into(),
            step_ms: 1000,
            points: vec![
                point(5000, 1.0),
                point(1000, 2.0),
                point(2000, f64::NAN),
                point(1000, 3.0),
                point(99_000_000, 1.0),
                point(60_000, 1.0),
            ],
            ..MetricSeries::default()
        };
        let got = clean(Evidence { now_unix_ms: 100_000, series: vec![series], ..Evidence::default() });
        let times: Vec<UnixMs> = got.series[0].points.iter().map(|p| p.unix_ms).collect();
        assert_eq!(times, [1000, 5000, 60_000]);
        assert!(got.gaps.join("\n").contains("metrics with holes"));
    }
}
