//! The plain form: `{"kind": "config", "key": "ugctab", "count": 230184}`. For scripts and operations
//! platforms; docs/operations/changes.md has its fields.

use lastgasp_incident::evidence::{Change, ChangeKind, Scope};
use serde_json::Value;

use super::fields::{count, first_text, measured, names, text};
use super::time::moment;
use super::{Mapped, Received};

/// Feed of what `lastgasp event add` tells.
pub const SOURCE: &str = "event add";

/// A document that has a key, or a kind and a service.
pub(super) fn map(value: &Value, received: &Received<'_>) -> Option<Mapped> {
    Some(Mapped::one(change(value, received)?))
}

/// The same as one change.
pub(super) fn change(value: &Value, received: &Received<'_>) -> Option<Change> {
    let services = names(value, &["/services", "/service", "/scope/services"]);
    let key = first_text(value, &["/key", "/name"]);
    let kind = text(value, "/kind");
    let key = if key.is_empty() && !kind.is_empty() { services.first()?.clone() } else { key };
    if key.is_empty() {
        return None;
    }
    // A content that was sent with it is measured, and forgotten with the request.
    let content =
        ["value", "content", "payload"].iter().find_map(|k| value.get(*k)).map(|v| measured(v, received.salt));
    let before = value.get("value_before").map(|v| measured(v, received.salt));
    let said = text(value, "/source");
    let source = match received.source {
        Some(_) => received.feed(""),
        None if said.is_empty() => received.feed("plain"),
        None if said == SOURCE => said,
        None => format!("webhook:{said}"),
    };
    Some(Change {
        id: text(value, "/id"),
        kind: ChangeKind::from(if kind.is_empty() { "config" } else { kind.as_str() }),
        key,
        at_unix_ms: ["at", "time", "timestamp"].iter().find_map(|k| moment(value.get(*k))).unwrap_or(0),
        source,
        by: first_text(value, &["/by", "/platform"]),
        scope: Scope {
            services,
            instances: names(value, &["/instances", "/instance", "/scope/instances"]),
            data_centres: names(value, &["/data_centres", "/data_centre", "/dc", "/scope/data_centres"]),
            nodes: names(value, &["/nodes", "/node", "/scope/nodes"]),
        },
        size_bytes: count(value, &["/size_bytes", "/size", "/bytes"]).or(content.as_ref().map(|c| c.bytes)),
        size_bytes_before: count(value, &["/size_bytes_before", "/size_before"]).or(before.as_ref().map(|c| c.bytes)),
        elements: count(value, &["/elements", "/count"]).or(content.as_ref().and_then(|c| c.elements)),
        elements_before: count(value, &["/elements_before", "/count_before"]).or(before.and_then(|c| c.elements)),
        from: first_text(value, &["/from", "/revision_before", "/version_before"]),
        to: first_text(value, &["/to", "/revision", "/version"]),
        hash: content.map(|c| c.hash).unwrap_or_default(),
        title: text(value, "/title"),
        ..Change::default()
    })
}
