//! When a process started: `started_at` in every contract (the report, messages, the status document,
//! `ps --json`). What had another name before still has it: `started_unix` in messages, `started_at_unix` in
//! `ps --json`, in seconds.

/// RFC 3339 of seconds since 1970; `None` for 0, which stands for unknown.
#[must_use]
pub fn started_at(unix_seconds: u64) -> Option<String> {
    let at = i64::try_from(unix_seconds).ok().filter(|s| *s > 0)?;
    jiff::Timestamp::from_second(at).ok().map(|t| t.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn starts_as_text() {
        for (seconds, text) in [
            (0, None),
            (1, Some("1970-01-01T00:00:01Z")),
            (1_700_000_000, Some("2023-11-14T22:13:20Z")),
            (u64::MAX, None),
            (i64::MAX.cast_unsigned(), None),
        ] {
            assert_eq!(started_at(seconds).as_deref(), text, "{seconds}");
        }
    }
}
