//! Alertmanager's webhook, version 4. An alert is no change by itself; it is kept as one of kind `alert`, so
//! that it stands on the timeline, unless its label `change_kind` says of what kind of change it tells.

use lastgasp_incident::evidence::{Change, ChangeKind, Scope};
use serde_json::Value;

use super::fields::{MAX_CHANGES, first_text, names, text};
use super::time::moment;
use super::{Mapped, Received};

/// Alerts that fire; of those that are over nothing is kept.
pub(super) fn map(value: &Value, received: &Received<'_>) -> Mapped {
    let mut mapped = Mapped::default();
    let alerts = value.get("alerts").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    for alert in alerts.iter().take(MAX_CHANGES + 1) {
        if text(alert, "/status") == "resolved" {
            mapped.ignored.push("an alert that is over");
            continue;
        }
        let kind = text(alert, "/labels/change_kind");
        let name = text(alert, "/labels/alertname");
        let began = moment(alert.get("startsAt"));
        let fingerprint = text(alert, "/fingerprint");
        let id = if fingerprint.is_empty() { String::new() } else { format!("{fingerprint}/{}", began.unwrap_or(0)) };
        mapped.changes.push(Change {
            id,
            kind: ChangeKind::from(if kind.is_empty() { "alert" } else { kind.as_str() }),
            key: if name.is_empty() { "alert".into() } else { name },
            at_unix_ms: began.unwrap_or(0),
            source: received.feed("alertmanager"),
            by: text(value, "/receiver"),
            scope: Scope {
                services: names(alert, &["/labels/service", "/labels/app", "/labels/job"]),
                instances: names(alert, &["/labels/pod", "/labels/instance"]),
                nodes: names(alert, &["/labels/node"]),
                data_centres: names(alert, &["/labels/datacenter", "/labels/dc"]),
            },
            title: first_text(alert, &["/annotations/summary", "/labels/severity"]),
            ..Change::default()
        });
    }
    mapped
}
