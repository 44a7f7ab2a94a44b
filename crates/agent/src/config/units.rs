//! Sizes and times as people write them: `2G`, `250ms`, `1h`.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::de::{self, Deserializer, Visitor};
use serde::{Deserialize, Serialize, Serializer};

/// Bytes: a number, or text with K, M, G, T (1024-based).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Bytes(pub(crate) u64);

/// A time: text with a unit, `250ms`, `5s`, `10m`, `1h`, `1d`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Time(pub(crate) Duration);

/// Bytes of a text such as `1536M`, `2GiB`, `1000000`.
///
/// # Errors
/// What is wrong with the text.
pub fn size(text: &str) -> Result<u64, String> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = text.get(digits.len()..).unwrap_or_default().to_ascii_lowercase();
    let factor: u64 = match unit.trim_end_matches("ib").trim_end_matches('b') {
        "" => 1,
        "k" => 1 << 10,
        "m" => 1 << 20,
        "g" => 1 << 30,
        "t" => 1 << 40,
        other => return Err(format!("unknown unit {other:?}: use K, M, G or T")),
    };
    let n: f64 = digits.parse().map_err(|_| format!("{digits:?} is not a number"))?;
    let bytes = n * factor as f64;
    if !(1.0..=1e18).contains(&bytes) {
        return Err("out of range".into());
    }
    Ok(bytes as u64)
}

/// A time of a text such as `250ms`, `5s`.
///
/// # Errors
/// What is wrong with the text.
pub fn time(text: &str) -> Result<Duration, String> {
    text.parse::<Time>().map(|t| t.0)
}

impl FromStr for Time {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let span: jiff::Span =
            text.parse().map_err(|_| format!("{text:?} is not a time: write 250ms, 5s, 10m, 1h, 1d"))?;
        let days = jiff::SpanRelativeTo::days_are_24_hours();
        let time = span.to_duration(days).ok().and_then(|d| Duration::try_from(d).ok());
        time.map(Self)
            .ok_or_else(|| format!("{text:?} is not a time that can be waited for: write 250ms, 5s, 10m, 1h, 1d"))
    }
}

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (shift, unit) in [(40, "T"), (30, "G"), (20, "M"), (10, "K")] {
            if self.0 >> shift > 0 && self.0 & ((1 << shift) - 1) == 0 {
                return write!(f, "{}{unit}", self.0 >> shift);
            }
        }
        write!(f, "{}", self.0)
    }
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ms = self.0.as_millis();
        for (unit_ms, unit) in [(86_400_000, "d"), (3_600_000, "h"), (60_000, "m"), (1000, "s")] {
            if ms >= unit_ms && ms.is_multiple_of(unit_ms) {
                return write!(f, "{}{unit}", ms / unit_ms);
            }
        }
        write!(f, "{ms}ms")
    }
}

impl Serialize for Bytes {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Number;
        impl Visitor<'_> for Number {
            type Value = Bytes;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a size: bytes, or text such as \"2G\"")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Bytes, E> {
                size(text).map(Bytes).map_err(E::custom)
            }

            fn visit_i64<E: de::Error>(self, n: i64) -> Result<Bytes, E> {
                u64::try_from(n).ok().filter(|n| *n > 0).map(Bytes).ok_or_else(|| E::custom("out of range"))
            }
        }
        from.deserialize_any(Number)
    }
}

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        String::deserialize(from)?.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes() {
        assert_eq!(size("1536M"), Ok(1536 << 20));
        assert_eq!(size("2GiB"), Ok(2 << 30));
        assert_eq!(size("1.5g"), Ok(3 << 29));
        assert_eq!(size("1000000"), Ok(1_000_000));
        assert!(size("12x").is_err() && size("").is_err() && size("-1").is_err() && size("0").is_err());
    }

    #[test]
    fn times() {
        let time = |t: &str| t.parse::<Time>().map(|t| t.0);
        assert_eq!(time("250ms"), Ok(Duration::from_millis(250)));
        assert_eq!(time("1.5s"), Ok(Duration::from_millis(1500)));
        assert_eq!(time("1d"), Ok(Duration::from_secs(86_400)));
        assert_eq!(time("1h30m"), Ok(Duration::from_secs(5400)));
        assert!(["5", "", "-1s", "soon", "1y"].iter().all(|t| time(t).is_err()));
    }

    #[test]
    fn what_is_printed_is_read_back() {
        for bytes in [1, 1000, 1 << 10, 3 << 29, 2 << 30, (1 << 40) + 1] {
            assert_eq!(size(&Bytes(bytes).to_string()), Ok(bytes));
        }
        for ms in [1, 250, 1800, 60_000, 90_000, 3_600_000, 86_400_000] {
            let time = Time(Duration::from_millis(ms));
            assert_eq!(time.to_string().parse(), Ok(time));
        }
        assert_eq!(Bytes(2 << 30).to_string(), "2G");
        assert_eq!(Time(Duration::from_secs(600)).to_string(), "10m");
    }
}
