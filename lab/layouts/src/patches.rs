//! `cargo xtask layouts --patches`: whether the first and the last patch release of a minor have the same
//! layouts, so that one table may serve them all.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context as _, Result, bail};
use lastgasp_lab::build::cache_dir;
use lastgasp_lab::toolchain::{self, RELEASES, Toolchain, of_table};

use crate::tables::{RUNTIME_ONLY, differences, proves_itself, table_of};

/// Prints a table, and fails if a field that we read moved within the patch releases that share a table.
pub(crate) fn run(minors: &[u16]) -> Result<()> {
    let any = toolchain::any(&cache_dir())?;
    let patches = listed(&any)?;
    let mut moved = 0;
    let wanted: Vec<_> = RELEASES.iter().filter(|(m, _, _)| minors.is_empty() || minors.contains(m)).collect();
    for (minor, from, release) in &wanted {
        // 1.19 of the module proxy builds nothing (see RELEASES).
        let next = RELEASES.iter().filter(|(m, f, _)| m == minor && f > from).map(|(_, f, _)| *f).min();
        let shared = patches.get(minor).filter(|_| *minor >= 20).into_iter().flatten();
        let shared: Vec<u16> = shared.copied().filter(|p| *p >= *from && next.is_none_or(|n| *p < n)).collect();
        let (Some(first), Some(last)) = (shared.iter().min(), shared.iter().max()) else {
            println!("Go 1.{minor}: {release} alone can be had");
            continue;
        };
        let ours = of_table(*minor, *from, &cache_dir())?;
        let table = table_of(&ours, RUNTIME_ONLY)?;
        let ends: BTreeSet<u16> = BTreeSet::from([*first, *last]);
        for patch in &ends {
            // Before 1.21 a minor's first release has no third number.
            let name = if *patch == 0 && *minor < 21 { format!("go1.{minor}") } else { format!("go1.{minor}.{patch}") };
            let compared = any.at(&name).and_then(|t| table_of(&t, RUNTIME_ONLY));
            let moved_fields = compared.map(|other| {
                let all = differences(&table, &other);
                let (harmless, moved): (Vec<_>, Vec<_>) = all.into_iter().partition(|d| proves_itself(d));
                if !harmless.is_empty() {
                    println!("Go 1.{minor}: {name} has another pollDesc, which is not taken for one then");
                }
                moved
            });
            match moved_fields {
                Ok(d) if d.is_empty() => println!("Go 1.{minor}: {name} equal to {}", ours.version),
                Ok(d) => {
                    moved += 1;
                    println!("Go 1.{minor}: {name} DIFFERENT from {}:\n  {}", ours.version, d.join("\n  "));
                }
                Err(e) => println!("Go 1.{minor}: {name} could not be had: {e}"),
            }
        }
    }
    if moved > 0 {
        bail!("{moved} patch releases have other layouts than the table that is to serve them");
    }
    Ok(())
}

/// The patch releases of each minor that the Go module proxy has, asked with the `go` command.
fn listed(any: &Toolchain) -> Result<BTreeMap<u16, Vec<u16>>> {
    let dir = cache_dir().join("patches");
    std::fs::create_dir_all(&dir)?;
    std::fs::write(dir.join("go.mod"), "module patches\n")?;
    let out = any.command().current_dir(dir).args(["list", "-m", "-versions", "golang.org/toolchain"]).output()?;
    if !out.status.success() {
        bail!("go list -m -versions golang.org/toolchain: {}", String::from_utf8_lossy(&out.stderr));
    }
    let text = String::from_utf8(out.stdout).context("versions")?;
    let mut found: BTreeMap<u16, Vec<u16>> = BTreeMap::new();
    for (_, version) in text.split_whitespace().filter_map(|v| v.strip_suffix(".linux-amd64")?.split_once("-go1.")) {
        let (minor, patch) = version.split_once('.').unwrap_or((version, "0"));
        if let (Ok(minor), Ok(patch)) = (minor.parse(), patch.parse()) {
            found.entry(minor).or_default().push(patch);
        }
    }
    Ok(found)
}
