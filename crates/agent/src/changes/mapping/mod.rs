//! What others send, as changes. A form a file; which of them a body has, its headers and its own fields say.
//!
//! Kept of a body are names, versions, times, sizes, numbers of elements and salted hashes; never a value.
//! Names are cut to a length and cleaned of control characters: they will stand in reports.

mod alertmanager;
mod argocd;
mod cdevents;
mod cloudevents;
mod fields;
mod github;
mod gitlab;
mod kubernetes;
mod plain;
mod time;

use lastgasp_incident::evidence::{Change, UnixMs};
use lastgasp_store::events::Salt;
use serde_json::Value;

pub(crate) use fields::clean;
use fields::{MAX_CHANGES, is_too_deep};
pub(crate) use kubernetes::KnownObjects;
use time::said_skew;

/// Under which circumstances a body came.
pub(crate) struct Received<'a> {
    pub(crate) now_ms: UnixMs,
    pub(crate) salt: &'a Salt,
    /// The sender's own name for itself (`?source=`).
    pub(crate) source: Option<&'a str>,
    /// Value of a header, by its name in lower case.
    pub(crate) header: &'a dyn Fn(&str) -> Option<&'a str>,
}

impl Received<'_> {
    /// Name of the feed that a form is told by.
    fn feed(&self, form: &str) -> String {
        format!("webhook:{}", self.source.map_or_else(|| form.to_owned(), clean))
    }
}

/// A body as changes.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Mapped {
    pub(crate) changes: Vec<Change>,
    /// What in it is no change, a reason each.
    pub(crate) ignored: Vec<&'static str>,
    /// What the sender waits for as an answer, where its form has one of its own.
    pub(crate) answer: Option<Value>,
}

impl Mapped {
    fn one(change: Change) -> Self {
        Self { changes: vec![change], ..Self::default() }
    }

    fn none(why: &'static str) -> Self {
        Self { ignored: vec![why], ..Self::default() }
    }

    fn add(&mut self, other: Self) {
        self.changes.extend(other.changes);
        self.ignored.extend(other.ignored);
    }
}

/// Why a body is none of any form that is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Unmapped(pub(crate) String);

/// Maps a body.
pub(crate) fn map(body: &[u8], received: &Received<'_>, known: &mut KnownObjects) -> Result<Mapped, Unmapped> {
    let refuse = |why: &str| Err(Unmapped(why.to_owned()));
    let text = match std::str::from_utf8(body) {
        Ok(text) => text.trim_start_matches('\u{feff}'),
        Err(_) => return refuse("it is not UTF-8"),
    };
    if is_too_deep(text) {
        return refuse("it is nested deeper than what is read");
    }
    let binary = cloudevents::is_binary(received);
    let value: Value = match serde_json::from_str(text) {
        Ok(value) => value,
        // A CloudEvent may be all header.
        Err(_) if binary && text.trim().is_empty() => Value::Null,
        Err(e) => return Err(Unmapped(format!("it is not JSON: {e}"))),
    };
    let mut mapped =
        if binary { cloudevents::binary(&value, received, known) } else { of_document(&value, received, known)? };
    if mapped.changes.len() > MAX_CHANGES {
        return Err(Unmapped(format!("it has more than {MAX_CHANGES} changes: send them in several parts")));
    }
    for change in &mut mapped.changes {
        finish(change, body, received);
    }
    Ok(mapped)
}

/// By what the document itself says that it is.
fn of_document(value: &Value, received: &Received<'_>, known: &mut KnownObjects) -> Result<Mapped, Unmapped> {
    if let Some(event) = (received.header)("x-github-event") {
        return Ok(github::map(event, value, received));
    }
    if (received.header)("x-gitlab-event").is_some() && value.get("object_kind").is_some() {
        return Ok(gitlab::map(value, received));
    }
    if let Value::Array(all) = value {
        let mut mapped = Mapped::default();
        for one in all.iter().take(MAX_CHANGES + 1) {
            mapped.add(of_document(one, received, known)?);
        }
        return Ok(mapped);
    }
    let has = |key: &str| value.get(key).is_some();
    if has("specversion") && has("type") && has("id") {
        return Ok(cloudevents::structured(value, received, known));
    }
    data(value, received, known).ok_or_else(|| {
        Unmapped(
            "it is of no form that is known: docs/operations/changes.md has them; the plain one is {\"kind\":\"config\",\"key\":\"ugctab\",\"count\":230184}"
                .to_owned(),
        )
    })
}

/// By what a document without an envelope is.
fn data(value: &Value, received: &Received<'_>, known: &mut KnownObjects) -> Option<Mapped> {
    let has = |key: &str| value.get(key).is_some();
    if cdevents::is_one(value) {
        return Some(cdevents::map(value, received));
    }
    if has("alerts") && (has("groupKey") || has("receiver")) {
        return Some(alertmanager::map(value, received));
    }
    if has("object_kind") {
        return Some(gitlab::map(value, received));
    }
    // Who says both means what is plain, whatever else stands there.
    if has("kind") && has("key") && !has("apiVersion") {
        return plain::map(value, received);
    }
    if let Some(mapped) = argocd::map(value, received) {
        return Some(mapped);
    }
    kubernetes::map(value, received, known).or_else(|| plain::map(value, received))
}

/// What all changes have in common.
fn finish(change: &mut Change, body: &[u8], received: &Received<'_>) {
    change.received_unix_ms = received.now_ms;
    if change.at_unix_ms == 0 {
        change.at_unix_ms = received.now_ms;
    }
    if let Some(note) = said_skew(change.at_unix_ms, received.now_ms) {
        change.title = if change.title.is_empty() { note } else { format!("{} ({note})", change.title) };
    }
    if change.id.is_empty() {
        // Who sends the same once more within some minutes tries again; later it is another change.
        const AGAIN_MS: i64 = 300_000;
        let mut hash = received.salt.content();
        hash.push(body);
        hash.push(change.key.as_bytes());
        hash.push(&(received.now_ms / AGAIN_MS).to_le_bytes());
        change.id = hash.finish();
    }
}

#[cfg(test)]
mod tests;

pub use plain::SOURCE;
