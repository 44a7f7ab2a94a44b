//! CloudEvents 1.0 over HTTP, structured, binary and in batches. What stands in the envelope counts for
//! identity and time; what is in it is mapped as if it had come alone.

use lastgasp_incident::evidence::{Change, ChangeKind};
use serde_json::Value;

use super::fields::{clean, first_text, measured, text};
use super::time::{moment, of_text};
use super::{KnownObjects, Mapped, Received, data, plain};
use crate::changes::payload::base64::Base64;

/// What an envelope says.
#[derive(Debug, Default)]
struct Envelope {
    id: String,
    source: String,
    type_name: String,
    subject: String,
    time: Option<i64>,
    /// Extension attribute `changekind`: the kind of a change that its type does not tell.
    kind: String,
}

/// Whether headers are the envelope.
pub(super) fn is_binary(received: &Received<'_>) -> bool {
    (received.header)("ce-specversion").is_some() && (received.header)("ce-type").is_some()
}

/// An event whose envelope is its headers.
pub(super) fn binary(value: &Value, received: &Received<'_>, known: &mut KnownObjects) -> Mapped {
    let attribute = |name: &str| clean((received.header)(name).unwrap_or_default());
    let envelope = Envelope {
        id: attribute("ce-id"),
        source: attribute("ce-source"),
        type_name: attribute("ce-type"),
        subject: attribute("ce-subject"),
        time: (received.header)("ce-time").and_then(of_text),
        kind: attribute("ce-changekind"),
    };
    mapped(&envelope, value, received, known)
}

/// An event that is one document.
pub(super) fn structured(value: &Value, received: &Received<'_>, known: &mut KnownObjects) -> Mapped {
    let envelope = Envelope {
        id: text(value, "/id"),
        source: text(value, "/source"),
        type_name: text(value, "/type"),
        subject: text(value, "/subject"),
        time: moment(value.get("time")),
        kind: text(value, "/changekind"),
    };
    let decoded = value.get("data_base64").and_then(Value::as_str).and_then(Base64::decode);
    let decoded = decoded.and_then(|bytes| {
        let text = String::from_utf8(bytes).ok()?;
        if super::is_too_deep(&text) { None } else { serde_json::from_str(&text).ok() }
    });
    let inner = value.get("data").cloned().or(decoded).unwrap_or(Value::Null);
    mapped(&envelope, &inner, received, known)
}

fn mapped(envelope: &Envelope, inner: &Value, received: &Received<'_>, known: &mut KnownObjects) -> Mapped {
    // An event in an event would be an endless tale: what has an envelope is not opened twice.
    let mut mapped = match data(inner, received, known) {
        Some(mapped) => mapped,
        None => Mapped::one(unknown(envelope, inner, received)),
    };
    let many = mapped.changes.len() > 1;
    for (n, change) in mapped.changes.iter_mut().enumerate() {
        if !envelope.id.is_empty() {
            // Unique together with the source of the event (CloudEvents 1.0, 3.1.1).
            let part = if many { format!("#{n}") } else { String::new() };
            change.id = format!("{} {}{part}", envelope.source, envelope.id).trim().to_owned();
        }
        if change.at_unix_ms == 0 {
            change.at_unix_ms = envelope.time.unwrap_or(0);
        }
        if change.by.is_empty() {
            change.by.clone_from(&envelope.source);
        }
        if !envelope.kind.is_empty() {
            change.kind = ChangeKind::from(envelope.kind.as_str());
        }
    }
    mapped
}

/// An event of a type that nobody here knows: that something happened, and to what.
fn unknown(envelope: &Envelope, inner: &Value, received: &Received<'_>) -> Change {
    let measured = (!inner.is_null()).then(|| measured(inner, received.salt));
    let flag = first_text(inner, &["/feature_flag.key", "/feature_flag/key"]);
    let is_flag = envelope.type_name.contains("feature_flag") || !flag.is_empty();
    let key = [flag, envelope.subject.clone(), envelope.type_name.clone()].into_iter().find(|k| !k.is_empty());
    let kind = if is_flag { ChangeKind::Config } else { ChangeKind::Unknown("event".into()) };
    let scope = plain::change(&serde_json::json!({"key": "x", "services": inner.get("services")}), received);
    Change {
        kind,
        key: key.unwrap_or_default(),
        at_unix_ms: envelope.time.unwrap_or(0),
        source: received.feed("cloudevents"),
        by: envelope.source.clone(),
        scope: scope.map(|c| c.scope).unwrap_or_default(),
        size_bytes: measured.as_ref().map(|m| m.bytes),
        elements: measured.as_ref().and_then(|m| m.elements).filter(|n| *n > 1),
        hash: measured.map(|m| m.hash).unwrap_or_default(),
        title: envelope.type_name.clone(),
        ..Change::default()
    }
}
