//! The corpus of snippets: precision and recall by rule.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use lastgasp_gosource::project::{Options, load};
use lastgasp_gosource::{catalogue, check, is_quiet};

/// File, line, code.
pub(crate) type Spots = BTreeSet<(String, u32, String)>;

/// The folder of this lab.
pub(crate) fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_owned()
}

/// Lines marked `// want CODE CODE`, or `// warn CODE` and `// hint CODE` where the level is told too, and
/// those marked `// miss CODE`: what is wrong there and not found.
pub(crate) fn wanted() -> Result<Spots> {
    let mut out = Spots::new();
    let mut packages: Vec<PathBuf> =
        std::fs::read_dir(folder().join("services"))?.flatten().map(|e| e.path()).filter(|p| p.is_dir()).collect();
    packages.sort();
    for file in packages.into_iter().flat_map(|p| std::fs::read_dir(p).into_iter().flatten()).flatten() {
        let package = file.path().parent().and_then(Path::file_name).unwrap_or_default().to_owned();
        let name = format!("services/{}/{}", package.to_string_lossy(), file.file_name().to_string_lossy());
        let text = std::fs::read_to_string(file.path())?;
        for (n, line) in text.lines().enumerate() {
            for (_, codes) in ["// want ", "// warn ", "// hint ", "// miss "].iter().filter_map(|m| line.split_once(m))
            {
                let line = u32::try_from(n + 1)?;
                let codes = codes.split_whitespace().take_while(|c| *c != "//");
                out.extend(codes.map(|c| (name.clone(), line, c.to_owned())));
            }
        }
    }
    for info in catalogue() {
        for kind in ["sick", "healthy"] {
            let name = format!("corpus/{}/{kind}/{kind}.go", info.code);
            let text = std::fs::read_to_string(folder().join(&name)).with_context(|| name.clone())?;
            for (n, line) in text.lines().enumerate() {
                if let Some((_, codes)) = line.split_once("// want ") {
                    let line = u32::try_from(n + 1)?;
                    out.extend(codes.split_whitespace().map(|c| (name.clone(), line, c.to_owned())));
                }
            }
        }
    }
    Ok(out)
}

/// What the rules find there.
pub(crate) fn found() -> Result<Spots> {
    let project =
        load(&folder(), &["corpus".into(), "services".into()], &Options::default()).map_err(anyhow::Error::msg)?;
    let findings = check(&project, 1 << 20).findings;
    Ok(findings.into_iter().map(|f| (f.place.file, f.place.line, f.code)).collect())
}

/// The table.
pub(crate) fn table() -> Result<String> {
    // Hints about escapes are everywhere: they are counted where they are what the snippet is about.
    let counts =
        |(file, _, code): &(String, u32, String)| !is_quiet(code) || file.starts_with(&format!("corpus/{code}/"));
    let want: Spots = wanted()?.into_iter().filter(counts).collect();
    let got: Spots = found()?.into_iter().filter(counts).collect();
    let mut out = "Snippets of lab/source/corpus and lab/source/services, all rules on all of them\n\n".to_owned();
    writeln!(out, "{:<28}{:>6}{:>7}{:>7}{:>11}{:>8}", "rule", "true", "found", "false", "precision", "recall")?;
    let row = |out: &mut String, name: &str, want: &Spots, got: &Spots| {
        let hit = want.intersection(got).count();
        writeln!(
            out,
            "{name:<28}{:>6}{hit:>7}{:>7}{:>11}{:>8}",
            want.len(),
            got.len() - hit,
            percent(hit, got.len()),
            percent(hit, want.len())
        )
    };
    for info in catalogue() {
        let of = |spots: &Spots| spots.iter().filter(|(_, _, c)| c == info.code).cloned().collect::<Spots>();
        row(&mut out, info.code, &of(&want), &of(&got))?;
    }
    row(&mut out, "all", &want, &got)?;
    let services = |spots: &Spots| spots.iter().filter(|s| s.0.starts_with("services/")).cloned().collect::<Spots>();
    row(&mut out, "in services alone", &services(&want), &services(&got))?;
    out.push('\n');
    Ok(out)
}

/// A share in percent.
pub(crate) fn percent(part: usize, whole: usize) -> String {
    if whole == 0 { "-".to_owned() } else { format!("{:.0} %", 100.0 * part as f64 / whole as f64) }
}
