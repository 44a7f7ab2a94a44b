//! What a report tells: one capture, or a death by all its captures that stand beside each other in a store.

use std::borrow::Cow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use lastgasp_diagnosis::facts::{Gap, GenerationBefore, Phase};
use lastgasp_diagnosis::{CaptureOf, Diagnosis, Facts, diagnose, diagnose_death};

use crate::error::StoreError;
use crate::read::read;
use crate::siblings::{Sibling, Siblings};

/// What a report tells.
#[derive(Clone, Debug)]
pub struct Told<'a> {
    /// Of one capture, or joined of all of one death.
    pub facts: Cow<'a, Facts>,
    /// What the rules say of them.
    pub diagnosis: Diagnosis,
    /// Folder of the capture that it is told by: of a death the one from after it. `None`: it is not written
    /// yet.
    pub path: Option<PathBuf>,
}

impl<'a> Told<'a> {
    /// One capture by itself.
    #[must_use]
    pub fn alone(facts: &'a Facts) -> Self {
        Self { facts: Cow::Borrowed(facts), diagnosis: diagnose(facts), path: None }
    }

    /// A capture that is about to be written to `store`: of a death with the captures from before it that are
    /// there already.
    #[must_use]
    pub fn in_store(facts: &'a Facts, store: &Path) -> Self {
        match facts.capture.phase {
            Phase::PostKill => Self::with(facts, Siblings::of(facts, store), |_| None),
            _ => Self::alone(facts),
        }
    }

    /// The capture from after a death with its siblings, the facts of some of which may be known.
    pub(crate) fn with(facts: &'a Facts, siblings: Siblings, known: impl Fn(&Sibling) -> Option<Arc<Facts>>) -> Self {
        death(facts, "", siblings, known).unwrap_or_else(|| Self::alone(facts))
    }

    /// The same, owned.
    #[must_use]
    pub fn into_owned(self) -> Told<'static> {
        Told { facts: Cow::Owned(self.facts.into_owned()), diagnosis: self.diagnosis, path: self.path }
    }
}

/// Reads what there is to tell of a capture: where its process died the whole death, by every capture of it
/// that stands in the same folder. Whichever of them is named, the same is told.
///
/// # Errors
/// [`StoreError`]: what is wrong with the folder or its facts.
pub fn tell(path: &Path) -> Result<Told<'static>, StoreError> {
    let facts = read(path)?;
    // Where it really stands, whatever link it was found by.
    let real = std::fs::canonicalize(path).unwrap_or_else(|_| path.into());
    let shown = std::path::absolute(path).unwrap_or_else(|_| path.into());
    if let (Some(store), Some(folder)) = (real.parent(), real.file_name()) {
        let folder = folder.to_string_lossy();
        let told = match facts.capture.phase {
            Phase::PostKill => {
                let told = death(&facts, &folder, Siblings::of(&facts, store), |_| None);
                told.map(|told| (told.into_owned(), shown.clone()))
            }
            Phase::PreKill => death_after(&facts, &folder, store),
            _ => None,
        };
        if let Some((told, path)) = told {
            return Ok(Told { path: Some(path), ..told });
        }
    }
    Ok(Told { path: Some(shown), ..Told::alone(&facts).into_owned() })
}

/// The death that a capture from before it belongs to, and the folder of the capture from after it.
fn death_after(facts: &Facts, folder: &str, store: &Path) -> Option<(Told<'static>, PathBuf)> {
    let after = Siblings::of(facts, store).after?;
    let last = read(&after.path).ok()?;
    let siblings = Siblings::of(&last, store);
    // What was seen long before the end is a story of its own.
    let is_part = siblings.before.iter().any(|s| s.folder == folder);
    let told = is_part.then(|| death(&last, &after.folder, siblings, |_| None))??;
    Some((told.into_owned(), after.path))
}

/// A death, by its capture from after it, `last` in `folder`, and those from before it.
fn death<'a>(
    last: &'a Facts,
    folder: &str,
    siblings: Siblings,
    known: impl Fn(&Sibling) -> Option<Arc<Facts>>,
) -> Option<Told<'a>> {
    let (mut before, mut gaps): (Vec<(&Sibling, Arc<Facts>)>, Vec<Gap>) = (Vec::new(), Vec::new());
    for sibling in &siblings.before {
        match known(sibling).map_or_else(|| read(&sibling.path).map(Arc::new), Ok) {
            Ok(facts) => before.push((sibling, facts)),
            // It went to make room.
            Err(_) if !sibling.path.exists() => {}
            Err(e) => gaps.push(Gap::new(format!("{}, of this death too", sibling.folder), e.to_string())),
        }
    }
    let mut all: Vec<CaptureOf<'_>> = before.iter().map(|(s, facts)| CaptureOf { folder: &s.folder, facts }).collect();
    all.push(CaptureOf { folder, facts: last });
    let mut before_it = siblings.deaths_before;
    // Of one that went to make room nothing is known.
    let generation = siblings.generation_before.and_then(|s| read(&s.path).ok());
    before_it.last = generation.as_ref().and_then(GenerationBefore::of);
    let (mut facts, diagnosis) = diagnose_death(&all, Some(before_it))?;
    facts.capture.gaps.append(&mut gaps);
    Some(Told { facts: Cow::Owned(facts), diagnosis, path: None })
}

#[cfg(test)]
mod tests {
    use lastgasp_capture::FACTS;
    use lastgasp_decode::Decoded;
    use lastgasp_diagnosis::facts::{Figure, Sample};

    use super::*;
    use crate::write::write;

    /// A capture of process `pid`, `second` seconds after some moment; its watch began with that.
    fn decoded(pid: i32, phase: &str, second: u64) -> Decoded {
        let mut facts = Facts { schema: lastgasp_diagnosis::facts::SCHEMA.into(), ..Facts::default() };
        (facts.target.pid, facts.target.service) = (pid, "svc".into());
        facts.target.started_unix = 1_700_000_000 + u64::from(pid.unsigned_abs());
        facts.target.limit_bytes = Some(100_000_000);
        let unix_ns = (1_700_001_000 + second.cast_signed()) * 1_000_000_000;
        facts.capture.taken_at = format!("{:.3}", jiff::Timestamp::from_nanosecond(unix_ns.into()).unwrap());
        facts.capture.t_ms = second * 1000;
        facts.capture.phase = phase.into();
        facts.capture.reason = if phase == "post-kill" { "oom-kill" } else { "forecast" }.into();
        let sample = |t| Sample { t_ms: t * 1000, usage_bytes: t * 1000 + pid as u64, ..Sample::default() };
        facts.timeline.samples = (second.saturating_sub(60)..=second).map(sample).collect();
        Decoded { facts, monotonic_ns: 0, unix_ns }
    }

    fn put(store: &Path, pid: i32, phase: &str, second: u64) -> PathBuf {
        write(store, &decoded(pid, phase, second)).unwrap()
    }

    fn folders(told: &Told<'_>) -> Vec<String> {
        told.facts.death.iter().flat_map(|d| &d.parts).map(|p| p.folder.clone()).collect()
    }

    fn name(path: &Path) -> String {
        path.file_name().unwrap().to_string_lossy().into_owned()
    }

    #[test]
    fn every_capture_of_a_death_tells_the_same_death() {
        let store = tempfile::tempdir().unwrap();
        let of_others = [put(store.path(), 8, "pre-kill", 10), put(store.path(), 9, "post-kill", 12)];
        let parts = [
            put(store.path(), 7, "pre-kill", 10),
            put(store.path(), 7, "pre-kill", 11),
            put(store.path(), 7, "post-kill", 12),
        ];
        for part in &parts {
            let told = tell(part).unwrap();
            assert_eq!(folders(&told), parts.iter().map(|p| name(p)).collect::<Vec<_>>());
            assert_eq!((told.path.as_ref(), told.facts.capture.phase.name()), (Some(&parts[2]), "post-kill"));
        }
        assert_eq!(folders(&tell(&of_others[0]).unwrap()), [""; 0], "nobody knows that it died");
        assert_eq!(folders(&tell(&of_others[1]).unwrap()), [name(&of_others[1])], "a death without more captures");
        // The report in the folder from after it is that of the death too.
        let page = std::fs::read_to_string(parts[2].join("report.txt")).unwrap();
        assert!(page.contains("told by 3 captures of it:") && page.contains("- 2 from before it: nothing"), "{page}");
        // And the facts there are its own.
        assert_eq!(read(&parts[2]).unwrap().timeline.samples.len(), 13);
    }

    /// What was captured long before the end, or of the number's earlier owner, is another story.
    #[test]
    fn strangers_are_not_joined() {
        let store = tempfile::tempdir().unwrap();
        let early = put(store.path(), 7, "pre-kill", 5);
        let mut other = decoded(7, "pre-kill", 1500);
        other.facts.target.started_unix += 1;
        let other = write(store.path(), &other).unwrap();
        let last = put(store.path(), 7, "post-kill", 1510);
        assert_eq!(folders(&tell(&last).unwrap()), [name(&last)]);
        for alone in [&early, &other] {
            let told = tell(alone).unwrap();
            assert_eq!((folders(&told).len(), told.path.as_ref()), (0, Some(alone)));
        }
    }

    #[test]
    fn a_sibling_that_cannot_be_read_is_a_gap() {
        let store = tempfile::tempdir().unwrap();
        let (first, last) = (put(store.path(), 7, "pre-kill", 11), put(store.path(), 7, "post-kill", 12));
        std::fs::write(first.join(FACTS), "damaged").unwrap();
        let told = tell(&last).unwrap();
        assert_eq!(folders(&told), [name(&last)]);
        assert!(told.facts.capture.gaps.iter().any(|g| g.what.starts_with(&name(&first))));
    }

    /// Deaths by captures from after them, each once; of this service, and before this one.
    #[test]
    fn deaths_before_are_counted() {
        let store = tempfile::tempdir().unwrap();
        let at = |hours: u64| hours * 3600;
        for (pid, hours) in [(1, 1), (2, 20), (3, 29), (3, 29), (5, 40)] {
            put(store.path(), pid, "post-kill", at(hours) + 1);
        }
        put(store.path(), 4, "pre-kill", at(29));
        let mut other = decoded(6, "post-kill", at(29));
        other.facts.target.service = "other".into();
        write(store.path(), &other).unwrap();
        let last = put(store.path(), 7, "post-kill", at(30));
        let told = tell(&last).unwrap();
        let before = told.facts.death.as_ref().unwrap().before.clone().unwrap();
        assert_eq!((before.last_hour, before.last_day), (1, 2));
        assert_eq!(before.since.as_deref(), Some("2023-11-15T18:30:01Z"));
        let gives = &told.facts.death.as_ref().unwrap().parts[0].gives;
        assert_eq!(gives, &[Figure::Timeline]);
    }
}
