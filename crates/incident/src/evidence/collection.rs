//! Collections in the heap of a capture: how many elements, since when, and how many copies.

use serde::{Deserialize, Serialize};

use super::UnixMs;

/// A collection and its looks.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct CollectionSummary {
    /// The way by which it is kept, in words of the source: `global main.cache .avids`.
    pub owner: String,
    /// Its type as `%T` spells it; empty where it is not known.
    #[serde(rename = "type", skip_serializing_if = "String::is_empty")]
    pub type_name: String,
    /// `map`, `slice`, `string`, `chan`, `sync.Map`.
    pub kind: String,
    /// Elements at the capture.
    pub elements: u64,
    /// Bytes that it keeps alive, or of its arrays where no more is known; 0: unknown.
    pub bytes: u64,
    /// Looks at it during the watch, oldest first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub looks: Vec<CollectionLook>,
    /// Collections that are merged here; 1 where it is alone.
    pub count: u64,
    /// Whether a package variable keeps it, and not goroutines alone.
    pub is_global: bool,
}

/// A look at a collection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct CollectionLook {
    /// When.
    #[serde(rename = "t")]
    pub unix_ms: UnixMs,
    /// Elements.
    #[serde(rename = "n")]
    pub elements: u64,
}

/// Collections of equal content.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct CopiesSummary {
    /// Their type as `%T` spells it.
    #[serde(rename = "type")]
    pub type_name: String,
    /// How many.
    pub copies: u64,
    /// Elements in each.
    pub elements: u64,
    /// Bytes of each.
    pub bytes_each: u64,
    /// Bytes of all.
    pub total_bytes: u64,
    /// Bytes that one shared copy would save.
    pub savable_bytes: u64,
    /// `content`, `shape`, or `size`: large objects that are as large as so many elements.
    pub equal: String,
    /// Function that built them; empty where that is not known.
    pub site: String,
    /// `file:line` of it.
    pub site_at: String,
    /// Goroutines that hold them.
    pub goroutines: u64,
    /// Function of most of these.
    pub held_in: String,
}
