//! GitHub's webhooks: deployments and their states, pushes to the default branch, releases. The header
//! `X-GitHub-Event` says which.

use lastgasp_incident::evidence::{Change, ChangeKind, Scope};
use serde_json::Value;

use super::fields::{clean, text};
use super::time::moment;
use super::{Mapped, Received};

pub(super) fn map(event: &str, value: &Value, received: &Received<'_>) -> Mapped {
    let repository = text(value, "/repository/name");
    let change = |kind, id: String, at: Option<i64>| Change {
        id,
        kind,
        key: repository.clone(),
        at_unix_ms: at.unwrap_or(0),
        source: received.feed("github"),
        by: "github".into(),
        ..Change::default()
    };
    let services = Scope { services: vec![repository.clone()], ..Scope::default() };
    let deployment = |state: &str, at: &str| Change {
        scope: services.clone(),
        to: text(value, "/deployment/sha"),
        title: clean(&format!(
            "deployment of {} to {}: {state}",
            text(value, "/deployment/ref"),
            text(value, "/deployment/environment")
        )),
        ..change(
            ChangeKind::Release,
            format!("deployment/{}/{state}", text(value, "/deployment/id")),
            moment(value.pointer(at)),
        )
    };
    match event {
        "deployment" => Mapped::one(deployment("created", "/deployment/created_at")),
        "deployment_status" => match text(value, "/deployment_status/state").as_str() {
            state @ ("success" | "in_progress") => Mapped::one(deployment(state, "/deployment_status/created_at")),
            _ => Mapped::none("a state of a deployment in which nothing has changed"),
        },
        "push" => {
            let branch = text(value, "/repository/default_branch");
            if branch.is_empty() || text(value, "/ref") != format!("refs/heads/{branch}") {
                return Mapped::none("a push to another branch than the default one");
            }
            let commits = value.get("commits").and_then(Value::as_array).map_or(0, Vec::len);
            let after = text(value, "/after");
            let at = moment(value.pointer("/repository/pushed_at")).or(moment(value.pointer("/head_commit/timestamp")));
            Mapped::one(Change {
                from: text(value, "/before"),
                to: after.clone(),
                title: format!("{commits} commits pushed to {branch}"),
                ..change(ChangeKind::Code, format!("push/{after}"), at)
            })
        }
        "release" if text(value, "/action") == "published" => {
            let tag = text(value, "/release/tag_name");
            Mapped::one(Change {
                to: tag.clone(),
                title: format!("release {tag} published"),
                ..change(
                    ChangeKind::Code,
                    format!("release/{}", text(value, "/release/id")),
                    moment(value.pointer("/release/published_at")),
                )
            })
        }
        _ => Mapped::none("an event of GitHub that changes nothing that runs"),
    }
}
