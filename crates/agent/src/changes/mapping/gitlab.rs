//! GitLab's webhooks: deployments, pushes to the default branch, tags, releases. `object_kind` says which.

use lastgasp_incident::evidence::{Change, ChangeKind, Scope};
use serde_json::Value;

use super::fields::{clean, first_text, text};
use super::time::moment;
use super::{Mapped, Received};

pub(super) fn map(value: &Value, received: &Received<'_>) -> Mapped {
    let project = first_text(value, &["/project/path_with_namespace", "/project/name"]);
    let name = project.rsplit('/').next().unwrap_or_default().to_owned();
    let change = |kind, id: String, at: Option<i64>| Change {
        id,
        kind,
        key: name.clone(),
        at_unix_ms: at.unwrap_or(0),
        source: received.feed("gitlab"),
        by: "gitlab".into(),
        ..Change::default()
    };
    match text(value, "/object_kind").as_str() {
        "deployment" => match text(value, "/status").as_str() {
            state @ ("success" | "running") => Mapped::one(Change {
                scope: Scope { services: vec![name.clone()], ..Scope::default() },
                to: first_text(value, &["/sha", "/short_sha"]),
                title: clean(&format!(
                    "deployment of {} to {}: {state}",
                    text(value, "/ref"),
                    text(value, "/environment")
                )),
                ..change(
                    ChangeKind::Release,
                    format!("deployment/{}/{state}", text(value, "/deployment_id")),
                    moment(value.get("status_changed_at")),
                )
            }),
            _ => Mapped::none("a state of a deployment in which nothing has changed"),
        },
        "push" => {
            let branch = text(value, "/project/default_branch");
            if branch.is_empty() || text(value, "/ref") != format!("refs/heads/{branch}") {
                return Mapped::none("a push to another branch than the default one");
            }
            let after = first_text(value, &["/after", "/checkout_sha"]);
            Mapped::one(Change {
                from: text(value, "/before"),
                to: after.clone(),
                title: format!("{} commits pushed to {branch}", first_text(value, &["/total_commits_count"])),
                ..change(ChangeKind::Code, format!("push/{after}"), None)
            })
        }
        kind @ ("tag_push" | "release") => {
            let tag = first_text(value, &["/tag", "/ref"]);
            let tag = tag.trim_start_matches("refs/tags/").to_owned();
            Mapped::one(Change {
                to: tag.clone(),
                title: format!("tag {tag}"),
                ..change(
                    ChangeKind::Code,
                    format!("{kind}/{tag}/{}", first_text(value, &["/id", "/after"])),
                    moment(value.get("released_at")),
                )
            })
        }
        _ => Mapped::none("an event of GitLab that changes nothing that runs"),
    }
}
