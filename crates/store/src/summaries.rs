//! Captures in brief, for an incident: read from the small file that each capture has, and of those that were
//! written before there was one made once and kept in a folder of the store's own.

use std::fs;
use std::io::Read as _;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use lastgasp_capture::{Capture, MANIFEST, is_own, list};
use lastgasp_incident::evidence::{CaptureSummary, Evidence, Loader, Query, UnixMs};
use lastgasp_incident::summary;

use crate::error::StoreError;
use crate::told::{Told, tell};

/// The file in a capture's folder.
pub(crate) const SUMMARY: &str = "summary.json";
/// Folder of the store for those that had none.
const KEPT: &str = ".summaries";
/// Most bytes of one that are read.
const MAX_BYTES: u64 = 1 << 20;
/// Captures of a time that are read at most, the newest.
const MAX_CAPTURES: usize = 20_000;

/// Captures of a store, as evidence.
#[derive(Clone, Debug)]
pub struct CaptureStore(pub PathBuf);

impl Loader for CaptureStore {
    type Error = StoreError;

    fn load(&self, query: &Query, into: &mut Evidence) -> Result<(), Self::Error> {
        let names = fs::metadata(&self.0).map_err(|source| StoreError::Folder { path: self.0.clone(), source })?;
        if !names.is_dir() {
            let source = std::io::Error::from(std::io::ErrorKind::NotADirectory);
            return Err(StoreError::Folder { path: self.0.clone(), source });
        }
        let since = query.since_unix_ms.unwrap_or(i64::MIN);
        let mut paths = list(&self.0);
        paths.retain(|p| {
            named_time(p).is_none_or(|t| {
                t >= since && (query.now_unix_ms <= 0 || t <= query.now_unix_ms.saturating_add(24 * 3_600_000))
            })
        });
        if paths.len() > MAX_CAPTURES {
            into.gaps.push(format!("of {} captures the newest {MAX_CAPTURES} are looked at", paths.len()));
            paths.drain(..paths.len() - MAX_CAPTURES);
        }
        let (mut damaged, mut last) = (0_usize, String::new());
        for path in paths {
            match brief(&self.0, &path) {
                Ok(s) if query.service.as_ref().is_some_and(|wanted| *wanted != s.service) => {}
                Ok(s) if s.taken_unix_ms < since => {}
                Ok(s) => into.captures.push(s),
                // It went to make room.
                Err(_) if !path.exists() => {}
                Err(e) => (damaged, last) = (damaged + 1, e.to_string()),
            }
        }
        if damaged > 0 {
            into.gaps.push(format!("{damaged} captures could not be read and are left out, the last of them: {last}"));
        }
        Ok(())
    }
}

/// When a capture was taken, by the name of its folder; `None` of another name.
fn named_time(path: &Path) -> Option<UnixMs> {
    let name = path.file_name()?.to_str()?;
    let (stamp, _) = name.split_once('-')?;
    let time = jiff::civil::DateTime::strptime("%Y%m%dT%H%M%S", stamp).ok()?;
    Some(time.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp().as_millisecond())
}

/// A capture in brief.
///
/// # Errors
/// [`StoreError`]: what is wrong with it.
pub fn brief(store: &Path, path: &Path) -> Result<CaptureSummary, StoreError> {
    let shown = |s: CaptureSummary| CaptureSummary { path: path.display().to_string(), ..s };
    // What others have laid there says nothing.
    if let Some(s) = is_own(path).then(|| stored(&path.join(SUMMARY))).flatten() {
        return Ok(shown(s));
    }
    let kept = kept_name(store, path);
    if let Some(s) = kept.as_ref().filter(|_| is_own(&store.join(KEPT))).and_then(|k| stored(k)) {
        return Ok(shown(s));
    }
    let capture = Capture::open(path)?;
    let told = tell(path)?;
    let made = of_told(&told, &folder_name(path), &capture.manifest().cause, capture.manifest().light);
    if let Some(kept) = kept {
        // A store that cannot be written to is read anew the next time.
        keep(&kept, &made);
    }
    Ok(shown(made))
}

/// The summary of what is told of a capture.
pub(crate) fn of_told(told: &Told<'_>, folder: &str, cause: &str, light: bool) -> CaptureSummary {
    summary(&told.facts, &told.diagnosis, folder, cause, light)
}

fn folder_name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// A summary of this form, in a file of bounded size.
fn stored(path: &Path) -> Option<CaptureSummary> {
    let mut text = Vec::new();
    fs::File::open(path).ok()?.take(MAX_BYTES).read_to_end(&mut text).ok()?;
    let s: CaptureSummary = serde_json::from_slice(&text).ok()?;
    (s.schema == CaptureSummary::SCHEMA).then_some(s)
}

/// Where it is kept: with the manifest's time in the name, since a capture may be written once more.
fn kept_name(store: &Path, path: &Path) -> Option<PathBuf> {
    let manifest = fs::metadata(path.join(MANIFEST)).ok()?;
    let name = format!("{}.{}.{:09}.json", folder_name(path), manifest.mtime(), manifest.mtime_nsec());
    Some(store.join(KEPT).join(name))
}

/// Keeps one, whole or not at all.
fn keep(path: &Path, made: &CaptureSummary) {
    let Some(folder) = path.parent() else { return };
    if fs::DirBuilder::new().mode(0o700).create(folder).is_err() && !is_own(folder) {
        return;
    }
    let partial = path.with_extension(format!("partial-{}", std::process::id()));
    let written = || -> std::io::Result<()> {
        let file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&partial)?;
        serde_json::to_writer(std::io::BufWriter::new(file), made)?;
        fs::rename(&partial, path)
    };
    if let Err(e) = written() {
        tracing::debug!("{}: the summary is not kept: {e}", path.display());
        let _ = fs::remove_file(&partial);
    }
}

#[cfg(test)]
mod tests {
    use lastgasp_capture::{FACTS, Manifest, Writer};
    use lastgasp_diagnosis::Facts;

    use super::*;
    use crate::write::write;

    fn decoded(pid: i32, service: &str) -> lastgasp_decode::Decoded {
        let mut facts = Facts { schema: lastgasp_diagnosis::facts::SCHEMA.into(), ..Facts::default() };
        (facts.target.pid, facts.target.service) = (pid, service.into());
        facts.capture.taken_at = "2026-11-26T10:00:00.000Z".into();
        facts.capture.phase = "post-kill".into();
        facts.capture.reason = "oom-kill".into();
        lastgasp_decode::Decoded { facts, monotonic_ns: 0, unix_ns: 1_795_687_200_000_000_000 }
    }

    fn load(store: &Path, query: Query) -> Evidence {
        let mut out = Evidence::default();
        CaptureStore(store.into()).load(&query, &mut out).unwrap();
        out
    }

    #[test]
    fn captures_of_now_and_of_before_and_damaged_ones() {
        let store = tempfile::tempdir().unwrap();
        let path = write(store.path(), &decoded(7, "svc")).unwrap();
        assert!(path.join(SUMMARY).is_file());
        let old = write(store.path(), &decoded(8, "svc")).unwrap();
        fs::remove_file(old.join(SUMMARY)).unwrap();
        write(store.path(), &decoded(9, "other")).unwrap();
        let bad = write(store.path(), &decoded(10, "svc")).unwrap();
        fs::write(bad.join(SUMMARY), "{").unwrap();
        fs::write(bad.join(FACTS), "damaged").unwrap();
        let mut w = Writer::create(store.path(), "20200101T000000-svc-1-post-kill").unwrap();
        w.add(FACTS, b"x").unwrap();
        w.seal(Manifest::default()).unwrap();
        let query = || Query {
            service: Some("svc".into()),
            since_unix_ms: Some(1_795_600_000_000),
            now_unix_ms: 1_795_690_000_000,
        };
        let got = load(store.path(), query());
        let pids: Vec<i32> = got.captures.iter().map(|c| c.pid).collect();
        assert_eq!(pids, [7, 8]);
        assert!(got.gaps.len() == 1 && got.gaps[0].starts_with("1 captures could not be read"), "{:?}", got.gaps);
        assert_eq!(fs::read_dir(store.path().join(KEPT)).unwrap().count(), 1, "that of the older one is kept");
        assert_eq!(list(store.path()).len(), 5, "and is no capture");
        assert_eq!(load(store.path(), query()).captures, got.captures);
    }

    #[test]
    fn no_store_is_an_error_and_an_empty_one_is_not() {
        let store = tempfile::tempdir().unwrap();
        assert_eq!(load(store.path(), Query::default()), Evidence::default());
        let none = CaptureStore(store.path().join("none")).load(&Query::default(), &mut Evidence::default());
        assert!(none.unwrap_err().to_string().contains("none"));
    }
}
