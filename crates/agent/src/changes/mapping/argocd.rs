//! Argo CD: an `Application` as it stands, or what the template of a notification makes of it
//! (docs/operations/changes.md has one to copy).

use lastgasp_incident::evidence::{Change, ChangeKind, Scope};
use serde_json::Value;

use super::fields::{clean, first_text, text};
use super::time::moment;
use super::{Mapped, Received};

/// `None`: it is nothing of Argo CD.
pub(super) fn map(value: &Value, received: &Received<'_>) -> Option<Mapped> {
    let is_application = |v: &Value| {
        text(v, "/kind") == "Application" && text(v, "/apiVersion").starts_with("argoproj.io/")
            || v.pointer("/status/sync").is_some() && v.pointer("/metadata/name").is_some()
    };
    for place in ["", "/app", "/application", "/object"] {
        if let Some(app) = value.pointer(place).filter(|v| is_application(v)) {
            return Some(of_application(app, received));
        }
    }
    // Flat, as in the examples of Argo CD's own documentation: the application's name, and what became of it.
    let name = first_text(value, &["/app", "/application", "/app_name", "/appName"]);
    let revision = first_text(value, &["/revision", "/sync/revision", "/sha", "/commit"]);
    let phase = first_text(value, &["/phase", "/state", "/status", "/sync_status", "/syncStatus"]);
    if name.is_empty() || (revision.is_empty() && phase.is_empty()) {
        return None;
    }
    let at = ["at", "time", "startedAt", "started_at", "finishedAt", "finished_at", "timestamp"];
    let at = at.iter().find_map(|k| moment(value.get(*k)));
    Some(told(
        &name,
        &phase,
        received,
        Change {
            id: if revision.is_empty() { String::new() } else { format!("{name}/{revision}/{}", at.unwrap_or(0)) },
            at_unix_ms: at.unwrap_or(0),
            from: first_text(value, &["/from", "/previous_revision"]),
            to: revision,
            ..Change::default()
        },
    ))
}

fn of_application(app: &Value, received: &Received<'_>) -> Mapped {
    let name = text(app, "/metadata/name");
    let revision = first_text(app, &["/status/operationState/syncResult/revision", "/status/sync/revision"]);
    let began = moment(app.pointer("/status/operationState/startedAt"));
    let ended = moment(app.pointer("/status/operationState/finishedAt"));
    let history = app.pointer("/status/history").and_then(Value::as_array);
    let earlier = history
        .and_then(|all| all.iter().rev().map(|h| text(h, "/revision")).find(|r| !r.is_empty() && *r != revision));
    told(
        &name,
        &text(app, "/status/operationState/phase"),
        received,
        Change {
            id: format!("{name}/{revision}/{}", began.unwrap_or(0)),
            at_unix_ms: began.or(ended).unwrap_or(0),
            from: earlier.unwrap_or_default(),
            to: revision,
            ..Change::default()
        },
    )
}

fn told(name: &str, phase: &str, received: &Received<'_>, change: Change) -> Mapped {
    let failed = ["failed", "error", "degraded", "unknown", "outofsync"];
    if failed.contains(&phase.to_ascii_lowercase().as_str()) {
        return Mapped::none("an application whose state changed, and not its revision");
    }
    Mapped::one(Change {
        kind: ChangeKind::Release,
        key: name.to_owned(),
        source: received.feed("argocd"),
        by: "argocd".into(),
        scope: Scope { services: vec![name.to_owned()], ..Scope::default() },
        title: clean(&format!(
            "application {name} synced{}",
            if phase.is_empty() { String::new() } else { format!(": {phase}") }
        )),
        ..change
    })
}
