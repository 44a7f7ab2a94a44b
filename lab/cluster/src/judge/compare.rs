//! One verdict (`lastgasp.incident/1`) against the truth of its scenario. Pure: documents in, words out.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::mask::Mask;
use crate::record::Record;
use crate::scenario::{Names, Scenario};

/// From this confidence on a verdict is sure.
pub const SURE: f64 = 0.8;

/// What became of a verdict.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Judgement {
    /// Kind of the first cause that was said; `none` where none was.
    pub kind: String,
    /// Its key.
    pub key: String,
    /// Its sentence.
    pub sentence: String,
    /// Its confidence.
    pub confidence: f64,
    /// Whether it is right: kind, key, and the time if both say one.
    pub first: bool,
    /// Whether one of the first three is.
    pub third: bool,
    /// Sure and not right.
    pub sure_and_wrong: bool,
    /// How far its time is from the truth's, in milliseconds: positive is later; absent where one of both
    /// says none.
    pub off_ms: Option<i64>,
    /// Kinds and keys of the first three, for who looks into a miss.
    pub three: Vec<String>,
    /// What is said not to be known.
    pub unknown: usize,
    /// Rows of the six that say that no feed is connected.
    pub not_connected: usize,
}

/// A cause as the document has it.
struct Said<'a> {
    kind: &'a str,
    key: &'a str,
    sentence: &'a str,
    at: Option<i64>,
}

/// Judges.
#[must_use]
pub fn judge(scenario: &Scenario, record: &Record, document: &Value, mask: Mask) -> Judgement {
    let causes = causes(document);
    let text = |v: &Value| v.as_str().unwrap_or_default().to_owned();
    let first = causes.first();
    let confidence = document["confidence"].as_f64().or(document["causes"][0]["confidence"].as_f64()).unwrap_or(0.0);
    let truth_at = (!scenario.truth.at.is_empty()).then(|| at_of(scenario, record)).flatten();
    let is_right = |said: &Said<'_>| right(scenario, said, truth_at, mask);
    // Of nobody's death nothing need be told but that memory climbs: where it does not, that is wrong.
    let no_incident = first.is_none() || (kills_of(document) == Some(0) && document["climbs"].is_null());
    let (is_first, is_third) = if scenario.truth.kind == "none" {
        (no_incident, no_incident)
    } else {
        (first.is_some_and(is_right), causes.iter().take(3).any(is_right))
    };
    Judgement {
        kind: first.map_or_else(|| "none".to_owned(), |c| c.kind.to_owned()),
        key: first.map(|c| c.key.to_owned()).unwrap_or_default(),
        sentence: text(&document["cause"]["sentence"]),
        confidence,
        first: is_first,
        third: is_third,
        sure_and_wrong: !is_first && confidence >= SURE && first.is_some_and(|c| c.kind != "unknown"),
        off_ms: first.and_then(|c| c.at).zip(truth_at).map(|(said, truth)| said - truth),
        three: causes.iter().take(3).map(|c| format!("{} {}", c.kind, c.key).trim().to_owned()).collect(),
        unknown: document["unknown"].as_array().map_or(0, Vec::len),
        not_connected: not_connected(document),
    }
}

/// The moment of the truth: when its action was done, or so long after the begin.
fn at_of(scenario: &Scenario, record: &Record) -> Option<i64> {
    record
        .time_of(&scenario.truth.at)
        .or_else(|| Some(record.began_unix_ms + i64::try_from(scenario.truth_at()?.0).ok()?))
}

/// The causes, the first is the verdict's own.
fn causes(document: &Value) -> Vec<Said<'_>> {
    let of = |v: &Value| v["kind"].as_str().is_some_and(|k| k != "none");
    let listed = document["causes"].as_array().map_or(&[][..], Vec::as_slice);
    let verdict = std::iter::once(&document["cause"]).filter(|v| of(v));
    let mut out: Vec<Said<'_>> = Vec::new();
    for v in verdict.chain(listed.iter().filter(|v| of(v))) {
        let word = |name: &str| v[name].as_str().unwrap_or_default();
        let one = Said {
            kind: word("kind"),
            key: word("key"),
            sentence: word("sentence"),
            at: moment(&v["at"]).or_else(|| moment(&v["at_unix_ms"])),
        };
        if !out.iter().any(|o| o.kind == one.kind && o.key == one.key) {
            out.push(one);
        }
    }
    out
}

fn kills_of(document: &Value) -> Option<u64> {
    match &document["kills"] {
        Value::Array(kills) => Some(kills.len() as u64),
        Value::Object(kills) => kills.get("count").or_else(|| kills.get("total")).and_then(Value::as_u64),
        other => other.as_u64(),
    }
}

/// A time as milliseconds since 1970, however it is written.
fn moment(value: &Value) -> Option<i64> {
    match value {
        Value::String(text) => text.parse::<jiff::Timestamp>().ok().map(jiff::Timestamp::as_millisecond),
        Value::Number(n) => n.as_i64().filter(|n| *n > 0),
        _ => None,
    }
}

fn not_connected(document: &Value) -> usize {
    let is_open = |v: &Value| {
        let text = v.to_string().to_lowercase();
        text.contains("no feed")
            || text.contains("no-feed")
            || text.contains("not-connected")
            || text.contains("not connected")
    };
    document["checks"].as_array().map_or(0, |rows| rows.iter().filter(|v| is_open(v)).count())
}

fn right(scenario: &Scenario, said: &Said<'_>, truth_at: Option<i64>, mask: Mask) -> bool {
    let truth = &scenario.truth;
    let near = |at: Option<i64>| match at.zip(truth_at) {
        Some((said, truth_at)) => (said - truth_at).unsigned_abs() <= truth.within.0,
        None => true,
    };
    let fits = |kind: &str, key: &Names| said.kind == kind && named(said, key);
    if fits(&truth.kind, &truth.key) && near(said.at) {
        return true;
    }
    truth
        .also
        .iter()
        .any(|a| fits(&a.kind, &a.key) && (a.without.is_empty() || a.without.iter().any(|w| w == mask.name())))
}

/// What is rolled back must be named in the key; where a function or a service is the matter, in a sentence.
fn named(said: &Said<'_>, key: &Names) -> bool {
    let in_key = key.fit(said.key);
    match said.kind {
        "config" | "release" => in_key,
        _ => in_key || key.fit(said.sentence),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::record::Done;

    fn scenario(truth: &str) -> Scenario {
        let text = format!(
            "title = \"t\"\nfamily = \"f\"\n[[do]]\nat = \"9s\"\nid = \"push\"\npublish = {{ key = \"ugctab\", count = 230000 }}\n[truth]\n{truth}\n"
        );
        Scenario::of(&text, "t").unwrap()
    }

    fn record() -> Record {
        let done = Done { id: "push".into(), at_unix_ms: 1_000_000, ..Done::default() };
        Record { acts: vec![done], began_unix_ms: 991_000, ..Record::default() }
    }

    fn verdict(kind: &str, key: &str, at: i64, confidence: f64) -> Value {
        let cause = json!({ "kind": kind, "key": key, "at": at, "sentence": "it was" });
        json!({ "kills": [1, 2], "confidence": confidence, "cause": cause, "causes": [cause, { "kind": "traffic", "key": "retries" }] })
    }

    fn of(truth: &str, document: &Value) -> Judgement {
        judge(&scenario(truth), &record(), document, Mask::Nothing)
    }

    const CONFIG: &str = "kind = \"config\"\nkey = \"ugctab\"\nat = \"push\"";

    #[test]
    fn right_is_kind_and_key_and_time() {
        let j = of(CONFIG, &verdict("config", "/config/resource-service/ugctab", 1_001_000, 0.9));
        assert!(j.first && j.third && !j.sure_and_wrong);
        assert_eq!(j.off_ms, Some(1000));
        for wrong in [
            verdict("config", "banners", 1_000_000, 0.9),
            verdict("release", "ugctab", 1_000_000, 0.9),
            verdict("config", "ugctab", 1_060_000, 0.9),
        ] {
            let j = of(CONFIG, &wrong);
            assert!(!j.first && j.sure_and_wrong, "{wrong}");
        }
        assert!(!of(CONFIG, &verdict("release", "1.42", 1_000_000, 0.5)).sure_and_wrong);
    }

    #[test]
    fn one_of_three_is_counted_apart() {
        let j = of("kind = \"traffic\"", &verdict("config", "ugctab", 1_000_000, 0.6));
        assert!(!j.first && j.third);
        assert_eq!(j.three, ["config ugctab", "traffic retries"]);
    }

    #[test]
    fn where_nothing_is_to_be_found_no_cause_is_right() {
        let none = "kind = \"none\"\nlives = true";
        assert!(of(none, &json!({ "kills": [], "cause": null, "causes": [] })).first);
        assert!(of(none, &json!({ "kills": 0, "cause": { "kind": "none" } })).first);
        let climbs = json!({ "kills": 0, "climbs": { "instances": 4 }, "causes": [{ "kind": "leak", "key": "x" }] });
        assert!(!of(none, &climbs).first, "a false alarm before anybody has died");
        let j = of(none, &verdict("config", "ugctab", 1_000_000, 0.9));
        assert!(!j.first && j.sure_and_wrong);
        assert!(!of(CONFIG, &json!({ "kills": [], "cause": null })).first);
    }

    #[test]
    fn what_is_right_only_without_a_feed_is_right_only_then() {
        let truth =
            format!("{CONFIG}\n[[truth.also]]\nkind = \"code-path\"\nkey = \"buildAvidMap\"\nwithout = [\"all\"]");
        let document = verdict("code-path", "ugctab.buildAvidMap", 1_000_000, 0.9);
        assert!(!judge(&scenario(&truth), &record(), &document, Mask::Nothing).first);
        assert!(judge(&scenario(&truth), &record(), &document, Mask::All).first);
    }

    #[test]
    fn times_and_rows_are_read_in_each_form() {
        assert_eq!(moment(&json!("2023-11-14T22:13:20Z")), Some(1_700_000_000_000));
        assert_eq!(moment(&json!(0)), None);
        let document = json!({ "checks": [{ "state": "no-feed-connected" }, { "text": "NO FEED CONNECTED" }, { "state": "found" }] });
        assert_eq!(not_connected(&document), 2);
    }
}
