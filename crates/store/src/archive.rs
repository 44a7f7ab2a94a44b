//! The store under the daemon: bounded, and not filled with a hundred pictures of the same death.
//!
//! Of each cause the first few victims are written whole and the others light; when the store is full, the
//! most redundant and the oldest captures go (`lastgasp_capture::retention`).

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use lastgasp_capture::retention::{Kept, Quota, to_remove};
use lastgasp_capture::{Capture, CaptureError, MEMORY, is_own};
use lastgasp_decode::Decoded;
use lastgasp_diagnosis::facts::Phase;
use lastgasp_diagnosis::{Facts, cause};

use crate::error::StoreError;
use crate::recent_facts::RecentFacts;
use crate::siblings::{Entry, Sibling, Siblings};
use crate::told::Told;
use crate::write::{Form, rewrite, write_as};

/// Limits of a store, and how many victims of one cause are written whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rules {
    /// Most bytes, and most captures.
    pub quota: Quota,
    /// So many victims of a cause are written whole.
    pub full_per_cause: usize,
    /// In so many milliseconds.
    pub cause_window_ms: i64,
}

/// Store of captures that is kept within its limits; shared by threads.
#[derive(Debug)]
pub struct Archive {
    store: PathBuf,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    rules: Rules,
    kept: Vec<Kept>,
    /// The same by their manifests: which of them belong to one death.
    entries: Vec<Entry>,
    /// Facts of those from before a death.
    recent: RecentFacts,
    /// Victims that were written whole: when, cause, process number and start.
    whole: Vec<(i64, String, (i32, u64))>,
    /// What is being written now, in bytes as far as that is known: it needs room too.
    largest: u64,
}

impl Archive {
    /// Opens the store as it stands. What others put there is neither counted nor removed.
    pub fn open(store: &Path, rules: Rules) -> Self {
        let (mut all, mut entries) = (Vec::new(), Vec::new());
        for path in lastgasp_capture::list(store).into_iter().filter(|p| is_own(p)) {
            let Ok(capture) = Capture::open(&path) else { continue };
            all.push(kept(&path, &capture));
            entries.extend(Entry::of(&path, &capture));
        }
        let (whole, recent, largest) = (Vec::new(), RecentFacts::default(), 256 << 10);
        let state = State { rules, kept: all, entries, recent, whole, largest };
        Self { store: store.to_owned(), state: Mutex::new(state) }
    }

    /// What there is to tell of a capture that is about to be put here: of a death with those from before it.
    pub fn tell<'a>(&self, facts: &'a Facts) -> Told<'a> {
        if facts.capture.phase != Phase::PostKill {
            return Told::alone(facts);
        }
        let (siblings, known) = {
            let state = self.lock();
            let siblings = Siblings::among(facts, &state.entries);
            let known: Vec<_> = siblings.before.iter().map(|s| state.recent.get(&s.folder)).collect();
            (siblings, known)
        };
        let names: Vec<String> = siblings.before.iter().map(|s| s.folder.clone()).collect();
        let at = |s: &Sibling| names.iter().position(|n| *n == s.folder);
        Told::with(facts, siblings, |s| known.get(at(s)?)?.clone())
    }

    /// Number and bytes of the captures that it holds.
    pub fn size(&self) -> (usize, u64) {
        let state = self.lock();
        (state.kept.len(), state.kept.iter().map(|k| k.bytes).fold(0, u64::saturating_add))
    }

    /// Other rules from now on.
    pub fn set_rules(&self, rules: Rules) {
        self.lock().rules = rules;
    }

    /// Writes a capture, after making room for it; gives its path, and how much of it was written.
    ///
    /// # Errors
    /// [`StoreError`]: the disk is full of other things than captures, say.
    pub fn put(&self, decoded: &Decoded, told: &Told<'_>) -> Result<(PathBuf, Form), StoreError> {
        self.put_by(decoded, told, |form| write_as(&self.store, decoded, told, form))
    }

    /// Writes a capture once more in its place, as more is known of it now.
    ///
    /// # Errors
    /// As [`Archive::put`]; it stays as it is.
    pub fn put_again(&self, path: &Path, decoded: &Decoded, told: &Told<'_>, form: Form) -> Result<(), StoreError> {
        rewrite(path, decoded, told, form)?;
        if let Ok(capture) = Capture::open(path) {
            let kept = kept(path, &capture);
            let mut state = self.lock();
            state.largest = state.largest.max(kept.bytes);
            if let Some(old) = state.kept.iter_mut().find(|k| k.id == kept.id) {
                *old = kept;
            }
        }
        Ok(())
    }

    /// Writes a capture light, whatever the rules say: for one that could not be written whole.
    ///
    /// # Errors
    /// As [`Archive::put`].
    pub fn put_light(&self, decoded: &Decoded, told: &Told<'_>) -> Result<(PathBuf, Form), StoreError> {
        let light = |_| write_as(&self.store, decoded, told, Form::Light);
        self.put_by(decoded, told, light).map(|(path, _)| (path, Form::Light))
    }

    fn put_by(
        &self,
        decoded: &Decoded,
        told: &Told<'_>,
        write: impl Fn(Form) -> Result<PathBuf, StoreError>,
    ) -> Result<(PathBuf, Form), StoreError> {
        // Not the date, which may be set: a victim of a date that was wrong would count for as long as that
        // is ahead.
        let now = (decoded.monotonic_ns / 1_000_000).cast_signed();
        let cause = cause(&told.facts, &told.diagnosis);
        let form = {
            let mut state = self.lock();
            let coming = state.largest;
            self.make_room(&mut state, coming);
            state.form(now, &cause, &decoded.facts)
        };
        let (written, form) = match write(form) {
            // The disk is full of other things than captures; one of ours less may make room for one that is
            // needed more.
            Err(e) if is_full(&e) => {
                self.remove_the_least();
                (write(Form::Light).map_err(|_| e)?, Form::Light)
            }
            written => (written?, form),
        };
        if let Ok(capture) = Capture::open(&written) {
            let mut state = self.lock();
            let kept = kept(&written, &capture);
            state.largest = state.largest.max(kept.bytes);
            match decoded.facts.capture.phase {
                Phase::PreKill => state.recent.add(&kept.id, &decoded.facts),
                _ => state.recent.forget((decoded.facts.target.pid, decoded.facts.target.started_unix)),
            }
            state.kept.push(kept);
            state.entries.extend(Entry::of(&written, &capture));
        }
        Ok((written, form))
    }

    /// Removes as many captures as make room for the largest that was seen.
    fn remove_the_least(&self) {
        let mut state = self.lock();
        let quota = state.kept.iter().map(|k| k.bytes).fold(0, u64::saturating_add).saturating_sub(state.largest);
        let less = Quota { bytes: quota, ..state.rules.quota };
        self.remove(&mut state, less, 0);
    }

    fn make_room(&self, state: &mut State, coming: u64) {
        let quota = state.rules.quota;
        self.remove(state, quota, coming);
    }

    fn remove(&self, state: &mut State, quota: Quota, coming: u64) {
        let mut gone = to_remove(&state.kept, quota, coming);
        gone.sort_unstable();
        for index in gone.into_iter().rev() {
            let kept = state.kept.remove(index);
            state.entries.retain(|e| e.folder() != kept.id);
            match lastgasp_capture::remove(&self.store.join(&kept.id)) {
                Ok(()) => tracing::info!(capture = kept.id, "removed to make room"),
                // Somebody else was quicker, or took its manifest away.
                Err(e) => tracing::warn!(capture = kept.id, "could not be removed: {e}"),
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Whole for the first victims of a cause, light for the others; all captures of one victim in the same
    /// form.
    fn form(&mut self, now: i64, cause: &str, facts: &Facts) -> Form {
        let since = now - self.rules.cause_window_ms;
        self.whole.retain(|(at, ..)| *at >= since);
        let victim = (facts.target.pid, facts.target.started_unix);
        let victims: BTreeSet<_> = self.whole.iter().filter(|(_, c, _)| c == cause).map(|(.., v)| *v).collect();
        if victims.contains(&victim) {
            return Form::Whole;
        }
        if victims.len() >= self.rules.full_per_cause.max(1) {
            return Form::Light;
        }
        self.whole.push((now, cause.to_owned(), victim));
        Form::Whole
    }
}

fn kept(path: &Path, capture: &Capture) -> Kept {
    let manifest = capture.manifest();
    // Memory that a person kept is as large as a process, holes included: counted, it would cost the store
    // the captures of everybody else.
    let counted = manifest.files.iter().filter(|f| f.name != MEMORY);
    Kept {
        id: path.file_name().unwrap_or_default().to_string_lossy().into_owned(),
        bytes: counted.map(|f| f.bytes).fold(0, u64::saturating_add),
        cause: manifest.cause.clone(),
        taken: manifest.taken_at.parse::<jiff::Timestamp>().map_or(0, jiff::Timestamp::as_millisecond),
        light: manifest.light,
    }
}

fn is_full(e: &StoreError) -> bool {
    use std::io::ErrorKind::{QuotaExceeded, StorageFull};
    match e {
        StoreError::Capture(CaptureError::Io { error, .. }) => matches!(error.kind(), StorageFull | QuotaExceeded),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use lastgasp_diagnosis::facts::{Frame, Goroutines, Group, Sample};

    use super::*;

    /// Folders that somebody else put into the store: they count for nothing, say nothing, and nothing of
    /// ours goes for them.
    #[test]
    fn planted_folders_cost_no_capture() {
        let store = tempfile::tempdir().unwrap();
        let rules = Rules { quota: Quota { bytes: 1 << 30, captures: 9 }, full_per_cause: 9, cause_window_ms: 1000 };
        let archive = Archive::open(store.path(), rules);
        let real: Vec<PathBuf> = (0..3)
            .map(|pid| {
                let decoded = decoded(pid, i64::from(pid));
                archive.put(&decoded, &Told::alone(&decoded.facts)).unwrap().0
            })
            .collect();
        drop(archive);
        let planted = |name: &str| {
            let folder = store.path().join(name);
            std::fs::create_dir(&folder).unwrap();
            let manifest = std::fs::read_to_string(real[0].join("manifest.json")).unwrap();
            let largest = format!("\"bytes\": {}", u64::MAX);
            let claims = manifest.lines().map(|l| if l.contains("\"bytes\"") { largest.as_str() } else { l });
            let claims = claims.map(|l| if l.starts_with('"') { format!("{l},") } else { l.to_owned() });
            std::fs::write(folder.join("manifest.json"), claims.collect::<Vec<_>>().join("\n")).unwrap();
            folder
        };
        // One that others may write to, and one that is another user's.
        let open = planted("29990101T000000-svc-1-post-kill");
        std::fs::set_permissions(&open, std::os::unix::fs::PermissionsExt::from_mode(0o777)).unwrap();
        let other = planted("29990101T000000-svc-2-post-kill");
        if std::os::unix::fs::chown(&other, Some(12345), None).is_err() {
            println!("SKIPPED: not root, a folder cannot be another user's");
            std::fs::remove_dir_all(&other).unwrap();
        }
        std::os::unix::fs::symlink(&real[0], store.path().join("29990101T000000-svc-3-post-kill")).unwrap();
        let archive = Archive::open(store.path(), rules);
        assert_eq!(archive.size().0, 3);
        let decoded = decoded(7, 7);
        archive.put(&decoded, &Told::alone(&decoded.facts)).unwrap();
        assert!(archive.size().0 == 4 && real.iter().all(|p| p.is_dir()) && open.is_dir());
    }

    fn decoded(pid: i32, second: i64) -> Decoded {
        let mut facts = Facts { schema: lastgasp_diagnosis::facts::SCHEMA.into(), ..Facts::default() };
        facts.target.pid = pid;
        facts.target.service = "svc".into();
        let at = jiff::Timestamp::from_second(1_700_000_000 + second).unwrap();
        facts.capture.taken_at = format!("{at:.3}");
        facts.capture.phase = "post-kill".into();
        Decoded {
            facts,
            monotonic_ns: 1_000_000_000 * (10_000 + second) as u64,
            unix_ns: (1_700_000_000 + second) * 1_000_000_000,
        }
    }

    /// Makes it a leak of goroutines that one function starts, with a `go` statement in that line.
    fn leak(facts: &mut Facts, starts: &str, line: u32) {
        let frame = |function: &str| Frame { function: function.into(), file: "svc/main.go".into(), line };
        facts.frames = vec![frame(starts), frame("main.serve"), frame("main.wait")];
        let waiting = Group { count: 50_000, stack: vec![2, 0], created_by: Some(1), ..Group::default() };
        facts.goroutines =
            Goroutines { total: 50_000, stack_bytes: 600_000_000, groups: vec![waiting], ..Goroutines::default() };
        let sample = |t_ms: u64| Sample { t_ms, usage_bytes: 20_000_000 + t_ms * 50_000, ..Sample::default() };
        facts.timeline.samples = (0..100).map(|i| sample(i * 100)).collect();
        facts.capture.t_ms = 10_000;
    }

    fn rules(captures: usize) -> Rules {
        Rules { quota: Quota { bytes: 1 << 30, captures }, full_per_cause: 2, cause_window_ms: 60_000 }
    }

    #[test]
    fn the_first_victims_are_whole_and_the_others_light() {
        let store = tempfile::tempdir().unwrap();
        let archive = Archive::open(store.path(), rules(100));
        let put = |pid, second| {
            let decoded = decoded(pid, second);
            archive.put(&decoded, &Told::alone(&decoded.facts)).unwrap().1
        };
        let forms = [put(1, 0), put(1, 1), put(2, 2), put(3, 3), put(2, 4)];
        assert_eq!(forms, [Form::Whole, Form::Whole, Form::Whole, Form::Light, Form::Whole]);
        // An hour later the same cause is news again.
        assert_eq!(put(4, 3600), Form::Whole);
        let again = Archive::open(store.path(), rules(100));
        assert_eq!(again.size(), archive.size());
        assert_eq!(again.size().0, 6);
        let light =
            lastgasp_capture::list(store.path()).into_iter().find(|p| p.display().to_string().contains("svc-3"));
        assert!(crate::read(&light.unwrap()).is_ok(), "a light capture can be reported on");
    }

    /// Memory that a person kept in the daemon's store costs it no other capture: holes and all it is larger
    /// than whatever a store may hold.
    #[test]
    fn kept_memory_crowds_nobody_out() {
        use std::io::{Seek as _, Write as _};
        let store = tempfile::tempdir().unwrap();
        let mut w = lastgasp_capture::Writer::create(store.path(), "asked-for").unwrap();
        w.add(lastgasp_capture::FACTS, b"facts").unwrap();
        w.add_stream(MEMORY, |mut s| {
            s.write_all(b"start")?;
            s.seek(std::io::SeekFrom::Current(64 << 20))?;
            s.write_all(b"end").map(|()| (s, ()))
        })
        .unwrap();
        w.seal(lastgasp_capture::Manifest { cause: "asked for".into(), ..Default::default() }).unwrap();
        let small = Rules { quota: Quota { bytes: 16 << 20, captures: 100 }, ..rules(100) };
        let archive = Archive::open(store.path(), small);
        for pid in 1..6 {
            let decoded = decoded(pid, i64::from(pid));
            archive.put(&decoded, &Told::alone(&decoded.facts)).unwrap();
        }
        assert_eq!((archive.size().0, lastgasp_capture::list(store.path()).len()), (6, 6));
        assert!(archive.size().1 < 16 << 20);
    }

    /// Two different leaks of one build are two causes: the second one's first victims are whole, however
    /// many there were of the first.
    #[test]
    fn another_leak_of_the_same_build_is_written_whole() {
        let store = tempfile::tempdir().unwrap();
        let archive = Archive::open(store.path(), rules(100));
        let put = |pid, second, starts: &str, line| {
            let mut decoded = decoded(pid, second);
            decoded.facts.target.build_id = Some("b1".into());
            leak(&mut decoded.facts, starts, line);
            let told = Told::alone(&decoded.facts);
            assert_eq!(told.diagnosis.verdict().map(|v| v.code), Some("goroutine-growth"));
            archive.put(&decoded, &told).unwrap().1
        };
        let first = [1, 2, 3, 4].map(|pid| put(pid, i64::from(pid), "main.subscribe", 10));
        assert_eq!(first, [Form::Whole, Form::Whole, Form::Light, Form::Light]);
        let second = [5, 6, 7].map(|pid| put(pid, i64::from(pid), "main.upload", 20));
        assert_eq!(second, [Form::Whole, Form::Whole, Form::Light]);
        assert_eq!(put(8, 8, "main.subscribe", 10), Form::Light, "still known");
        let causes: BTreeSet<String> = archive.lock().kept.iter().map(|k| k.cause.clone()).collect();
        assert_eq!(causes.len(), 2, "{causes:?}");
    }

    /// A death is told with what was put here a moment ago, from memory; after a new start from the folders.
    #[test]
    fn a_death_is_told_with_the_captures_before_it() {
        let store = tempfile::tempdir().unwrap();
        let archive = Archive::open(store.path(), rules(100));
        let of = |phase: &str, second| {
            let mut decoded = decoded(7, second);
            decoded.facts.capture.phase = phase.into();
            decoded.facts.capture.reason = if phase == "post-kill" { "oom-kill" } else { "forecast" }.into();
            let sample = |t_ms| Sample { t_ms, usage_bytes: t_ms, ..Sample::default() };
            decoded.facts.timeline.samples = (0..=second as u64).map(|s| sample(s * 1000)).collect();
            decoded.facts.target.started_unix = 1_600_000_000;
            decoded
        };
        let put = |decoded: &Decoded| {
            let told = archive.tell(&decoded.facts);
            archive.put(decoded, &told).unwrap().0
        };
        let (first, last) = (of("pre-kill", 20), of("post-kill", 21));
        let folder = put(&first);
        let parts = |archive: &Archive| archive.tell(&last.facts).facts.death.clone().unwrap().parts.len();
        assert_eq!((parts(&archive), parts(&Archive::open(store.path(), rules(100)))), (2, 2));
        // It is in memory: what becomes of the folder meanwhile is no matter.
        std::fs::write(folder.join(lastgasp_capture::FACTS), "damaged").unwrap();
        assert_eq!(parts(&archive), 2);
        let said = put(&last).join("report.txt");
        assert!(std::fs::read_to_string(said).unwrap().contains("told by 2 captures of it"));
        assert!(archive.lock().recent.get(&folder.file_name().unwrap().to_string_lossy()).is_none());
        // Captures that went to make room are told of no more.
        archive.set_rules(rules(1));
        archive.put(&decoded(9, 30), &Told::alone(&decoded(9, 30).facts)).unwrap();
        let known = archive.lock().entries.len();
        assert_eq!(known, archive.size().0);
    }

    #[test]
    fn a_date_that_is_set_back_is_no_matter() {
        let store = tempfile::tempdir().unwrap();
        let archive = Archive::open(store.path(), rules(100));
        let put = |pid, second, date: i64| {
            let decoded = Decoded { unix_ns: date * 1_000_000_000, ..decoded(pid, second) };
            archive.put(&decoded, &Told::alone(&decoded.facts)).unwrap().1
        };
        // A year ahead, then set right; the second hour's victims are news.
        let ahead = 1_731_536_000;
        assert_eq!([put(1, 0, ahead), put(2, 1, ahead), put(3, 2, ahead)], [Form::Whole, Form::Whole, Form::Light]);
        assert_eq!(put(4, 3600, 1_700_003_600), Form::Whole);
    }

    #[test]
    fn the_store_is_bounded() {
        let store = tempfile::tempdir().unwrap();
        let archive = Archive::open(store.path(), rules(4));
        for i in 0..10 {
            let decoded = decoded(i, i64::from(i));
            archive.put(&decoded, &Told::alone(&decoded.facts)).unwrap();
        }
        let left = lastgasp_capture::list(store.path());
        assert_eq!((left.len(), archive.size().0), (4, 4), "{left:?}");
        let name = |p: &PathBuf| p.file_name().unwrap().to_string_lossy().into_owned();
        assert!(name(&left[0]).contains("svc-0") && name(&left[3]).contains("svc-9"), "{left:?}");
    }

    /// A capture for which there was no room but for a light one is a light one, and one of the others went
    /// for it.
    #[test]
    fn a_full_disk_gets_a_light_capture() {
        let store = tempfile::tempdir().unwrap();
        let archive = Archive::open(store.path(), rules(100));
        for i in 0..3 {
            let decoded = decoded(i, i64::from(i));
            archive.put(&decoded, &Told::alone(&decoded.facts)).unwrap();
        }
        let full = || {
            let error = std::io::ErrorKind::StorageFull.into();
            StoreError::Capture(CaptureError::Io { path: store.path().into(), error })
        };
        let decoded = Decoded { unix_ns: 1_800_000_000_000_000_000, ..decoded(0, 4) };
        let told = Told::alone(&decoded.facts);
        let light_alone = |form| match form {
            Form::Whole => Err(full()),
            Form::Light => write_as(store.path(), &decoded, &told, form),
        };
        let (path, form) = archive.put_by(&decoded, &told, light_alone).unwrap();
        assert_eq!((form, path.join("report.html").exists()), (Form::Light, false));
        assert!(archive.size().0 < 4, "one made room: {:?}", archive.size());
        assert!(archive.put_by(&decoded, &told, |_| Err(full())).is_err());
    }
}
