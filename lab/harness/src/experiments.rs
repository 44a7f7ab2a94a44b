//! Which experiments (`GOEXPERIMENT`) a toolchain offers that may change its runtime.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::Result;

use crate::toolchain::Toolchain;

/// The experiments that may change the runtime, each spelled so that it departs from the release's own
/// choice: those that the sources of the runtime name. Others (of the compiler, of other packages) cannot
/// move a field of it.
///
/// # Errors
/// The toolchain's sources are not where it says.
pub fn of(toolchain: &Toolchain) -> Result<Vec<String>> {
    let src = toolchain.sources()?;
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

/// Names behind `goexperiment.` (code and build constraints) and `GOEXPERIMENT_` (assembly) in a folder's
/// sources, in lower case.
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
