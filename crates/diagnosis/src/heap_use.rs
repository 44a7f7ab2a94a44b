//! How the heap was used up, in a word.

/// How the heap was used up: what rules about it go by, in a word, for whoever compares captures.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HeapUse {
    /// `huge-objects`, `collector-off`, `headroom`, `waiting-calls`, `calls-at-work`, `stays-alive`,
    /// `not-settled`.
    pub how: &'static str,
    /// Calls in flight of the function that they are counted by: its name; empty where there are none.
    pub calls_of: String,
    /// How many of them there are.
    pub calls: u64,
    /// Of them those that a server has called; a goroutine that the program started itself is no call for
    /// certain.
    pub served: u64,
    /// Of them those that wait for the same.
    pub waiting: u64,
    /// What those wait for; empty where none do.
    pub waits_for: &'static str,
    /// Bytes that each holds, where that was reckoned.
    pub bytes_each: Option<u64>,
}
