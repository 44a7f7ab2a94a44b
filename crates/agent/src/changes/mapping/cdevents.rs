//! CDEvents (0.1 to 0.4), alone or in a CloudEvent: what pipelines say of services, environments and sources.

use lastgasp_incident::evidence::{Change, ChangeKind, Scope};
use serde_json::Value;

use super::fields::{first_text, text};
use super::time::moment;
use super::{Mapped, Received};

const PREFIX: &str = "dev.cdevents.";

/// Whether a document is one.
pub(super) fn is_one(value: &Value) -> bool {
    value.pointer("/context/type").and_then(Value::as_str).is_some_and(|t| t.starts_with(PREFIX))
        && value.get("subject").is_some()
}

/// `dev.cdevents.service.deployed.0.1.1`: a subject and what became of it.
pub(super) fn map(value: &Value, received: &Received<'_>) -> Mapped {
    let type_name = text(value, "/context/type");
    let mut words = type_name.strip_prefix(PREFIX).unwrap_or_default().split('.');
    let (subject, predicate) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let kind = match (subject, predicate) {
        ("service", "deployed" | "upgraded" | "rolledback" | "removed" | "published") => ChangeKind::Release,
        ("environment", _) => ChangeKind::Platform,
        ("change", "merged") | ("branch", "deleted") | ("artifact", "published") => ChangeKind::Code,
        _ => return Mapped::none("an event of a pipeline that changes nothing that runs"),
    };
    let id = text(value, "/subject/id");
    let environment = text(value, "/subject/content/environment/id");
    let services = if subject == "service" { vec![id.clone()] } else { Vec::new() };
    let is_place = !environment.is_empty();
    let title =
        if is_place { format!("{subject} {predicate} in {environment}") } else { format!("{subject} {predicate}") };
    Mapped::one(Change {
        id: text(value, "/context/id"),
        kind,
        key: id,
        at_unix_ms: moment(value.pointer("/context/timestamp")).unwrap_or(0),
        source: received.feed("cdevents"),
        by: text(value, "/context/source"),
        scope: Scope { services, ..Scope::default() },
        to: first_text(
            value,
            &["/subject/content/artifactId", "/subject/content/artifact/id", "/subject/content/repository/id"],
        ),
        title,
        ..Change::default()
    })
}
