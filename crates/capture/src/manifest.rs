//! `manifest.json`: what a capture is and what it lacks. Every field is optional to a reader and none is ever
//! renamed.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// The manifest.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Manifest {
    /// `lastgasp.capture/1`.
    pub schema: String,
    /// The folder's name.
    pub id: String,
    /// RFC 3339.
    pub taken_at: String,
    /// `pre-kill`, `post-kill`, `manual`.
    pub phase: String,
    /// `forecast`, `oom-kill`, `killed`, `manual`.
    pub reason: String,
    /// Version of the writer.
    pub lastgasp_version: String,
    /// Who was captured: pid, service, versions.
    pub target: serde_json::Value,
    /// Whether nothing is missing.
    pub complete: bool,
    /// What it shows, so that two of the same cause have the same: service, version, culprit; absent where
    /// nobody has asked.
    pub cause: String,
    /// Whether it is one of many of its cause, of which others are whole.
    pub light: bool,
    /// What is missing, and why.
    pub gaps: Vec<GapEntry>,
    /// All other files.
    pub files: Vec<FileEntry>,
}

impl Manifest {
    /// The version of this form.
    pub const SCHEMA: &'static str = "lastgasp.capture/1";
    /// Name of the form, before its version.
    pub(crate) const NAME: &'static str = "lastgasp.capture/";

    /// Reads a manifest of this version or of a later one. What a later one says in another form than is
    /// known here is left out, and a gap says so.
    pub(crate) fn read(json: &[u8]) -> Result<Self, serde_json::Error> {
        let strict = serde_json::from_slice::<Self>(json);
        match &strict {
            Err(e) if e.is_data() => {}
            _ => return strict,
        }
        let parts: Parts<'_> = serde_json::from_slice(json)?;
        let schema: String = parts.schema.and_then(|raw| serde_json::from_str(raw.get()).ok()).unwrap_or_default();
        if schema == Self::SCHEMA || !schema.starts_with(Self::NAME) {
            return strict;
        }
        let mut lost = Vec::new();
        let mut manifest = Self {
            schema,
            id: part("id", parts.id, &mut lost),
            taken_at: part("taken_at", parts.taken_at, &mut lost),
            phase: part("phase", parts.phase, &mut lost),
            reason: part("reason", parts.reason, &mut lost),
            lastgasp_version: part("lastgasp_version", parts.lastgasp_version, &mut lost),
            target: part("target", parts.target, &mut lost),
            complete: part("complete", parts.complete, &mut lost),
            cause: part("cause", parts.cause, &mut lost),
            light: part("light", parts.light, &mut lost),
            gaps: part("gaps", parts.gaps, &mut lost),
            files: part("files", parts.files, &mut lost),
        };
        let why = "a later lastgasp has written it in another form";
        manifest.gaps.extend(lost.iter().map(|f| GapEntry { what: format!("manifest: {f}"), why: why.into() }));
        Ok(manifest)
    }
}

fn part<T: DeserializeOwned + Default>(name: &'static str, raw: Option<&RawValue>, lost: &mut Vec<&'static str>) -> T {
    let Some(raw) = raw else { return T::default() };
    serde_json::from_str(raw.get()).unwrap_or_else(|_| {
        lost.push(name);
        T::default()
    })
}

/// The fields as text.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Parts<'a> {
    #[serde(borrow)]
    schema: Option<&'a RawValue>,
    id: Option<&'a RawValue>,
    taken_at: Option<&'a RawValue>,
    phase: Option<&'a RawValue>,
    reason: Option<&'a RawValue>,
    lastgasp_version: Option<&'a RawValue>,
    target: Option<&'a RawValue>,
    complete: Option<&'a RawValue>,
    cause: Option<&'a RawValue>,
    light: Option<&'a RawValue>,
    gaps: Option<&'a RawValue>,
    files: Option<&'a RawValue>,
}

/// Something missing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct GapEntry {
    /// What.
    pub what: String,
    /// Why.
    pub why: String,
}

/// A file of the capture.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct FileEntry {
    /// Name in the folder.
    pub name: String,
    /// Length.
    pub bytes: u64,
    /// CRC-32 (IEEE) in hex.
    pub crc32: String,
}

impl FileEntry {
    /// Of a file's content.
    #[must_use]
    pub fn of(name: &str, content: &[u8]) -> Self {
        Self { name: name.into(), bytes: content.len() as u64, crc32: format!("{:08x}", crc32fast::hash(content)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_later_manifest_is_read_as_far_as_it_is_known() {
        for (json, lost) in [
            (r#""id":"x","sealed_by":"me""#, &[] as &[&str]),
            (r#""id":"x","files":{"facts.json.gz":{"sha256":"ab"}}"#, &["manifest: files"]),
            (r#""id":"x","phase":{"name":"manual"},"gaps":7"#, &["manifest: phase", "manifest: gaps"]),
        ] {
            let m = Manifest::read(format!(r#"{{"schema":"lastgasp.capture/2",{json}}}"#).as_bytes()).unwrap();
            assert_eq!((m.schema.as_str(), m.id.as_str()), ("lastgasp.capture/2", "x"));
            assert_eq!(m.gaps.iter().map(|g| g.what.as_str()).collect::<Vec<_>>(), lost, "{json}");
        }
        for damaged in [
            "",
            "{",
            r#"{"schema":"lastgasp.capture/1","gaps":7}"#,
            r#"{"schema":"other/2","gaps":7}"#,
            r#"{"schema":7}"#,
        ] {
            assert!(Manifest::read(damaged.as_bytes()).is_err(), "{damaged}");
        }
    }
}
