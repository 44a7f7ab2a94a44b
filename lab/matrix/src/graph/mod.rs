//! The heap as a graph held against what `lab/programs/heaps` planted: sums, types, owners, collections,
//! copies, waste. Pure: a JSON document and a truth in, what is not equal out.
//!
//! With a symbol table names and numbers must be equal. Without one variables have no names: then they are
//! told by their numbers, and what has no type that can be known may be said to be unknown, but nothing may
//! be said of more objects than there are.

mod collections;
mod holders;
mod not_yet;
mod truth;

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};
use lastgasp_lab::build::{Mode, build, repo_root};
use lastgasp_lab::oracle::Oracle;
use lastgasp_lab::toolchain::Toolchain;
use serde_json::Value;

use crate::Outcome;
use truth::Truth;

/// What a document says, and what is known of it.
struct Case<'a> {
    graph: &'a Value,
    truth: Truth,
    /// Whether variables have names.
    named: bool,
}

/// Plays the program, takes a core of it, has it read by `lastgasp` and judges that.
///
/// # Errors
/// There is no core, or nothing was read; what differs is in [`Outcome::problems`].
pub fn compare_graph(toolchain: &Toolchain, mode: Mode, lastgasp: &Path) -> Result<Outcome> {
    let binary = build(toolchain, mode, &repo_root().join("lab/programs/heaps"), ".")?;
    compare_graph_of(Oracle::start_still(&binary)?, mode, lastgasp)
}

/// As [`compare_graph`], of the program without a memory profile.
///
/// # Errors
/// As there.
pub fn compare_graph_unprofiled(toolchain: &Toolchain, mode: Mode, lastgasp: &Path) -> Result<Outcome> {
    let binary = build(toolchain, mode, &repo_root().join("lab/programs/heaps"), ".")?;
    compare_graph_of(Oracle::start_still_with(&binary, "memprofilerate=0")?, mode, lastgasp)
}

fn compare_graph_of(mut program: Oracle, mode: Mode, lastgasp: &Path) -> Result<Outcome> {
    let truth = program.truth()?;
    let core = core_of(&mut program)?;
    let out = Command::new(lastgasp).args(["report", "--format", "json"]).arg(&core).output()?;
    if out.status.code() != Some(0) {
        bail!("report: {}: {}", out.status, String::from_utf8_lossy(&out.stderr));
    }
    let document = serde_json::from_slice(&out.stdout).context("the document")?;
    judge_graph(&document, &truth, !mode.is_stripped())
}

/// Ends a program and gives its core file.
///
/// # Errors
/// The kernel wrote none into its folder.
fn core_of(program: &mut Oracle) -> Result<PathBuf> {
    let status = program.abort()?;
    let mut entries = std::fs::read_dir(program.dir())?.flatten().map(|e| e.path());
    let core = entries.find(|p| p.file_name().is_some_and(|n| n.to_string_lossy().starts_with("core")));
    core.with_context(|| format!("no core file ({status}): where the kernel puts them says core_pattern"))
}

/// Judges the document of a core of `lab/programs/heaps`.
///
/// # Errors
/// It has no graph, or the truth cannot be read.
pub fn judge_graph(document: &Value, truth: &[u8], named: bool) -> Result<Outcome> {
    let graph = &document["graph"];
    if !graph.is_object() {
        bail!("the document has no graph: {}", document["capture"]["gaps"]);
    }
    let case = Case { graph, truth: serde_json::from_slice(truth).context("truth.json")?, named };
    let mut out = Outcome::default();
    holders::sums(&mut out, &case, document);
    holders::types(&mut out, &case);
    holders::owners(&mut out, &case);
    collections::census(&mut out, &case);
    collections::copies(&mut out, &case);
    collections::waste(&mut out, &case);
    not_yet::take_out(&mut out);
    Ok(out)
}

/// A number of the document; what is none is no amount of anything.
fn number(v: &Value) -> u64 {
    v.as_u64().unwrap_or(u64::MAX)
}

/// A list of the document.
fn list<'a>(graph: &'a Value, name: &str) -> &'a [Value] {
    graph[name].as_array().map_or(&[], Vec::as_slice)
}

/// Whether two amounts differ by no more than a hundredth.
fn within_a_hundredth(ours: u64, theirs: u64) -> bool {
    ours.abs_diff(theirs) * 100 <= theirs
}

/// Whether an owner in words of the source (`global main.cache .entries`) is the planted one
/// (`main.cache.entries`).
fn is_owner(said: &str, planted: &str) -> bool {
    let said = said.strip_prefix("global ").unwrap_or(said);
    let mut parts = planted.split('.');
    let (Some(package), Some(variable)) = (parts.next(), parts.next()) else { return false };
    let Some(mut rest) = said.strip_prefix(&format!("{package}.{variable}")) else { return false };
    if rest.starts_with(|c: char| c.is_alphanumeric() || c == '_') {
        return false;
    }
    parts.all(|field| match rest.split_once(&format!(".{field}")) {
        Some((_, behind)) => {
            rest = behind;
            true
        }
        None => false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn owners_in_words_of_the_source() {
        assert!(is_owner("global main.cache .entries", "main.cache.entries"));
        assert!(is_owner("main.cache.entries", "main.cache.entries"));
        assert!(is_owner("global main.byName [values] -> []uint8", "main.byName"));
        assert!(!is_owner("global main.cacheOfOthers .entries", "main.cache.entries"));
        assert!(!is_owner("global main.cache .order", "main.cache.entries"));
        assert!(!is_owner("goroutines in main.cache", "main.cache"));
    }
}
