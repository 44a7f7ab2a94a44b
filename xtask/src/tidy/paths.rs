//! Paths that documents and comments name.

use super::tree::Tree;

/// How the ends of file names look that are meant as such.
const ENDS: &[&str] = &[".rs", ".md", ".sh", ".toml", ".txt", ".go", ".js", ".css", ".service", ".snap", ".html"];
/// Folders at the root whose contents are named by whole paths.
const ROOTS: &[&str] = &["benches/", "crates/", "deploy/", "docs/", "fuzz/", "lab/", "xtask/"];
/// Files that a capture has, and not this repository.
const ELSEWHERE: &[&str] = &["report.html", "report.txt", "goroutines.txt", "rss.txt"];

/// Every path in a document must be there, whole or as the end of one; in a comment those that begin at the
/// root.
pub(super) fn check(tree: &Tree) -> Vec<String> {
    let mut out = Vec::new();
    for (file, text) in tree.ending(".md").filter(|(f, _)| *f != "CHANGELOG.md") {
        for (i, line) in text.lines().enumerate() {
            for token in line.split(|c: char| !is_of_path(c)).map(trim).filter(|t| is_path(t)) {
                // A crate's folder is called by its name, and so are its sources.
                let (first, rest) = token.split_once('/').unwrap_or((token, ""));
                let of_crate = ["src", "tests", ""]
                    .iter()
                    .any(|s| !rest.is_empty() && tree.has(&format!("crates/{first}/{s}/{rest}").replace("//", "/")));
                let beside = file.rsplit_once('/').is_some_and(|(dir, _)| tree.has(&resolved(dir, token)));
                if !of_crate && !beside && !tree.has(token) {
                    out.push(format!("{file}:{}: {token} is not there", i + 1));
                }
            }
        }
    }
    let sources = [".rs", ".go", ".sh"].iter().flat_map(|end| tree.ending(end));
    for (file, text) in sources.filter(|(f, _)| !f.starts_with("xtask/src/tidy/")) {
        for (i, line) in text.lines().enumerate() {
            let line = line.trim_start();
            let Some(comment) = line.strip_prefix("//").or_else(|| line.strip_prefix("# ")) else { continue };
            for token in comment.split(|c: char| !is_of_path(c)).map(trim) {
                if ROOTS.iter().any(|r| token.starts_with(r) && token.len() > r.len())
                    && is_plain(token)
                    && !tree.has(token)
                {
                    out.push(format!("{file}:{}: {token} is not there", i + 1));
                }
            }
        }
    }
    out
}

fn is_of_path(c: char) -> bool {
    c.is_ascii_alphanumeric() || "_-./*<>{}$~:".contains(c)
}

fn trim(token: &str) -> &str {
    // A path's end is no full stop, and what stands before it no dots.
    token.trim_end_matches(['.', ':', '-', '/']).trim_start_matches([':', '-'])
}

/// No placeholder, no glob, no address, nothing of another machine.
fn is_plain(token: &str) -> bool {
    !token.contains(['*', '<', '>', '{', '}', '$', '~', ':']) && !token.contains("..") && !token.contains("NAME")
}

fn is_path(token: &str) -> bool {
    let named = ENDS.iter().any(|e| token.len() > e.len() && token.ends_with(e));
    let rooted = ROOTS.iter().any(|r| token.starts_with(r) && token.len() > r.len());
    let name = token.rsplit('/').next().unwrap_or("");
    (named || rooted)
        && is_plain(token.trim_start_matches("../"))
        && !token.starts_with(['/', '.'])
        && !ELSEWHERE.contains(&name)
        // A file of the Go runtime's sources.
        && (token.contains('/') || !token.ends_with(".go"))
        || token.starts_with("../") && named && is_plain(token.trim_start_matches("../"))
}

/// `token` as seen from `dir`.
fn resolved(dir: &str, token: &str) -> String {
    let (mut dir, mut token) = (dir, token);
    while let Some(rest) = token.strip_prefix("../") {
        dir = dir.rsplit_once('/').map_or("", |(up, _)| up);
        token = rest;
    }
    if dir.is_empty() { token.to_owned() } else { format!("{dir}/{token}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn complaints(document: &str) -> Vec<String> {
        check(&Tree::with(&[
            ("docs/a/guide.md", document),
            ("docs/b.md", ""),
            ("crates/cli/src/commands/run.rs", "// See docs/b.md, and docs/gone.md.\nlet x = \"docs/gone.md\";\n"),
            ("crates/cli/tests/watch.rs", ""),
        ]))
    }

    #[test]
    fn what_is_not_there_is_found() {
        assert_eq!(complaints(""), ["crates/cli/src/commands/run.rs:1: docs/gone.md is not there"]);
        let good = "`cli/commands/run.rs`, cli/tests/watch.rs. [b](../b.md) crates/cli/ run.rs `docs/*.md` ~/x.rs /etc/y.toml \
                    https://a.b/c.html target/x";
        assert_eq!(complaints(good).len(), 1);
        let bad = complaints("`cli/commands/gone.rs`\n[b](../c.md) and crates/nobody.\n");
        assert_eq!(bad.len(), 4, "{bad:?}");
        assert!(bad[1].starts_with("docs/a/guide.md:2: ../c.md"), "{bad:?}");
    }
}
