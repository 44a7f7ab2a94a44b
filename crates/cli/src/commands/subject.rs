//! What a command is asked about: a process, a core file, or a capture.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, Result, bail};
use lastgasp_capture::{MANIFEST, list};
use lastgasp_decode::{Decoded, Provenance, WholeMemory, decode_with_memory};
use lastgasp_inferior::CoreFile;
use lastgasp_observe::core::take_core;
use lastgasp_observe::raw_capture::{Loaded, RawCapture, Source, WhenRead, is_saved};
use lastgasp_worker::GraphAnswer;

use crate::output::complain;

/// What a command is asked about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Subject {
    /// A process, by its number.
    Pid(i32),
    /// A core file: of the kernel, of gcore, or a capture's own memory.
    Core(PathBuf),
    /// A capture's folder.
    Capture(PathBuf),
}

/// Evidence, and where other memory of the same process can be read.
pub(super) struct Taken {
    pub(super) raw: RawCapture,
    pub(super) source: Option<Source>,
    /// By whom and where it was taken, if that was not here and now.
    pub(super) provenance: Option<Provenance>,
    /// The graph of its heap, if that was made of a live process.
    pub(super) graph: Option<GraphAnswer>,
}

impl Taken {
    /// Its facts; where all memory of the same moment is at hand, with the heap as a graph.
    pub(super) fn decoded(&self, provenance: &Provenance) -> Decoded {
        let whole = self.source.as_ref().and_then(Source::whole);
        let whole = whole.map(|memory| WholeMemory::of(memory, "core"));
        let mut decoded = decode_with_memory(&self.raw, provenance, whole);
        if let Some(answer) = &self.graph {
            answer.join(&mut decoded.facts);
        }
        decoded
    }
}

impl Subject {
    /// What evidence can be taken of: a process number, else a core file.
    pub(super) fn of_evidence(text: &str) -> Result<Self> {
        match text.parse::<i32>() {
            // A file with a number for its name is meant as `./4711`.
            Ok(pid) if pid > 0 => Ok(Self::Pid(pid)),
            _ if Path::new(text).is_file() => Ok(Self::Core(text.into())),
            _ => bail!("{text} is neither a process number nor a core file"),
        }
    }

    /// A folder if there is one of that name, else a process number, else a core file. A store is asked about
    /// its newest capture, and which one that is is said.
    pub(super) fn parse(text: &str) -> Result<Self> {
        let path = Path::new(text);
        match Self::of_evidence(text) {
            _ if path.is_dir() => {
                let newest = newest_of_store(path);
                if let Some((capture, all)) = &newest {
                    complain(&format!(
                        "{text} is a store of {all} captures; this is the newest: {} (of all of a service: lastgasp incident SERVICE --store {text})",
                        capture.display()
                    ));
                }
                Ok(Self::Capture(newest.map_or_else(|| path.into(), |(capture, _)| capture)))
            }
            Ok(subject) => Ok(subject),
            Err(_) => bail!("{text} is neither a capture's folder nor a core file nor a process number"),
        }
    }
}

/// The newest capture of a folder that is no capture itself, and how many there are. Their names begin with
/// the time.
fn newest_of_store(path: &Path) -> Option<(PathBuf, usize)> {
    let captures = if path.join(MANIFEST).exists() { Vec::new() } else { list(path) };
    Some((captures.last()?.clone(), captures.len()))
}

/// What a core file holds of a process: evidence that was saved in it, or what is copied out of it now.
pub(super) fn of_core(path: &Path, exe: Option<&Path>) -> Result<Taken> {
    let open = || -> Result<CoreFile> {
        let file = std::fs::File::open(path).with_context(|| path.display().to_string())?;
        Ok(CoreFile::open(file, path.display().to_string())?)
    };
    // What is no core at all is named by whoever looks for its executable.
    match open() {
        Ok(core) if is_saved(&core) => {
            let loaded = RawCapture::load(core)?;
            let source = Some(Source::core(Arc::clone(&loaded.core), loaded.other.unwrap_or(WhenRead::Unknown)));
            let Loaded { raw, kernel, lastgasp_version, .. } = loaded;
            Ok(Taken { raw, source, provenance: Some(Provenance { lastgasp_version, kernel }), graph: None })
        }
        Ok(core) => {
            let raw = take_core(path, exe)?;
            Ok(Taken { raw, source: Some(Source::core(Arc::new(core), WhenRead::Core)), provenance: None, graph: None })
        }
        Err(_) => Ok(Taken { raw: take_core(path, exe)?, source: None, provenance: None, graph: None }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_store_it_is_the_newest_capture() {
        let store = tempfile::tempdir().unwrap();
        let (old, new) = ("20261127T200459-svc-7-pre-kill", "20261127T200501-svc-7-post-kill");
        for name in [new, old, "events"] {
            std::fs::create_dir(store.path().join(name)).unwrap();
        }
        let newest = || newest_of_store(store.path());
        assert_eq!(newest(), None, "nothing of it is a capture");
        for name in [new, old] {
            std::fs::write(store.path().join(name).join(MANIFEST), "{}").unwrap();
        }
        assert_eq!(newest(), Some((store.path().join(new), 2)));
        assert_eq!(newest_of_store(&store.path().join(old)), None, "a capture is itself");
    }

    #[test]
    fn a_folder_goes_before_a_number_and_a_number_before_a_file() {
        let dir = tempfile::tempdir().unwrap();
        let core = dir.path().join("core");
        std::fs::write(&core, "").unwrap();
        let parse = |p: &Path| Subject::parse(p.to_str().unwrap()).unwrap();
        assert_eq!(parse(dir.path()), Subject::Capture(dir.path().into()));
        assert_eq!(parse(&core), Subject::Core(core.clone()));
        assert_eq!(Subject::parse("4711").unwrap(), Subject::Pid(4711));
        assert!(Subject::of_evidence(dir.path().to_str().unwrap()).is_err(), "a capture is no evidence to take");
        for nothing in ["-4711", "0", "/nowhere/at/all"] {
            let said = Subject::parse(nothing).unwrap_err().to_string();
            assert!(said.contains("neither a capture's folder nor a core file nor a process number"), "{said}");
            let said = Subject::of_evidence(nothing).unwrap_err().to_string();
            assert!(said.contains("neither a process number nor a core file"), "{said}");
        }
    }
}
