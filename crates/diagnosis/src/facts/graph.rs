//! The heap as a graph: what is live, and what keeps it.

use serde::{Deserialize, Serialize};

use super::bounded::{MAX_FEW, at_most};

/// The heap's graph, where one was made: of a core file.
///
/// Of what a goroutine and a package variable both hold the variable is the holder: it stays when the
/// goroutine ends.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct GraphFacts {
    /// What it was read from: `core`.
    pub source: String,
    /// Objects that something holds; several tiny ones in a slot count as one.
    pub objects: u64,
    /// Bytes of their slots.
    pub live_bytes: u64,
    /// Objects that nothing holds, as far as roots are known.
    pub garbage_objects: u64,
    /// Bytes of their slots.
    pub garbage_bytes: u64,
    /// Bytes of the live objects whose type is known.
    pub typed_bytes: u64,
    /// Whether what goroutines hold was taken from every word of their stacks: a variable that is not used
    /// any more may hold something by it.
    pub conservative: bool,
    /// Roots that were not looked for: what they alone hold counts as garbage.
    #[serde(deserialize_with = "at_most::<_, _, MAX_FEW>")]
    pub roots_not_read: Vec<String>,
    /// Live objects that several roots of different names hold, and none of them alone.
    pub shared_objects: u64,
    /// Bytes of their slots.
    pub shared_bytes: u64,
    /// Types of live objects: those of the most bytes.
    #[serde(deserialize_with = "at_most::<_, _, MAX_FEW>")]
    pub types: Vec<GraphType>,
    /// Who holds: those that keep the most bytes alive.
    #[serde(deserialize_with = "at_most::<_, _, MAX_FEW>")]
    pub roots: Vec<GraphRoot>,
}

impl GraphFacts {
    /// Part of the live bytes whose type is known; 0 of an empty heap.
    #[must_use]
    pub fn typed_share(&self) -> f64 {
        self.typed_bytes as f64 / self.live_bytes.max(1) as f64
    }
}

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
    /// `global`: a package variable; `goroutine`: goroutines in one function of the program; `runtime`: a
    /// variable or goroutines of the runtime's own.
    pub kind: String,
    /// The variable, as the symbol table has it, else its section and offset; the function.
    pub name: String,
    /// Objects that would be garbage without it; of goroutines, without all of them together.
    pub objects: u64,
    /// Bytes of their slots.
    pub retained_bytes: u64,
    /// Number of goroutines; 0 for variables.
    pub goroutines: u64,
}
