//! `cargo xtask layouts --experiments`: which `GOEXPERIMENT`s move a field of the runtime that we read. Such a build is refused by name.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;

use anyhow::{Context as _, Result, bail};
use lastgasp_lab::build::{cache_dir, repo_root};
use lastgasp_lab::toolchain::{RELEASES, Toolchain, find_or_fetch};

use crate::layouts::{differences, sources, table_of};

/// Writes `crates/goruntime/src/layout/experiments.rs`, or with `check` compares.
pub(crate) fn run(minors: &[u16], check: bool) -> Result<()> {
    let file = repo_root().join("crates/goruntime/src/layout/experiments.rs");
    let mut text = String::from(
        "//! Experiments (`GOEXPERIMENT`) that move a field which we read, by minor. Made by `cargo xtask layouts --experiments`; do not edit.\n\n\
         /// (minor, experiment as the version names it, the fields).\npub(super) static MOVING: &[(u16, &str, &[&str])] = &[\n",
    );
    for (minor, _) in RELEASES.iter().filter(|(m, _)| minors.is_empty() || minors.contains(m)) {
        let toolchain = find_or_fetch(*minor, &cache_dir())?;
        let table = table_of(&toolchain, "runtime-only")?;
        for experiment in of(&toolchain)? {
            let other = table_of(&toolchain.with_experiment(&experiment), "runtime-only")?;
            let moved = differences(&table, &other);
            println!("{} {experiment}: {}", toolchain.version, if moved.is_empty() { "equal" } else { "different" });
            if !moved.is_empty() {
                println!("  {}", moved.join("\n  "));
                let fields: Vec<String> =
                    moved.iter().filter_map(|m| Some(format!("{:?}", m.split_once(':')?.0))).collect();
                writeln!(text, "    ({minor}, {experiment:?}, &[{}]),", fields.join(", "))?;
            }
        }
    }
    text.push_str("];\n");
    if !minors.is_empty() {
        return Ok(());
    }
    if !check {
        return std::fs::write(&file, text).with_context(|| file.display().to_string());
    }
    let plain = |t: &str| t.chars().filter(|c| !c.is_whitespace() && *c != ',').collect::<String>();
    if plain(&std::fs::read_to_string(&file)?) != plain(&text) {
        bail!("{} is not what the toolchains say", file.display());
    }
    Ok(())
}

/// The experiments that may change the runtime, each spelled so that it departs from the release's own choice: those that the sources of the runtime name.
/// Others (of the compiler, of other packages) cannot move a field of it.
pub(crate) fn of(toolchain: &Toolchain) -> Result<Vec<String>> {
    let src = sources(toolchain)?;
    let mut named = BTreeSet::new();
    for folder in ["runtime", "internal/runtime", "internal/abi"] {
        names_below(&src.join(folder), &mut named);
    }
    let flags = std::fs::read_to_string(src.join("internal/goexperiment/flags.go"))?;
    // What `none` takes away is on by default.
    let out = toolchain.with_experiment("none").command().args(["tool", "compile", "-V"]).output()?;
    let version = String::from_utf8_lossy(&out.stdout).into_owned();
    let off: BTreeSet<&str> =
        version.split_once("X:").map_or("", |v| v.1).trim().split(',').filter_map(|e| e.strip_prefix("no")).collect();
    let fields = flags.lines().filter_map(|l| l.trim().strip_suffix(" bool")).map(|f| f.trim().to_lowercase());
    // The register ABI is part of amd64 and cannot be switched.
    let ours = fields.filter(|f| named.contains(f) && !f.starts_with("regabi"));
    Ok(ours.map(|f| if off.contains(f.as_str()) { format!("no{f}") } else { f }).collect())
}

/// Names behind `goexperiment.` (code and build constraints) and `GOEXPERIMENT_` (assembly) in a folder's sources, in lower case.
fn names_below(folder: &Path, named: &mut BTreeSet<String>) {
    let entries = std::fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok);
    for path in entries.map(|e| e.path()) {
        let name = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
        if path.is_dir() {
            names_below(&path, named);
        } else if [".go", ".s", ".h"].iter().any(|e| name.ends_with(e)) && !name.ends_with("_test.go") {
            let text = std::fs::read_to_string(&path).unwrap_or_default().to_lowercase();
            for (i, mark) in ["goexperiment.", "goexperiment_"].iter().flat_map(|m| text.match_indices(m)) {
                let rest = text.get(i + mark.len()..).unwrap_or_default();
                let word: String = rest.chars().take_while(char::is_ascii_alphanumeric).collect();
                // `goexperiment.HeapMinimum512KiBInt` is the flag as a number.
                named.extend([word.trim_end_matches("int").to_owned(), word]);
            }
        }
    }
}
