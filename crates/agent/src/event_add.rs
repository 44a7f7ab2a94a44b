//! `lastgasp event add`: a change is told to a daemon by its address, or written straight into a store. It is
//! the plain form of `POST /v1/changes` in either case.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow};
use lastgasp_store::events::{Added, EventLimits, EventLog, FOLDER, Salt};
use serde_json::Value;
use ureq::Agent;

use crate::changes::events::now_ms;
use crate::changes::inbox::PATH;
use crate::changes::mapping::{self, KnownObjects, Received};

pub use crate::changes::mapping::SOURCE;

/// Tells a daemon of a change; gives its answer.
///
/// # Errors
/// It does not answer, or refuses: with its words.
pub fn tell(daemon: &str, token_file: Option<&Path>, change: &Value) -> Result<String> {
    let agent: Agent = Agent::config_builder()
        .timeout_global(Some(Duration::from_secs(10)))
        .http_status_as_error(false)
        .build()
        .into();
    let url = format!("{}{PATH}", daemon.trim_end_matches('/'));
    let mut request = agent.post(&url).content_type("application/json");
    if let Some(file) = token_file {
        let token = std::fs::read_to_string(file).with_context(|| file.display().to_string())?;
        request = request.header("Authorization", &format!("Bearer {}", token.trim()));
    }
    let mut answer = request
        .send(change.to_string())
        .with_context(|| format!("{url}: no daemon answers (--to names another, --store writes without one)"))?;
    let words = answer.body_mut().with_config().limit(64 << 10).read_to_string().unwrap_or_default();
    if answer.status().is_success() {
        return Ok(words.trim().to_owned());
    }
    Err(anyhow!("{url}: {}: {}", answer.status(), words.trim()))
}

/// Writes a change into a store.
///
/// # Errors
/// It says nothing, or the store cannot be written.
pub fn add(store: &Path, change: &Value) -> Result<Added> {
    let log = EventLog::open(store, EventLimits { bytes: u64::MAX, age: Duration::MAX })?;
    let salt = Salt::of(store);
    let received = Received { now_ms: now_ms(), salt: &salt, source: None, header: &|_| None };
    let mapped = mapping::map(change.to_string().as_bytes(), &received, &mut KnownObjects::default());
    Ok(log.add_changes(&mapped.map_err(|why| anyhow!("{}", why.0))?.changes)?)
}

/// A moment as people read it, in UTC, to the second.
#[must_use]
pub fn time_of(unix_ms: i64) -> String {
    let at = jiff::Timestamp::from_millisecond(unix_ms);
    at.map_or_else(|_| unix_ms.to_string(), |at| at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string())
}

/// Folder of a store's events; an error where there is none.
///
/// # Errors
/// There is none.
pub fn folder(store: &Path) -> Result<PathBuf> {
    let folder = store.join(FOLDER);
    if folder.is_dir() {
        return Ok(folder);
    }
    Err(anyhow!("{}: no events stand there (--store names the daemon's store)", folder.display()))
}

#[cfg(test)]
mod tests {
    use lastgasp_incident::evidence::{Evidence, Query};
    use serde_json::json;

    use super::*;

    #[test]
    fn a_store_is_written_without_a_daemon() {
        let store = tempfile::tempdir().unwrap();
        assert!(folder(store.path()).is_err());
        let change = json!({"kind": "config", "key": "ugctab", "count": 230_184, "id": "1", "source": SOURCE});
        assert_eq!(add(store.path(), &change).unwrap().new, 1);
        assert_eq!(add(store.path(), &change).unwrap().known, 1);
        assert!(add(store.path(), &json!({"kind": "config"})).is_err());
        let mut evidence = Evidence::default();
        lastgasp_store::events::read(store.path(), &Query { now_unix_ms: i64::MAX, ..Query::default() }, &mut evidence);
        assert_eq!((evidence.changes[0].source.as_str(), evidence.changes[0].elements), (SOURCE, Some(230_184)));
        let nobody = tell("http://127.0.0.1:1/", None, &change).unwrap_err();
        assert!(format!("{nobody:#}").contains("--store writes without one"), "{nobody:#}");
    }
}
