//! Quantities of a scenario as people write them: sizes (`320M`) and times (`1.5s`).

use std::fmt;
use std::time::Duration;

use serde::de::{self, Deserializer, Visitor};
use serde::{Deserialize, Serialize};

/// A size in bytes: a number, or text with K, M, G (1024-based).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Size(pub u64);

/// A time: text with `ms`, `s`, `m`, or a number of seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Span(pub u64);

impl Size {
    /// Of so many MiB.
    #[must_use]
    pub const fn mib(n: u64) -> Self {
        Self(n << 20)
    }
}

impl Span {
    /// Of so many milliseconds.
    #[must_use]
    pub const fn ms(n: u64) -> Self {
        Self(n)
    }

    /// As the standard library has it.
    #[must_use]
    pub const fn duration(self) -> Duration {
        Duration::from_millis(self.0)
    }

    /// As Go's `time.ParseDuration` reads it.
    #[must_use]
    pub fn go(self) -> String {
        format!("{}ms", self.0)
    }
}

/// Longest time that a scenario may name: a day.
const LONGEST_MS: f64 = 86_400_000.0;
/// Largest size that a scenario may name.
const LARGEST: f64 = (1_u64 << 42) as f64;

fn size(text: &str) -> Result<Size, String> {
    let text = text.trim();
    let (number, unit) = match text.char_indices().next_back() {
        Some((at, 'K')) => (&text[..at], 1_u64 << 10),
        Some((at, 'M')) => (&text[..at], 1 << 20),
        Some((at, 'G')) => (&text[..at], 1 << 30),
        _ => (text, 1),
    };
    let number: f64 =
        number.trim().parse().map_err(|_| format!("{text:?} is no size: write 320M, 16K, 4G or bytes"))?;
    let bytes = number * unit as f64;
    if !(0.0..=LARGEST).contains(&bytes) {
        return Err(format!("{text:?} is no size that a machine has"));
    }
    Ok(Size(bytes as u64))
}

fn span(text: &str) -> Result<Span, String> {
    let text = text.trim();
    let (number, ms) = if let Some(n) = text.strip_suffix("ms") {
        (n, 1.0)
    } else if let Some(n) = text.strip_suffix('s') {
        (n, 1000.0)
    } else if let Some(n) = text.strip_suffix('m') {
        (n, 60_000.0)
    } else {
        return Err(format!("{text:?} is no time: write 10s, 250ms, 2m"));
    };
    let number: f64 = number.trim().parse().map_err(|_| format!("{text:?} is no time: write 10s, 250ms, 2m"))?;
    let ms = number * ms;
    if !(0.0..=LONGEST_MS).contains(&ms) {
        return Err(format!("{text:?} is longer than a day, or negative"));
    }
    Ok(Span(ms.round() as u64))
}

struct Quantity<T> {
    what: &'static str,
    of_text: fn(&str) -> Result<T, String>,
    of_number: fn(f64) -> Result<T, String>,
}

impl<T> Visitor<'_> for Quantity<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.what)
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<T, E> {
        (self.of_text)(text).map_err(E::custom)
    }

    fn visit_i64<E: de::Error>(self, n: i64) -> Result<T, E> {
        (self.of_number)(n as f64).map_err(E::custom)
    }

    fn visit_u64<E: de::Error>(self, n: u64) -> Result<T, E> {
        (self.of_number)(n as f64).map_err(E::custom)
    }

    fn visit_f64<E: de::Error>(self, n: f64) -> Result<T, E> {
        (self.of_number)(n).map_err(E::custom)
    }
}

impl<'de> Deserialize<'de> for Size {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(Quantity {
            what: "a size: 320M, 16K, 4G, or a number of bytes",
            of_text: size,
            of_number: |n| size(&n.to_string()),
        })
    }
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(Quantity {
            what: "a time: 10s, 250ms, 2m, or a number of seconds",
            of_text: span,
            of_number: |n| span(&format!("{n}s")),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_as_people_write_them() {
        assert_eq!(size("320M"), Ok(Size::mib(320)));
        assert_eq!(size("1.5K"), Ok(Size(1536)));
        assert_eq!(size("17"), Ok(Size(17)));
        assert_eq!(span("1.5s"), Ok(Span(1500)));
        assert_eq!(span("250ms"), Ok(Span(250)));
        assert_eq!(span("2m"), Ok(Span(120_000)));
        for wrong in ["", "M", "-1M", "1e99G", "NaN", "ten"] {
            assert!(size(wrong).is_err(), "{wrong}");
        }
        for wrong in ["", "10", "s", "-1s", "1e99m", "NaNs", "10h"] {
            assert!(span(wrong).is_err(), "{wrong}");
        }
    }
}
