//! Times as senders write them.

use lastgasp_incident::evidence::UnixMs;
use serde_json::Value;

/// How far ahead of ours a sender's clock may be, and how late a change may be told, before it is said.
const AHEAD_MS: i64 = 120_000;
const LATE_MS: i64 = 86_400_000;

/// A moment of a text (RFC 3339, or as GitLab writes it) or of a number of seconds or milliseconds.
pub(super) fn moment(value: Option<&Value>) -> Option<UnixMs> {
    match value? {
        Value::String(text) => of_text(text),
        Value::Number(n) => of_number(n.as_f64()?),
        _ => None,
    }
}

pub(super) fn of_text(text: &str) -> Option<UnixMs> {
    let text = text.trim();
    if let Ok(at) = text.parse::<jiff::Timestamp>() {
        // The zero time of Go's programs is no time.
        return Some(at.as_millisecond()).filter(|ms| *ms > 0);
    }
    for form in ["%Y-%m-%d %H:%M:%S %z", "%Y-%m-%d %H:%M:%S UTC", "%Y-%m-%d %H:%M:%S"] {
        if let Ok(at) = jiff::Timestamp::strptime(form, text) {
            return Some(at.as_millisecond()).filter(|ms| *ms > 0);
        }
        if let Ok(at) = jiff::civil::DateTime::strptime(form, text) {
            let at = at.to_zoned(jiff::tz::TimeZone::UTC).ok()?;
            return Some(at.timestamp().as_millisecond()).filter(|ms| *ms > 0);
        }
    }
    text.parse::<f64>().ok().and_then(of_number)
}

/// Seconds, milliseconds, micro- or nanoseconds since 1970: their sizes tell them apart from 1973 on.
fn of_number(n: f64) -> Option<UnixMs> {
    let ms = match n {
        _ if !n.is_finite() || n <= 0.0 => return None,
        _ if n < 1e11 => n * 1e3,
        _ if n < 1e14 => n,
        _ if n < 1e17 => n / 1e3,
        _ if n < 1e20 => n / 1e6,
        _ => return None,
    };
    Some(ms as UnixMs)
}

/// What is to be said of a time that cannot be right, or is of long ago. It is kept as it was told.
pub(super) fn said_skew(at: UnixMs, received: UnixMs) -> Option<String> {
    let ahead = at.saturating_sub(received);
    let words = |ms: i64| {
        let s = ms / 1000;
        match s {
            0..7200 => format!("{} minutes", s / 60),
            7200..172_800 => format!("{} hours", s / 3600),
            _ => format!("{} days", s / 86_400),
        }
    };
    match ahead {
        _ if ahead > AHEAD_MS => Some(format!("by a clock that is {} ahead of ours", words(ahead))),
        _ if ahead < -LATE_MS => {
            Some(format!("told {} late, or by a clock that is behind ours", words(ahead.saturating_neg())))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn times_in_every_form() {
        const AT: i64 = 1_700_000_000_000;
        for text in [
            "2023-11-14T22:13:20Z",
            "2023-11-14T22:13:20.000000001Z",
            "2023-11-15T00:13:20+02:00",
            "2023-11-15 00:13:20 +0200",
            "2023-11-14 22:13:20 UTC",
            "1700000000",
            "1700000000000",
        ] {
            assert_eq!(of_text(text), Some(AT), "{text}");
        }
        for n in [
            json!(1_700_000_000),
            json!(1_700_000_000.0),
            json!(1_700_000_000_000_i64),
            json!(1_700_000_000_000_000_000_i64),
        ] {
            assert_eq!(moment(Some(&n)), Some(AT), "{n}");
        }
        for none in
            [json!("0001-01-01T00:00:00Z"), json!("soon"), json!(-5), json!(0), json!(1e300), json!(null), json!("")]
        {
            assert_eq!(moment(Some(&none)), None, "{none}");
        }
    }

    #[test]
    fn skew_is_said() {
        let now = 1_700_000_000_000;
        assert_eq!(said_skew(now + 60_000, now), None);
        assert_eq!(said_skew(now - 3_600_000, now), None);
        assert_eq!(said_skew(now + 7_200_000, now).unwrap(), "by a clock that is 2 hours ahead of ours");
        assert!(said_skew(now - 864_000_000, now).unwrap().contains("10 days late"));
        assert!(said_skew(i64::MAX, i64::MIN).is_some() && said_skew(i64::MIN, i64::MAX).is_some());
    }
}
