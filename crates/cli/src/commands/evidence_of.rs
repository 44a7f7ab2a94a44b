//! What `--with` names: a capture, a heap profile, a process, a core file, a pprof server.

use std::io::Read as _;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use lastgasp_diagnosis::Facts;
use lastgasp_gosource::join::Allocated;
use lastgasp_store::tell;

use super::capture::{provenance_of, take_subject};
use super::stop::Stop;
use super::subject::Subject;

/// Evidence of a process.
pub(super) struct Evidence {
    /// What it is of, in words.
    pub(super) subject: String,
    /// What it allocated.
    pub(super) allocated: Allocated,
    /// All that is known, if it is more than a profile.
    pub(super) facts: Option<Facts>,
}

/// Bytes of what a pprof server answers.
const MOST_BYTES: u64 = 256 << 20;

/// Reads, fetches or takes what is named.
pub(super) fn evidence_of(with: &str, seconds: u32) -> Result<Evidence> {
    if with.starts_with("http://") || with.starts_with("https://") {
        let url = profile_url(with, seconds);
        let bytes = fetch(&url, seconds)?;
        let allocated = Allocated::of_pprof(&bytes).with_context(|| url.clone())?;
        return Ok(Evidence { subject: url, allocated, facts: None });
    }
    let path = Path::new(with);
    if path.is_file() && !is_core(path) {
        let mut bytes = Vec::new();
        let file = std::fs::File::open(path).with_context(|| with.to_owned())?;
        file.take(MOST_BYTES).read_to_end(&mut bytes).with_context(|| with.to_owned())?;
        let allocated = Allocated::of_pprof(&bytes).with_context(|| with.to_owned())?;
        return Ok(Evidence { subject: with.to_owned(), allocated, facts: None });
    }
    let facts = match Subject::parse(with) {
        Ok(Subject::Capture(path)) => {
            let mut facts = tell(&path)?.facts.into_owned();
            // Of a death the captures are told together; that which was asked for may be the one with a
            // graph.
            if facts.graph.is_none() {
                facts.graph = lastgasp_store::read(&path)?.graph;
            }
            facts
        }
        Ok(subject) => {
            let taken = take_subject(&subject, None, Stop::ForTheCopy)?;
            taken.decoded(&provenance_of(&taken)).facts
        }
        Err(_) => bail!("{with} is neither a capture's folder nor a heap profile nor a process number nor an address"),
    };
    let target = &facts.target;
    let subject = match target.pid {
        0 => target.service.clone(),
        pid => format!("{} (pid {pid})", target.service),
    };
    Ok(Evidence { subject, allocated: Allocated::of_facts(&facts), facts: Some(facts) })
}

/// Whether a file is an ELF file, as core files are.
fn is_core(path: &Path) -> bool {
    let mut magic = [0; 4];
    std::fs::File::open(path).and_then(|mut f| f.read_exact(&mut magic)).is_ok() && magic == *b"\x7fELF"
}

/// The address of a heap profile of so many seconds: with them Go gives what was allocated meanwhile, and how
/// long that was.
fn profile_url(url: &str, seconds: u32) -> String {
    let (path, query) = url.split_once('?').unwrap_or((url, ""));
    let trimmed = path.trim_end_matches('/');
    let path = if trimmed.ends_with("/debug/pprof") { format!("{trimmed}/heap") } else { path.to_owned() };
    let has_seconds = query.split('&').any(|q| q.starts_with("seconds="));
    match (query.is_empty(), has_seconds) {
        (true, _) => format!("{path}?seconds={seconds}"),
        (false, true) => format!("{path}?{query}"),
        (false, false) => format!("{path}?{query}&seconds={seconds}"),
    }
}

fn fetch(url: &str, seconds: u32) -> Result<Vec<u8>> {
    let config =
        ureq::Agent::config_builder().timeout_global(Some(Duration::from_secs(u64::from(seconds) + 60))).build();
    let mut answer = ureq::Agent::new_with_config(config).get(url).call().with_context(|| url.to_owned())?;
    let mut bytes = Vec::new();
    let body = answer.body_mut().as_reader();
    body.take(MOST_BYTES).read_to_end(&mut bytes).with_context(|| url.to_owned())?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pprof_server_is_asked_for_what_is_allocated_meanwhile() {
        let of = |url| profile_url(url, 10);
        assert_eq!(of("http://h:6060/debug/pprof"), "http://h:6060/debug/pprof/heap?seconds=10");
        assert_eq!(of("http://h:6060/debug/pprof/allocs"), "http://h:6060/debug/pprof/allocs?seconds=10");
        assert_eq!(of("http://h/debug/pprof/heap?seconds=3"), "http://h/debug/pprof/heap?seconds=3");
        assert_eq!(of("http://h/debug/pprof/heap?gc=1"), "http://h/debug/pprof/heap?gc=1&seconds=10");
    }

    #[test]
    fn what_is_none_of_these_is_said() {
        let said = evidence_of("/nowhere/at/all", 1).err().map(|e| e.to_string()).unwrap_or_default();
        assert!(said.contains("nor a heap profile"), "{said}");
    }
}
