//! The verdict on an incident, as far as messages have it.

/// What an incident is, as far as messages tell of it.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Verdict {
    pub(super) service: String,
    pub(super) sentence: String,
    pub(super) confidence: f64,
    pub(super) kind: String,
    pub(super) key: String,
    pub(super) at: Option<i64>,
    pub(super) kills: u64,
    pub(super) first: i64,
    pub(super) act: Option<String>,
}
