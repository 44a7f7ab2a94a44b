//! Who keeps what: types, roots, allocation sites, ways, and the dominator tree.

use serde::{Deserialize, Serialize};

use super::super::bounded::{MAX_FEW, at_most};

/// Live objects of one type.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct GraphType {
    /// As `%T` spells it, an array behind a slice as the slice; `unknown` with the size of a slot, where it
    /// is not known.
    pub name: String,
    /// Their number.
    pub objects: u64,
    /// Bytes of their slots.
    pub bytes: u64,
    /// What each of them keeps alive by itself, nothing counted twice.
    pub retained_bytes: u64,
}

/// What holds objects from outside the heap.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct GraphRoot {
    /// `global`: a package variable; `goroutine`: goroutines in one function of the program; `finalizer`:
    /// what finalizers and cleanups wait for; `runtime`: a variable or goroutines of the runtime's own.
    pub kind: String,
    /// The variable, as the symbol table has it, else its section and offset; the function.
    pub name: String,
    /// Type of the variable as `%T` spells it; empty where it is not known, and of goroutines.
    #[serde(rename = "type")]
    pub type_name: String,
    /// Of goroutines: the function that started most of them.
    pub created_by: String,
    /// Objects that would be garbage without it; of goroutines, without all of them together.
    pub objects: u64,
    /// Bytes of their slots.
    pub retained_bytes: u64,
    /// Number of goroutines; 0 for variables.
    pub goroutines: u64,
    /// The type that most of the retained bytes are of; empty where it is not known.
    pub mostly: String,
    /// Retained bytes of that type.
    pub mostly_bytes: u64,
    /// Where the program's code makes most of what it keeps, by type, that of most bytes first; only of types
    /// that few functions make.
    #[serde(deserialize_with = "at_most::<_, _, MAX_FEW>")]
    pub made: Vec<GraphMade>,
    /// Of a variable without a name: where the program's code writes it; only where few functions do.
    #[serde(deserialize_with = "at_most::<_, _, MAX_FEW>")]
    pub written: Vec<GraphPlace>,
}

impl GraphRoot {
    /// The places that put what it keeps into it, where its code tells: of a slice, which is written when it
    /// grows. What a map or a pointer leads to grows without the variable being written.
    #[must_use]
    pub fn grows_in(&self) -> &[GraphPlace] {
        if self.type_name.starts_with("[]") { &self.written } else { &[] }
    }
}

/// Where the program's code makes objects of one type. Code that takes the type from elsewhere (generic code,
/// reflection) is not told.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct GraphMade {
    /// Type as `%T` spells it.
    #[serde(rename = "type")]
    pub type_name: String,
    /// Objects of it that the root keeps.
    pub objects: u64,
    /// Bytes of their slots.
    pub bytes: u64,
    /// Whether they are maps, to which these places add.
    pub is_added_to: bool,
    /// The places, one of each function, by name.
    #[serde(deserialize_with = "at_most::<_, _, MAX_FEW>")]
    pub places: Vec<GraphPlace>,
}

/// Where the program's code calls functions of a library that keep something.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct GraphCalls {
    /// What they do: `mmap`, `context`, `timer`, `finalizer`.
    pub call: String,
    /// The places, one of each function, by name.
    #[serde(deserialize_with = "at_most::<_, _, MAX_FEW>")]
    pub places: Vec<GraphPlace>,
}

/// A place in the program's code.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(default)]
pub struct GraphPlace {
    /// The function; of what was inlined into the program's own code the program's.
    pub function: String,
    /// `file:line`.
    pub at: String,
}

/// Sampled live objects of one allocation site: allocated here, kept alive by that.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct GraphSite {
    /// Functions of the allocation stack, innermost first, without the runtime's.
    #[serde(deserialize_with = "at_most::<_, _, MAX_FEW>")]
    pub stack: Vec<String>,
    /// `file:line` of the first of them.
    pub at: String,
    /// Type that it allocates, as `%T` spells it; empty where it is not known.
    #[serde(rename = "type")]
    pub type_name: String,
    /// Sampled objects of it that are live.
    pub sampled: u64,
    /// Sampled objects of it that are garbage already.
    pub sampled_garbage: u64,
    /// Bytes of all live objects of it, reckoned from the samples.
    pub bytes: u64,
    /// Bytes that the sampled ones keep alive, nothing counted twice.
    pub retained_bytes: u64,
    /// The way by which most of them are kept, in words of the source.
    pub kept_by: String,
}

/// A way from a root to live objects, in words of the source: all objects that are reached by the same words.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct GraphPath {
    /// Steps, the root first: `global main.cache`, `.avids`, `[]int64`.
    #[serde(deserialize_with = "at_most::<_, _, MAX_FEW>")]
    pub steps: Vec<String>,
    /// Type of what it leads to.
    #[serde(rename = "type")]
    pub type_name: String,
    /// Objects at its end.
    pub objects: u64,
    /// Their own bytes.
    pub bytes: u64,
    /// What they keep alive.
    pub retained_bytes: u64,
}

/// A node of the dominator tree: an object, a root, or what is merged of many alike.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct GraphNode {
    /// Index of its parent, before it in the list; none of the first.
    pub parent: Option<u32>,
    /// Root's name, or the type of an object.
    pub name: String,
    /// `heap` (the first), `global`, `goroutine`, `finalizer`, `runtime`, `object`, `others`.
    pub kind: String,
    /// How many objects are merged here; 1 of a root.
    pub count: u64,
    /// Their own bytes; 0 of a root.
    pub own_bytes: u64,
    /// Objects that it retains.
    pub objects: u64,
    /// Bytes that it retains.
    pub retained_bytes: u64,
    /// Of objects that no root keeps alone, and that keep a good part of what is live: who leads to them.
    #[serde(deserialize_with = "at_most::<_, _, MAX_FEW>", skip_serializing_if = "Vec::is_empty")]
    pub led_to_by: Vec<GraphLeader>,
}

/// Goroutines in one function, or a variable, that lead to objects which others lead to as well.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct GraphLeader {
    /// `global`, `goroutine`, `finalizer`, `runtime`.
    pub kind: String,
    /// The variable; the function.
    pub name: String,
    /// How many goroutines; 0 of a variable.
    pub goroutines: u64,
    /// How many of the objects it leads to: each goroutine for itself.
    pub objects: u64,
}
