//! What would have been, against what then was: each what-if of a verdict played again with that change in
//! the world from its begin.

use std::fmt::Write as _;

use serde_json::Value;

use crate::record::Record;
use crate::scenario::{Scenario, Size, Span, Use};

/// A what-if that can be played.
#[derive(Clone, Debug)]
pub struct WhatIf {
    /// As the verdict says it: `limit 403 MB`.
    pub act: String,
    /// What it is measured by.
    pub measure: Measure,
    /// What the verdict expects, in seconds or bytes.
    pub said: f64,
    /// Its interval, where it says one.
    pub between: Option<(f64, f64)>,
    /// The scenario with the change in it.
    pub scenario: Scenario,
}

/// What a what-if is measured by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Measure {
    /// Seconds from the cause to the first kill, more than there were.
    Bought,
    /// Most memory of an instance, from the cause on.
    Peak,
}

/// A what-if that was played.
#[derive(Clone, Debug)]
pub struct Row {
    /// Scenario.
    pub scenario: String,
    /// As in [`WhatIf`].
    pub act: String,
    /// As in [`WhatIf`].
    pub measure: Measure,
    /// What was said.
    pub said: f64,
    /// Its interval.
    pub between: Option<(f64, f64)>,
    /// What was so; absent where it could not be measured.
    pub was: Option<f64>,
}

impl Row {
    /// How far it was off, as a share of what was so.
    #[must_use]
    pub fn off(&self) -> Option<f64> {
        self.was.filter(|w| *w > 0.0).map(|was| (self.said - was) / was)
    }

    /// Whether it is within what is aimed at: a peak within 15 %, seconds within 20 %.
    #[must_use]
    pub fn holds(&self) -> Option<bool> {
        let most = if self.measure == Measure::Peak { 0.15 } else { 0.2 };
        self.off().map(|off| off.abs() <= most)
    }

    /// Whether what was so lies in the interval that was said.
    #[must_use]
    pub fn is_inside(&self) -> Option<bool> {
        self.was.zip(self.between).map(|(was, (low, high))| (low..=high).contains(&was))
    }
}

/// Those of a verdict that the lab can play.
#[must_use]
pub fn of(scenario: &Scenario, document: &Value) -> Vec<WhatIf> {
    let rows = document["what_if"].as_array().map_or(&[][..], Vec::as_slice);
    rows.iter().filter_map(|row| one(scenario, row)).collect()
}

fn one(scenario: &Scenario, row: &Value) -> Option<WhatIf> {
    let said = row["value"].as_f64()?;
    let act = row["act"].as_str()?.to_owned();
    let between = row["low"].as_f64().zip(row["high"].as_f64());
    let mut changed = base(scenario);
    let measure = match row["measure"].as_str()? {
        "seconds" => Measure::Bought,
        "peak_bytes" => Measure::Peak,
        _ => return None,
    };
    match row["code"].as_str()? {
        "limit" => {
            changed.service.limit = Size(size_of(&act)? & !0xfff);
            // As long as it lives longer.
            changed.duration = Span(changed.duration.0 + (said * 1500.0) as u64 + 5000);
        }
        "share-one-copy" => {
            for key in changed.service.key.values_mut() {
                key.used = Use::Kept;
            }
            changed.version.values_mut().for_each(|v| v.key.clear());
        }
        "concurrency-cap" => changed.service.concurrency = number_in(&act)? as u32,
        "timeout" => {
            let ms = number_in(&act)? as u64;
            for caller in changed.caller.values_mut() {
                (caller.timeout, caller.retries) = (Span::ms(ms), 0);
            }
        }
        "fallback" => changed.caller.values_mut().for_each(|c| c.rate = 0.0),
        _ => return None,
    }
    Some(WhatIf { act, measure, said, between, scenario: changed })
}

/// The scenario with its cause and nothing that was done against it afterwards.
#[must_use]
pub fn base(scenario: &Scenario) -> Scenario {
    let mut out = scenario.clone();
    let cause = scenario.truth_at();
    out.acts.retain(|a| cause.is_none_or(|at| a.at <= at));
    out.after_kill = Span::ms(1000);
    out
}

/// The first number of a text.
fn number_in(text: &str) -> Option<f64> {
    let from = text.find(|c: char| c.is_ascii_digit())?;
    let rest = text.get(from..)?;
    let to = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
    rest.get(..to)?.parse().ok()
}

/// A size as verdicts write it (1000-based): `limit 2.15 GB`.
fn size_of(text: &str) -> Option<u64> {
    let unit = match text.split_whitespace().next_back()? {
        "kB" => 1e3,
        "MB" => 1e6,
        "GB" => 1e9,
        _ => return None,
    };
    Some((number_in(text)? * unit) as u64)
}

/// What was so, in a play of the changed world beside one of the world as it was.
#[must_use]
pub fn measured(scenario: &Scenario, measure: Measure, before: &Record, after: &Record) -> Option<f64> {
    let cause = |r: &Record| r.time_of(&scenario.truth.at);
    match measure {
        Measure::Bought => {
            let lived = |r: &Record| Some(r.first_kill()? - cause(r)?);
            Some((lived(after)? - lived(before)?) as f64 / 1e3)
        }
        // A peak at which somebody was killed is the limit's, and says nothing.
        Measure::Peak => (after.kills().count() == 0).then_some(after.peak_since(cause(after)?) as f64),
    }
}

/// The table of them.
#[must_use]
pub fn table(header: &str, rows: &[Row]) -> String {
    let mut out =
        format!("{header}\n{:<20} {:<34} {:>10} {:>10} {:>7}  within\n", "scenario", "what if", "said", "was", "off");
    let text = |measure: Measure, v: f64| match measure {
        Measure::Bought => format!("{v:.1} s"),
        Measure::Peak => format!("{:.0} MB", v / 1e6),
    };
    // Writing into a String cannot fail.
    for r in rows {
        let was = r.was.map_or_else(|| "?".to_owned(), |w| text(r.measure, w));
        let off = r.off().map_or_else(|| "?".to_owned(), |o| format!("{:+.0} %", o * 100.0));
        let within = match (r.holds(), r.is_inside()) {
            (Some(true), _) => "yes",
            (Some(false), Some(true)) => "no, in its interval",
            (Some(false), _) => "no",
            (None, _) => "not measured",
        };
        let _ = writeln!(
            out,
            "{:<20} {:<34} {:>10} {was:>10} {off:>7}  {within}",
            r.scenario,
            r.act,
            text(r.measure, r.said)
        );
    }
    let measured: Vec<&Row> = rows.iter().filter(|r| r.holds().is_some()).collect();
    let hold = measured.iter().filter(|r| r.holds() == Some(true)).count();
    let inside = measured.iter().filter(|r| r.is_inside() == Some(true)).count();
    let _ = writeln!(
        out,
        "\n{hold} of {} within 15 % (peak) or 20 % (seconds), {inside} inside the interval that was said",
        measured.len()
    );
    out
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::record::{Done, Life};

    fn scenario() -> Scenario {
        let text = "title = \"t\"\nfamily = \"f\"\n[[do]]\nat = \"9s\"\nid = \"push\"\npublish = { key = \"ugctab\", count = 230000 }\n[[do]]\nat = \"20s\"\nlimit = { memory = \"400M\" }\n[truth]\nkind = \"config\"\nat = \"push\"\n";
        Scenario::of(text, "t").unwrap()
    }

    fn record(lived_ms: i64, peak: u64) -> Record {
        let acts = vec![Done { id: "push".into(), at_unix_ms: 10_000, ..Done::default() }];
        let lives = if lived_ms > 0 {
            vec![Life { ending: "oom".into(), ended_unix_ms: Some(10_000 + lived_ms), ..Life::default() }]
        } else {
            Vec::new()
        };
        Record { acts, lives, usage: vec![(9000, 900), (11_000, peak)], ..Record::default() }
    }

    #[test]
    fn what_can_be_played_is_the_world_with_one_change() {
        let rows = json!({ "what_if": [
            { "code": "limit", "act": "limit 2.15 GB", "measure": "seconds", "value": 57.6, "low": 50.0, "high": 60.0 },
            { "code": "limit", "act": "limit 9 GB", "measure": "seconds", "value": null },
            { "code": "concurrency-cap", "act": "at most 11 calls at a time", "measure": "peak_bytes", "value": 2.5e8 },
            { "code": "timeout", "act": "callers' timeout 50 ms", "measure": "peak_bytes", "value": 1e8 },
            { "code": "share-one-copy", "act": "one shared copy instead of 22", "measure": "peak_bytes", "value": 6e7 },
            { "code": "soft-limit", "act": "memory.high", "measure": "peak_bytes", "value": 1.0 },
        ] });
        let all = of(&scenario(), &rows);
        assert_eq!(all.len(), 4);
        assert_eq!(all[0].scenario.service.limit.0, 2_150_000_000 & !0xfff);
        assert_eq!(all[0].scenario.acts.len(), 1, "what was done afterwards is another world");
        assert_eq!(all[1].scenario.service.concurrency, 11);
        assert_eq!(all[2].scenario.caller["tianma"].timeout, Span::ms(50));
        assert_eq!(all[3].scenario.service.key["ugctab"].used, Use::Kept);
    }

    #[test]
    fn seconds_are_those_more_and_peaks_those_without_a_kill() {
        let s = scenario();
        let bought = measured(&s, Measure::Bought, &record(4000, 0), &record(9500, 0));
        assert!((bought.unwrap() - 5.5).abs() < 1e-9);
        assert_eq!(measured(&s, Measure::Bought, &record(4000, 0), &record(0, 0)), None);
        assert_eq!(measured(&s, Measure::Peak, &record(4000, 0), &record(0, 500)), Some(500.0));
        assert_eq!(measured(&s, Measure::Peak, &record(4000, 0), &record(4000, 500)), None);
    }

    #[test]
    fn a_table_counts_what_holds() {
        let row = |measure, said, was| Row {
            scenario: "s".into(),
            act: "a".into(),
            measure,
            said,
            between: Some((1.0, 10.0)),
            was,
        };
        let rows = [
            row(Measure::Bought, 5.0, Some(5.9)),
            row(Measure::Bought, 5.0, Some(9.0)),
            row(Measure::Peak, 2e8, Some(1e8)),
            row(Measure::Peak, 1e8, None),
        ];
        let text = table("h", &rows);
        assert!(text.contains("1 of 3 within") && text.contains("2 inside") && text.contains("not measured"), "{text}");
    }
}
