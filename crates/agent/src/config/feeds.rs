//! Configuration of what comes in: changes, configuration servers that are watched, metrics.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::{Bytes, Time, is_address, millis, range, seconds};

/// Bytes of the shortest token that is one.
pub(crate) const MIN_TOKEN: usize = 16;

/// A wrong key, and why it is wrong.
type Wrong = Result<(), (String, String)>;

/// What is said of this node in every life of a process.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Node {
    pub(crate) name: String,
    pub(crate) data_centre: Vec<String>,
}

/// Files of events in the store.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct EventFiles {
    pub(crate) max_bytes: Bytes,
    pub(crate) max_age: Time,
}

/// Who may tell of changes.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Changes {
    pub(crate) token_file: PathBuf,
    pub(crate) loopback_without_token: bool,
    pub(crate) local: bool,
}

/// A configuration server that is watched.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Feed {
    #[serde(rename = "type")]
    pub(crate) is: FeedType,
    pub(crate) url: String,
    pub(crate) keys: Vec<String>,
    pub(crate) namespace: String,
    pub(crate) token_file: PathBuf,
    pub(crate) services: Vec<String>,
    pub(crate) kind: String,
    pub(crate) round: Time,
}

/// Kind of a configuration server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum FeedType {
    #[default]
    Etcd,
    Consul,
    Nacos,
    Apollo,
}

impl FeedType {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Etcd => "etcd",
            Self::Consul => "consul",
            Self::Nacos => "nacos",
            Self::Apollo => "apollo",
        }
    }
}

/// Where metrics are taken from.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct MetricsSource {
    #[serde(rename = "type")]
    pub(crate) is: MetricsType,
    pub(crate) url: String,
    pub(crate) preset: Preset,
    pub(crate) select: String,
    pub(crate) service: String,
    pub(crate) caller: String,
    pub(crate) dependency: bool,
    pub(crate) every: Time,
    pub(crate) timeout: Time,
    pub(crate) token_file: PathBuf,
    pub(crate) roles: Roles,
}

/// Kind of a source of metrics.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum MetricsType {
    /// Its HTTP API is asked with PromQL.
    #[default]
    Prometheus,
    /// A page in Prometheus' text format is read directly.
    Scrape,
}

/// Names of metrics that are known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Preset {
    /// None: roles that have no name are unknown.
    #[default]
    None,
    Haproxy,
    Nginx,
    Envoy,
}

/// Which metric counts what. Empty: as the preset has it, or else unknown.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Roles {
    pub(crate) attempts: String,
    pub(crate) first_attempts: String,
    pub(crate) retries: String,
    pub(crate) errors: String,
    pub(crate) timeouts: String,
    pub(crate) in_flight: String,
    pub(crate) latency: String,
    pub(crate) healthy: String,
}

impl Default for EventFiles {
    fn default() -> Self {
        Self { max_bytes: Bytes(256 << 20), max_age: seconds(35 * 86_400) }
    }
}

impl Default for Changes {
    fn default() -> Self {
        Self { token_file: PathBuf::new(), loopback_without_token: false, local: true }
    }
}

impl Default for Feed {
    fn default() -> Self {
        Self {
            is: FeedType::Etcd,
            url: String::new(),
            keys: Vec::new(),
            namespace: String::new(),
            token_file: PathBuf::new(),
            services: Vec::new(),
            kind: "config".into(),
            round: seconds(15),
        }
    }
}

impl Default for MetricsSource {
    fn default() -> Self {
        Self {
            is: MetricsType::Prometheus,
            url: String::new(),
            preset: Preset::None,
            select: String::new(),
            service: String::new(),
            caller: String::new(),
            dependency: false,
            every: seconds(5),
            timeout: seconds(3),
            token_file: PathBuf::new(),
            roles: Roles::default(),
        }
    }
}

impl Changes {
    pub(super) fn check(&self) -> Wrong {
        if self.token_file.as_os_str().is_empty() {
            return Ok(());
        }
        let key = || "changes.token_file".to_owned();
        let text = std::fs::metadata(&self.token_file).and_then(|m| {
            if m.is_file() && m.len() <= 4096 {
                std::fs::read(&self.token_file)
            } else {
                Err(std::io::ErrorKind::InvalidInput.into())
            }
        });
        let text = text.map_err(|e| (key(), format!("{}: {e}", self.token_file.display())))?;
        if text.trim_ascii().len() < MIN_TOKEN {
            return Err((key(), "the token is shorter than 16 bytes: openssl rand -hex 32 makes one".into()));
        }
        Ok(())
    }
}

impl Feed {
    pub(super) fn check(&self, at: &str) -> Vec<Wrong> {
        let key = |key: &str| format!("{at}.{key}");
        let parts = match self.is {
            FeedType::Etcd | FeedType::Consul => 0,
            FeedType::Nacos => 2,
            FeedType::Apollo => 3,
        };
        let wrong_key = self.keys.iter().find(|k| k.is_empty() || (parts > 0 && k.split('/').count() != parts));
        let keys = match wrong_key {
            _ if self.keys.is_empty() => Err((key("keys"), "is missing: say what is watched".into())),
            _ if self.keys.len() > 64 => Err((key("keys"), "more than 64".into())),
            Some(k) => Err((
                key("keys"),
                match self.is {
                    FeedType::Nacos => format!("{k:?}: write GROUP/DATA-ID"),
                    FeedType::Apollo => format!("{k:?}: write APP-ID/CLUSTER/NAMESPACE"),
                    _ => "an empty prefix would be all there is: name one, \"/\" say".into(),
                },
            )),
            None => Ok(()),
        };
        vec![
            is_address(&self.url).map_err(|why| (key("url"), why)),
            keys,
            range(&key("round"), self.round, seconds(1), seconds(300)),
        ]
    }
}

impl MetricsSource {
    pub(super) fn check(&self, at: &str) -> Vec<Wrong> {
        let key = |key: &str| format!("{at}.{key}");
        let none = self.preset == Preset::None && self.roles == Roles::default();
        let roles = if none {
            Err((
                key("preset"),
                "no metric is named: give a preset (haproxy, nginx, envoy) or names in roles".to_owned(),
            ))
        } else {
            Ok(())
        };
        vec![
            is_address(&self.url).map_err(|why| (key("url"), why)),
            roles,
            range(&key("every"), self.every, seconds(1), seconds(600)),
            range(&key("timeout"), self.timeout, millis(100), seconds(60)),
        ]
    }
}
