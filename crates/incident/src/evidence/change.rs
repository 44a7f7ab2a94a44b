//! A change in the world. Never its content: key, version, time, size, number of elements, a salted hash.

use serde::{Deserialize, Serialize};

use super::UnixMs;
use super::kind::ChangeKind;

/// A change in the world, by whoever told of it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Change {
    /// Identity within its source: the same change told twice is one.
    pub id: String,
    /// Kind.
    pub kind: ChangeKind,
    /// What was changed: the key of a configuration, the service that was released, the node.
    pub key: String,
    /// When it took effect, by the clock of its source.
    pub at_unix_ms: UnixMs,
    /// When we heard of it, by our clock; 0 if that was not noted.
    #[serde(skip_serializing_if = "is_zero")]
    pub received_unix_ms: UnixMs,
    /// Feed that told of it, the same as [`super::FeedState::source`]: `etcd`, `webhook:argocd`, `event add`, `watch`.
    pub source: String,
    /// Platform or pipeline that made it: `ops-admin`, `argocd`. No person.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub by: String,
    /// Who it reached; empty in all parts: not said.
    #[serde(skip_serializing_if = "Scope::is_unknown")]
    pub scope: Scope,
    /// Bytes of what was published.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size_bytes: Option<u64>,
    /// Bytes of what stood there before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size_bytes_before: Option<u64>,
    /// Elements of what was published: identifiers of a list, entries of a table.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub elements: Option<u64>,
    /// Elements of what stood there before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub elements_before: Option<u64>,
    /// Version or revision before; what a rollback would go to.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub from: String,
    /// Version or revision after.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub to: String,
    /// Salted hash of what was published, in hex: equal content can be told, and nothing else.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub hash: String,
    /// A line for people, as its source says it.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub title: String,
}

#[allow(clippy::trivially_copy_pass_by_ref)] // As serde wants it.
fn is_zero(n: &UnixMs) -> bool {
    *n == 0
}

/// Who a change reached. An empty list says nothing: neither all nor none.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Scope {
    /// Services.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub services: Vec<String>,
    /// Instances: names of containers, pods, hosts, as [`super::Generation::instance`] has them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub instances: Vec<String>,
    /// Data centres.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub data_centres: Vec<String>,
    /// Nodes.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub nodes: Vec<String>,
}

impl Scope {
    /// Whether it says nothing.
    #[must_use]
    pub fn is_unknown(&self) -> bool {
        self.services.is_empty() && self.instances.is_empty() && self.data_centres.is_empty() && self.nodes.is_empty()
    }
}
