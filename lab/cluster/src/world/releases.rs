//! Releases of the service: its source as of one version, in a git repository of its own, so that the binary
//! carries version, revision and time of its commit as in life; built once and kept.

use std::fmt::Write as _;
use std::fs;
use std::hash::{Hash as _, Hasher as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail};
use lastgasp_lab::build::{cache_dir, repo_root};
use lastgasp_lab::toolchain::{self, Toolchain, find_or_fetch};

use crate::scenario::{Bug, Scenario, Use};

/// The module that releases are made of.
fn source() -> PathBuf {
    repo_root().join("lab/programs/cluster")
}

/// Programs of the world that are the same in all scenarios.
///
/// # Errors
/// What the compiler said.
pub(super) fn programs(toolchain: &Toolchain) -> Result<PathBuf> {
    lastgasp_lab::build::build_all(toolchain, &source(), "", &[], "cluster")
}

/// Builds a version of the scenario's service, if it was not built before.
///
/// # Errors
/// What git or the compiler said.
pub(super) fn build(scenario: &Scenario, version: &str) -> Result<PathBuf> {
    let release = scenario.release(version);
    let toolchain = toolchain_of(&release.go)?;
    let files = files(scenario, version)?;
    let mut hash = std::hash::DefaultHasher::new();
    (&files, &toolchain.version, release.symbols, &release.committed, version).hash(&mut hash);
    let folder = cache_dir().join("cluster/releases").join(format!("{version}-{:016x}", hash.finish()));
    let built = folder.join(&scenario.service.name);
    if built.exists() {
        return Ok(built);
    }
    let work = folder.join("source");
    if work.exists() {
        fs::remove_dir_all(&work)?;
    }
    for (path, text) in &files {
        let file = work.join(path);
        fs::create_dir_all(file.parent().context("a folder")?)?;
        fs::write(file, text)?;
    }
    commit(&work, version, &release.committed)?;
    let mut command = toolchain.command();
    command.current_dir(&work).env("CGO_ENABLED", "0").env_remove("GOFLAGS").args([
        "build",
        "-trimpath",
        "-buildvcs=true",
    ]);
    if !release.symbols {
        command.arg("-ldflags=-s -w");
    }
    let new = folder.join("new");
    let out = command.arg("-o").arg(&new).arg("./resource-service").output()?;
    if !out.status.success() {
        bail!("building version {version} with {}: {}", toolchain.version, String::from_utf8_lossy(&out.stderr));
    }
    fs::rename(new, &built)?;
    Ok(built)
}

fn toolchain_of(go: &str) -> Result<Toolchain> {
    let cache = cache_dir();
    if go.is_empty() {
        return toolchain::any(&cache);
    }
    match go.trim_start_matches("go").strip_prefix("1.").map(str::parse::<u16>) {
        Some(Ok(minor)) => find_or_fetch(minor, &cache),
        _ => toolchain::any(&cache)?.at(go.trim_start_matches("go")),
    }
}

/// Git of a release: one commit and its tag; the same content has the same revision.
fn commit(work: &Path, version: &str, committed: &str) -> Result<()> {
    // Later versions were committed later: an hour for each minor.
    let minor: i64 = version.split('.').nth(1).and_then(|m| m.parse().ok()).unwrap_or(0);
    let time = if committed.is_empty() {
        format!("@{} +0000", 1_795_000_000 + minor.min(100_000) * 3600)
    } else {
        committed.to_owned()
    };
    let git = |arguments: &[&str]| -> Result<()> {
        let out = Command::new("git")
            .args(["-c", "user.name=lab", "-c", "user.email=lab@example.com", "-c", "commit.gpgsign=false"])
            .args(["-c", "init.defaultBranch=main", "-c", "tag.gpgsign=false", "-c", "core.hooksPath=/dev/null"])
            .args(arguments)
            .current_dir(work)
            .env("GIT_AUTHOR_DATE", &time)
            .env("GIT_COMMITTER_DATE", &time)
            .env_remove("GIT_DIR")
            .env_remove("GIT_WORK_TREE")
            .env_remove("GIT_INDEX_FILE")
            .stdin(Stdio::null())
            .output()
            .context("git")?;
        if !out.status.success() {
            bail!("git {}: {}", arguments.join(" "), String::from_utf8_lossy(&out.stderr));
        }
        Ok(())
    };
    git(&["init", "-q"])?;
    git(&["add", "-A"])?;
    git(&["commit", "-q", "-m", &format!("Release {version}")])?;
    git(&["tag", &format!("v{version}")])
}

/// The files of a version, sorted by path.
fn files(scenario: &Scenario, version: &str) -> Result<Vec<(String, String)>> {
    let root = source();
    let mut out = vec![("go.mod".to_owned(), fs::read_to_string(root.join("go.mod"))?)];
    for folder in ["resource-service", "resource-service/bugs", "resource-service/serve"] {
        for entry in fs::read_dir(root.join(folder))?.flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            if name.ends_with(".go") && name != "release.go" {
                out.push((format!("{folder}/{name}"), fs::read_to_string(entry.path())?));
            }
        }
    }
    let release = scenario.release(version);
    for (key, of) in &scenario.service.key {
        let used = release.key.get(key).copied().unwrap_or(of.used);
        let package = package(key);
        let text = fs::read_to_string(root.join(format!("resource-service/uses/{0}/{0}.go", used.folder())))?;
        out.push((format!("resource-service/{package}/{package}.go"), renamed(&text, used, key)));
    }
    out.push(("resource-service/release.go".into(), release_file(scenario, version)));
    out.sort();
    Ok(out)
}

/// Name of the Go package of a key: its letters and digits.
fn package(key: &str) -> String {
    let word: String = key.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_lowercase();
    let taken = [
        "bugs",
        "serve",
        "uses",
        "main",
        "type",
        "func",
        "map",
        "range",
        "select",
        "switch",
        "default",
        "package",
        "go",
        "if",
        "for",
        "var",
        "const",
        "import",
        "return",
        "chan",
        "case",
        "else",
        "defer",
        "break",
        "struct",
        "interface",
        "continue",
        "goto",
        "fallthrough",
        "http",
        "log",
        "net",
        "os",
        "time",
    ];
    if taken.contains(&word.as_str()) { format!("{word}config") } else { word }
}

/// The package of a use as that of a key. The incident's own keeps the names of the notes.
fn renamed(text: &str, used: Use, key: &str) -> String {
    let package = package(key);
    let text = text.replace(&format!("package {}", used.folder()), &format!("package {package}"));
    let text = text.replace(&format!("// Package {} ", used.folder()), &format!("// Package {package} "));
    if key == "ugctab" {
        return text;
    }
    let mut first = package.chars();
    let capital: String = first.next().map(|c| c.to_ascii_uppercase()).into_iter().chain(first).collect();
    text.replace("Avid", &capital).replace("avid", &package)
}

fn release_file(scenario: &Scenario, version: &str) -> String {
    let module = "lastgasp.example/lab/cluster/resource-service";
    let mut out = format!("package main\n\nimport (\n\t\"{module}/bugs\"\n");
    let keys: Vec<&String> = scenario.service.key.keys().collect();
    // Writing into a String cannot fail.
    for key in &keys {
        let _ = writeln!(out, "\t\"{module}/{}\"", package(key));
    }
    let _ = write!(out, ")\n\nconst version = {version:?}\n\nvar keys = []key{{\n");
    for key in &keys {
        let _ = writeln!(out, "\t{{name: {key:?}, load: {0}.Load, handle: {0}.Handle}},", package(key));
    }
    out.push_str("}\n\nfunc released() []bugs.Released {\n\treturn []bugs.Released{\n");
    for bug in &scenario.release(version).bugs {
        let of = Bug::KINDS.iter().find(|(k, _)| *k == bug.kind).map_or("Leak", |(_, of)| of);
        let _ = writeln!(
            out,
            "\t\t{{Name: {:?}, Bug: bugs.{of}{{}}, From: {:?}, Of: {:?}, Rate: {:?}, Bytes: {}}},",
            bug.kind, bug.from, bug.each, bug.rate, bug.bytes.0
        );
    }
    out.push_str("\t}\n}\n");
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "title = \"t\"\nfamily = \"f\"\n[service.key.ugctab]\n[service.key.ban-list]\nuse = \"copied\"\n[version.\"1.42.0\"]\nbugs = [{ kind = \"leak\", rate = 2.5 }]\nkey = { ugctab = \"kept\" }\n[[do]]\nat = \"1s\"\ndeploy = { version = \"1.42.0\" }\n[truth]\nkind = \"release\"\n";

    #[test]
    fn a_version_is_its_own_source() {
        let s = Scenario::of(TEXT, "t").unwrap();
        let (old, new) = (files(&s, "1.41.0").unwrap(), files(&s, "1.42.0").unwrap());
        let of = |files: &[(String, String)], path: &str| files.iter().find(|(p, _)| p == path).unwrap().1.clone();
        assert!(of(&old, "resource-service/ugctab/ugctab.go").contains("func buildAvidMap("));
        assert!(of(&new, "resource-service/ugctab/ugctab.go").contains("atomic.Pointer[map[int64]struct{}]"));
        let ban = of(&old, "resource-service/banlist/banlist.go");
        assert!(
            ban.contains("package banlist\n") && ban.contains("func rankBanlists(") && !ban.contains("vid"),
            "{ban}"
        );
        let release = of(&new, "resource-service/release.go");
        assert!(
            release.contains("const version = \"1.42.0\"")
                && release.contains("bugs.Leak{}, From: \"start\", Of: \"second\", Rate: 2.5, Bytes: 65536"),
            "{release}"
        );
        assert!(!of(&old, "resource-service/release.go").contains("Leak"));
    }

    #[test]
    fn keys_are_packages() {
        assert_eq!(package("ban-list"), "banlist");
        assert_eq!(package("map"), "mapconfig");
        assert_eq!(package("Play.Page_2"), "playpage2");
    }
}
