//! One line: a record, and the checksum of its bytes.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// Longest line that is written or read, in bytes.
pub(crate) const MAX_LINE: usize = 256 << 10;

#[derive(Serialize)]
struct Written<'a> {
    /// CRC-32 of the bytes of `e`, in hex.
    crc: String,
    e: &'a RawValue,
}

#[derive(Deserialize)]
struct Read<'a> {
    #[serde(borrow, default)]
    crc: Option<&'a str>,
    #[serde(borrow)]
    e: &'a RawValue,
}

/// A record as a line, its end included; `None` for one that is too long.
pub(crate) fn line(record: &impl Serialize) -> Option<Vec<u8>> {
    let e = serde_json::value::to_raw_value(record).ok()?;
    let crc = format!("{:08x}", crc32fast::hash(e.get().as_bytes()));
    let mut line = serde_json::to_vec(&Written { crc, e: &e }).ok()?;
    line.push(b'\n');
    (line.len() <= MAX_LINE).then_some(line)
}

/// A record of a line; `None` of one that is damaged. Where there is no checksum, which somebody's hand may
/// have left out, the JSON is believed.
pub(crate) fn record<T: DeserializeOwned>(line: &[u8]) -> Option<T> {
    let read: Read<'_> = serde_json::from_slice(line).ok()?;
    if let Some(crc) = read.crc
        && u32::from_str_radix(crc, 16).ok()? != crc32fast::hash(read.e.get().as_bytes())
    {
        return None;
    }
    serde_json::from_str(read.e.get()).ok()
}

#[cfg(test)]
mod tests {
    use lastgasp_incident::evidence::Change;

    use super::*;

    #[test]
    fn a_damaged_line_is_known() {
        let change = Change { id: "7".into(), key: "ugctab".into(), elements: Some(230_184), ..Change::default() };
        let whole = line(&change).unwrap();
        assert_eq!(record::<Change>(&whole), Some(change.clone()));
        for at in 0..whole.len() - 1 {
            let mut damaged = whole.clone();
            damaged[at] ^= 1;
            // A letter of the key `crc` that is another is a line without a checksum.
            let read = record::<Change>(&damaged);
            assert!(read.is_none() || read.as_ref() == Some(&change), "{}", String::from_utf8_lossy(&damaged));
        }
        for length in 0..whole.len() - 1 {
            assert_eq!(record::<Change>(&whole[..length]), None);
        }
        assert_eq!(record::<Change>(br#"{"e":{"id":"by hand"}}"#).unwrap().id, "by hand");
        let long = Change { title: "x".repeat(MAX_LINE), ..change };
        assert!(line(&long).is_none());
    }
}
