//! Maps, slices, strings and channels: the largest, those of equal content, and what they waste.

use serde::{Deserialize, Serialize};

use super::super::bounded::{MAX_FEW, at_most};

/// A collection.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct GraphCensus {
    /// The way by which it is kept, in words of the source: `global main.cache .avids`.
    pub owner: String,
    /// Its type as `%T` spells it.
    #[serde(rename = "type")]
    pub type_name: String,
    /// `map`, `slice`, `string`, `chan`, `sync.Map`.
    pub kind: String,
    /// Elements in it now.
    pub elements: u64,
    /// Bytes of its header's backing arrays; what elements point to is not among them.
    pub bytes: u64,
    /// What it keeps alive, elements and all.
    pub retained_bytes: u64,
    /// Elements of what there is room for, 0 to 1.
    pub fill: f64,
    /// Elements at an earlier look, where the flight ring knows it.
    pub before: Option<u64>,
    /// How long ago that look was, in milliseconds.
    pub before_ms_ago: Option<u64>,
    /// Elements at each look of the ring that knows it, oldest first: milliseconds ago, elements.
    #[serde(deserialize_with = "at_most::<_, _, MAX_FEW>")]
    pub looks: Vec<(u64, u64)>,
    /// Collections of the same owner's words and type that are merged here; 1 where it is alone.
    pub count: u64,
    /// Where it stands, by which it is known again: a map its header, a slice its array; 0 where that is not
    /// known.
    #[serde(skip_serializing_if = "is_nowhere")]
    pub at: u64,
    /// Of a list or channel that keeps a good part of the heap: goroutines by number from whose stacks at
    /// most three steps lead to it, the nearest first: of a queue who fills it, and who empties it. Empty of
    /// others, and in captures up to 0.1.0.
    #[serde(deserialize_with = "at_most::<_, _, MAX_FEW>")]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub at_hand: Vec<u64>,
}

#[allow(clippy::trivially_copy_pass_by_ref)] // As serde wants it.
fn is_nowhere(at: &u64) -> bool {
    *at == 0
}

/// Collections of equal content.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct GraphCopies {
    /// Their type as `%T` spells it.
    #[serde(rename = "type")]
    pub type_name: String,
    /// How many there are.
    pub copies: u64,
    /// Elements in each.
    pub elements: u64,
    /// Bytes of each, with what it alone keeps; the mean, rounded down.
    pub bytes_each: u64,
    /// Bytes of all.
    pub total_bytes: u64,
    /// Bytes that would be free if all of them were one.
    pub savable_bytes: u64,
    /// `content`: all of it was compared; `shape`: type, number of elements and size are equal.
    pub equal: String,
    /// Who holds them, those of the most copies first.
    #[serde(deserialize_with = "at_most::<_, _, MAX_FEW>")]
    pub holders: Vec<CopyHolder>,
    /// Function that built them, where a sampled one of them says so; else empty.
    pub site: String,
    /// `file:line` of it.
    pub site_at: String,
}

/// Who holds some of the copies.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct CopyHolder {
    /// Function of the goroutines, or the package variable.
    pub function: String,
    /// Number of goroutines; 0 for a variable.
    pub goroutines: u64,
    /// Copies that it holds.
    pub copies: u64,
}

/// Memory that is kept alive and not used, of one kind, owner and type.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct GraphWaste {
    /// `subslice`: a slice that keeps a larger array; `substring`; `overcapacity`: room that was never used;
    /// `empty`: a large collection without elements; `oversized`: a map much too large for what is in it;
    /// `boxed`: small values in interfaces; `pointer-slice`: `[]*T` that could be `[]T`.
    pub kind: String,
    /// The way by which it is kept, in words of the source.
    pub owner: String,
    /// Its type as `%T` spells it.
    #[serde(rename = "type")]
    pub type_name: String,
    /// How many there are.
    pub count: u64,
    /// Bytes that they keep alive.
    pub kept_bytes: u64,
    /// Bytes of these that are used.
    pub used_bytes: u64,
    /// The others.
    pub wasted_bytes: u64,
}
