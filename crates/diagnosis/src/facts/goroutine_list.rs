//! Goroutines one by one, compact: of each its number, and by index what it has in common with others.
//!
//! A hundred thousand goroutines are two or three megabytes of JSON: they are stored by column, and a column
//! in which all have the default is left out.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::bounded::{MAX_GOROUTINES, MAX_SITES, at_most};
use super::goroutine_state::GoroutineState;
use super::key::Key;

/// Goroutines but the runtime's own, with the tables that they name by index.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct GoroutineList {
    /// Goroutines, in the order of the runtime's own list.
    pub each: Each,
    /// What goroutines have in common.
    #[serde(deserialize_with = "at_most::<_, _, MAX_SITES>")]
    pub kinds: Vec<Kind>,
    /// Stacks as they were, those of alike goroutines once.
    #[serde(deserialize_with = "at_most::<_, _, MAX_SITES>")]
    pub stacks: Vec<Stack>,
    /// Calls of stacks.
    #[serde(deserialize_with = "at_most::<_, _, MAX_SITES>")]
    pub calls: Vec<Call>,
    /// `go` statements, and where ancestors stood.
    #[serde(deserialize_with = "at_most::<_, _, MAX_SITES>")]
    pub places: Vec<Place>,
    /// Sets of profiler labels (`pprof.Do`). The first is the empty one.
    #[serde(deserialize_with = "at_most::<_, _, MAX_SITES>")]
    pub labels: Vec<LabelSet>,
    /// Lists of ancestors (`GODEBUG=tracebackancestors=N`). The first is the empty one.
    #[serde(deserialize_with = "at_most::<_, _, MAX_SITES>")]
    pub ancestors: Vec<Ancestry>,
}

/// A goroutine.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Goroutine {
    /// `goid`: unique within the process, never given twice.
    pub id: u64,
    /// Index into `kinds`.
    pub kind: u32,
    /// The goroutine that started it (from Go 1.21 on); 0 if it is not known.
    pub parent: u64,
    /// Milliseconds that it has waited at least: since the GC that first saw it waiting. 0 if none has.
    pub waited_ms: u64,
    /// Index into `labels`.
    pub labels: u32,
    /// Index into `ancestors`.
    pub ancestors: u32,
}

/// What goroutines have in common.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(default)]
pub struct Kind {
    /// Status.
    pub state: GoroutineState,
    /// Reason why they wait, as Go names it; empty if they do not.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub wait_reason: String,
    /// Index into `stacks`.
    pub stack: u32,
    /// Why the stack ends early; absent if it is whole.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cut: Option<String>,
    /// Whether the stack was reconstructed without registers.
    #[serde(skip_serializing_if = "is_false")]
    pub approximate: bool,
    /// Whether the stack was left out of the copy, there being too many: `stack` is that of another that
    /// stopped at the same instruction.
    #[serde(skip_serializing_if = "is_false")]
    pub left_out: bool,
    /// Whether they are locked to their threads.
    #[serde(skip_serializing_if = "is_false")]
    pub locked: bool,
    /// The `go` statement, an index into `places`; absent for the first goroutine.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created_by: Option<u32>,
    /// Bytes of the stack of each.
    pub stack_bytes: u64,
}

/// A stack.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Stack {
    /// Indices into `calls`, innermost first; `runtime.goexit`, and what Go's tracebacks hide, included.
    pub calls: Vec<u32>,
}

/// A call on a stack.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(default)]
pub struct Call {
    /// Index into `frames`.
    pub frame: u32,
    /// The instruction, in bytes from where the code starts (`target.code`); the same for all calls that are
    /// inlined into each other there.
    pub pc: u64,
    /// From the function's entry to the program counter; absent for inlined calls and at the entry itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub offset: Option<u64>,
    /// Inlined into the next call.
    #[serde(skip_serializing_if = "is_false")]
    pub inlined: bool,
    /// It takes arguments.
    #[serde(skip_serializing_if = "is_false")]
    pub arguments: bool,
    /// The compiler made it, and Go's tracebacks hide it.
    #[serde(skip_serializing_if = "is_false")]
    pub elided: bool,
    /// On the stack of the thread (`g0`): the runtime at work for the goroutine.
    #[serde(skip_serializing_if = "is_false")]
    pub system: bool,
}

/// A place in the code where a goroutine was started, or where its starter stood.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(default)]
pub struct Place {
    /// Index into `frames`.
    pub frame: u32,
    /// The function that it was compiled into; absent where that is the frame's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub function: Option<String>,
    /// From that function's entry to the program counter.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub offset: Option<u64>,
}

/// A set of profiler labels, by key.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct LabelSet {
    /// The labels.
    pub labels: Vec<Label>,
}

/// A profiler label.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Label {
    /// Its key, as the program wrote it.
    pub key: String,
    /// Hash of its value with a salt that is made for one capture and kept nowhere.
    pub value_hash: Key,
}

/// Goroutines that led to one, the nearest first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Ancestry {
    /// The ancestors.
    pub ancestors: Vec<Ancestor>,
}

/// A goroutine that led to another.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ancestor {
    /// Its number; it may be gone.
    pub id: u64,
    /// Its stack at the `go` statement, innermost first: indices into `places`.
    pub stack: Vec<u32>,
    /// Who started it, an index into `places`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_by: Option<u32>,
}

fn is_false(b: &bool) -> bool {
    !b
}

/// Goroutines, stored by column.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Each(pub Vec<Goroutine>);

impl fmt::Debug for Each {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl std::ops::Deref for Each {
    type Target = Vec<Goroutine>;

    fn deref(&self) -> &Vec<Goroutine> {
        &self.0
    }
}

impl FromIterator<Goroutine> for Each {
    fn from_iter<I: IntoIterator<Item = Goroutine>>(from: I) -> Self {
        Self(from.into_iter().collect())
    }
}

/// Columns as they are stored: of a goroutine that a column does not reach the default.
#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
struct Columns {
    #[serde(skip_serializing_if = "Vec::is_empty", deserialize_with = "at_most::<_, _, MAX_GOROUTINES>")]
    id: Vec<u64>,
    #[serde(skip_serializing_if = "Vec::is_empty", deserialize_with = "at_most::<_, _, MAX_GOROUTINES>")]
    kind: Vec<u32>,
    #[serde(skip_serializing_if = "Vec::is_empty", deserialize_with = "at_most::<_, _, MAX_GOROUTINES>")]
    parent: Vec<u64>,
    #[serde(skip_serializing_if = "Vec::is_empty", deserialize_with = "at_most::<_, _, MAX_GOROUTINES>")]
    waited_ms: Vec<u64>,
    #[serde(skip_serializing_if = "Vec::is_empty", deserialize_with = "at_most::<_, _, MAX_GOROUTINES>")]
    labels: Vec<u32>,
    #[serde(skip_serializing_if = "Vec::is_empty", deserialize_with = "at_most::<_, _, MAX_GOROUTINES>")]
    ancestors: Vec<u32>,
}

impl Serialize for Each {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        fn column<T: Default + PartialEq>(of: &[Goroutine], get: impl Fn(&Goroutine) -> T) -> Vec<T> {
            let all: Vec<T> = of.iter().map(get).collect();
            if all.iter().all(|v| *v == T::default()) { Vec::new() } else { all }
        }
        Columns {
            // As many as there are goroutines.
            id: self.0.iter().map(|g| g.id).collect(),
            kind: column(&self.0, |g| g.kind),
            parent: column(&self.0, |g| g.parent),
            waited_ms: column(&self.0, |g| g.waited_ms),
            labels: column(&self.0, |g| g.labels),
            ancestors: column(&self.0, |g| g.ancestors),
        }
        .serialize(to)
    }
}

impl<'de> Deserialize<'de> for Each {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        fn at<T: Copy + Default>(column: &[T], i: usize) -> T {
            column.get(i).copied().unwrap_or_default()
        }
        let c = Columns::deserialize(from)?;
        let one = |(i, id): (usize, &u64)| Goroutine {
            id: *id,
            kind: at(&c.kind, i),
            parent: at(&c.parent, i),
            waited_ms: at(&c.waited_ms, i),
            labels: at(&c.labels, i),
            ancestors: at(&c.ancestors, i),
        };
        Ok(c.id.iter().enumerate().map(one).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_long_as_the_numbers() {
        let g = |id, kind, waited_ms| Goroutine { id, kind, waited_ms, ..Goroutine::default() };
        for (why, json, each) in [
            ("none", "{}", vec![]),
            ("whole", r#"{"id":[1,7],"kind":[0,3],"waited_ms":[5,0]}"#, vec![g(1, 0, 5), g(7, 3, 0)]),
            ("all the default", r#"{"id":[1,7]}"#, vec![g(1, 0, 0), g(7, 0, 0)]),
            ("too short", r#"{"id":[1,7],"kind":[2]}"#, vec![g(1, 2, 0), g(7, 0, 0)]),
            ("too long", r#"{"id":[1],"kind":[2,3,4]}"#, vec![g(1, 2, 0)]),
            ("no numbers", r#"{"kind":[2,3,4]}"#, vec![]),
            ("a column of the future", r#"{"id":[1],"cpu_ns":[9]}"#, vec![g(1, 0, 0)]),
        ] {
            let read: Each = serde_json::from_str(json).unwrap();
            assert_eq!(read.0, each, "{why}");
            let again: Each = serde_json::from_str(&serde_json::to_string(&read).unwrap()).unwrap();
            assert_eq!(again, read, "{why}");
        }
        let whole = serde_json::to_string(&Each(vec![g(1, 0, 5), g(7, 3, 0)])).unwrap();
        assert_eq!(whole, r#"{"id":[1,7],"kind":[0,3],"waited_ms":[5,0]}"#);
    }

    /// What the largest services have, and what it takes.
    #[test]
    fn a_hundred_thousand_goroutines_are_a_few_megabytes() {
        const MANY: u64 = 100_000;
        let each = (0..MANY).map(|i| Goroutine {
            id: 5_000_000 + i,
            kind: (i % 300) as u32,
            parent: 4_000_000 + i / 2,
            waited_ms: 3_600_000 + i % 7777,
            labels: 0,
            ancestors: 0,
        });
        let kind =
            |i: u32| Kind { stack: i, wait_reason: "chan receive".into(), created_by: Some(i), ..Kind::default() };
        let list =
            GoroutineList { each: each.collect(), kinds: (0..300).map(kind).collect(), ..GoroutineList::default() };
        let json = serde_json::to_vec(&list).unwrap();
        assert!(json.len() < 3 << 20, "{} bytes", json.len());
        assert_eq!(serde_json::from_slice::<GoroutineList>(&json).unwrap(), list);
    }
}
