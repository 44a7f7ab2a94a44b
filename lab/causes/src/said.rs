//! What a report says of goroutines: read loosely, so that a report that says more is read as well.

use std::collections::BTreeSet;

use serde::Serialize;
use serde_json::Value;

/// The verdict on one goroutine.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Said {
    /// `goid`.
    pub goid: u64,
    /// Tier: `proved`, `suspect`, `stalled`, `immortal`, `healthy`.
    pub tier: String,
    /// Code of the cause; empty where none is claimed.
    pub code: String,
    /// Numbers of living goroutines that are named as holders.
    pub holders: BTreeSet<u64>,
    /// How many `Done` are missing, as said.
    pub missing_done: Option<i64>,
    /// Whether there is a deadline, as said.
    pub deadline: Option<bool>,
    /// The peer, as said.
    pub peer: Option<String>,
    /// All of it.
    #[serde(skip)]
    pub whole: Value,
}

impl Said {
    /// Whether it says that something is wrong.
    #[must_use]
    pub fn is_finding(&self) -> bool {
        !self.tier.is_empty() && self.tier != "healthy"
    }

    fn of(v: &Value) -> Option<Self> {
        let text = |key: &str| v[key].as_str().unwrap_or_default().to_owned();
        let holders = v["holders"].as_array().into_iter().flatten();
        Some(Self {
            goid: v["goid"].as_u64()?,
            tier: text("tier"),
            code: text("code"),
            holders: holders
                .filter_map(|h| ["goroutine", "goid"].iter().find_map(|k| h[*k].as_u64()))
                .filter(|id| *id > 0)
                .collect(),
            missing_done: first(v, &["missing_done"]).and_then(Value::as_i64),
            deadline: first(v, &["deadline", "has_deadline"]).and_then(|d| match d {
                Value::Bool(b) => Some(*b),
                Value::String(s) => Some(!matches!(s.as_str(), "none" | "absent" | "no")),
                Value::Object(_) | Value::Number(_) => Some(true),
                _ => None,
            }),
            peer: first(v, &["peer"]).and_then(Value::as_str).filter(|p| !p.is_empty()).map(str::to_owned),
            whole: v.clone(),
        })
    }
}

/// The first value below `v` that has one of these names and is not null. Bounded by the document.
fn first<'a>(v: &'a Value, names: &[&str]) -> Option<&'a Value> {
    let mut left = vec![v];
    while let Some(v) = left.pop() {
        match v {
            Value::Object(fields) => {
                if let Some(found) = names.iter().find_map(|n| fields.get(*n)).filter(|f| !f.is_null()) {
                    return Some(found);
                }
                left.extend(fields.values());
            }
            Value::Array(all) => left.extend(all.iter().rev()),
            _ => {}
        }
    }
    None
}

/// All verdicts of a document: `goroutines.verdicts`, or `verdicts` of `goroutines.json`.
#[must_use]
pub fn verdicts(document: &Value) -> Vec<Said> {
    let lists = [&document["goroutines"]["verdicts"], &document["verdicts"], document];
    let list = lists.into_iter().filter_map(Value::as_array).find(|l| l.iter().any(|v| v["goid"].is_u64()));
    list.into_iter().flatten().filter_map(Said::of).collect()
}

/// Groups of a document: count, tier and code of each.
#[must_use]
pub fn groups(document: &Value) -> Vec<(u64, String, String)> {
    let g = &document["goroutines"];
    let lists = [&g["verdict_groups"], &g["verdicts"]["groups"], &g["groups"], &document["groups"]];
    let list = lists.into_iter().filter_map(Value::as_array).find(|l| l.iter().any(|v| v["tier"].is_string()));
    let text = |v: &Value, key: &str| v[key].as_str().unwrap_or_default().to_owned();
    list.into_iter().flatten().map(|v| (v["count"].as_u64().unwrap_or(0), text(v, "tier"), text(v, "code"))).collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_verdict_is_read_wherever_it_stands() {
        let one = json!({
            "goid": 7, "tier": "stalled", "code": "io-without-deadline",
            "waits_on": [{"kind": "descriptor", "deadline": false, "peer": "127.0.0.1:80", "missing_done": null}],
            "holders": [{"goroutine": 8, "function": "main.f"}, {"goroutine": 0, "function": "main.g"}],
        });
        for document in [json!({"goroutines": {"verdicts": [one]}}), json!({"verdicts": [one]}), json!([one])] {
            let said = verdicts(&document);
            assert_eq!(said.len(), 1);
            assert_eq!((said[0].goid, said[0].deadline, said[0].missing_done), (7, Some(false), None));
            assert_eq!(said[0].peer.as_deref(), Some("127.0.0.1:80"));
            assert_eq!(said[0].holders, BTreeSet::from([8]));
            assert!(said[0].is_finding());
        }
        assert!(verdicts(&json!({})).is_empty() && groups(&json!({})).is_empty());
    }
}
