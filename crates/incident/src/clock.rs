//! Times for people and for contracts.

use crate::evidence::UnixMs;

/// Time of day for people, UTC: `14:02:41Z`.
#[must_use]
pub fn clock(at: UnixMs) -> String {
    jiff::Timestamp::from_millisecond(at).map_or_else(|_| "?".into(), |t| t.strftime("%H:%M:%SZ").to_string())
}

/// RFC 3339 with milliseconds.
#[must_use]
pub fn rfc3339(at: UnixMs) -> String {
    jiff::Timestamp::from_millisecond(at).map_or_else(|_| String::new(), |t| format!("{t:.3}"))
}
