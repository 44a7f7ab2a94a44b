//! A difference as `git diff -U0` prints it: which lines of which files are new.

use std::collections::BTreeMap;

/// Lines of a file that are new or were changed; of a file's new side.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Hunk {
    /// The first of them, counted from 1; of lines that were only removed the one before the gap, or 0.
    pub(super) first: u32,
    /// How many; 0 where lines were only removed.
    pub(super) lines: u32,
}

impl Hunk {
    /// The last of them; of a gap the line before it.
    pub(super) fn last(self) -> u32 {
        self.first.saturating_add(self.lines.saturating_sub(1))
    }
}

/// Hunks by file, as the new side names it. Files that are gone have none.
pub(super) fn hunks(diff: &str) -> BTreeMap<String, Vec<Hunk>> {
    let mut files: BTreeMap<String, Vec<Hunk>> = BTreeMap::new();
    let mut file: Option<String> = None;
    // Lines of a hunk may look like headings, so they are counted off.
    let mut left = 0u64;
    for line in diff.lines() {
        if left > 0 && (line.starts_with('+') || line.starts_with('-')) {
            left -= 1;
            continue;
        }
        if line.starts_with("diff --git ") {
            file = None;
            left = 0;
        } else if let Some(name) = line.strip_prefix("+++ b/") {
            file = Some(name.trim_end_matches('\t').to_owned());
        } else if let Some((old, new)) = line.strip_prefix("@@ -").and_then(heading) {
            left = u64::from(old.lines) + u64::from(new.lines);
            if let Some(file) = &file {
                files.entry(file.clone()).or_default().push(new);
            }
        }
    }
    files
}

/// `12,3 +14,2 @@ func f()`: what is old and what is new.
fn heading(text: &str) -> Option<(Hunk, Hunk)> {
    let (ranges, _) = text.split_once(" @@")?;
    let (old, new) = ranges.split_once(" +")?;
    Some((range(old)?, range(new)?))
}

fn range(text: &str) -> Option<Hunk> {
    let (first, lines) = text.split_once(',').unwrap_or((text, "1"));
    Some(Hunk { first: first.parse().ok()?, lines: lines.parse().ok()? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_that_are_new() {
        let diff = "diff --git a/a.go b/a.go\nindex 1..2 100644\n--- a/a.go\n+++ b/a.go\n@@ -3,0 +4,2 @@ func f() {\n++++ b/x.go\n+\tg()\n@@ -9 +11 @@\n-\tx\n+\ty\n@@ -20,2 +21,0 @@\n--- a\n-b\ndiff --git a/b.go b/b.go\n--- a/b.go\n+++ /dev/null\n@@ -1 +0,0 @@\n-package b\n";
        let files = hunks(diff);
        assert_eq!(files.keys().collect::<Vec<_>>(), ["a.go"]);
        let of: Vec<_> = files["a.go"].iter().map(|h| (h.first, h.lines, h.last())).collect();
        assert_eq!(of, [(4, 2, 5), (11, 1, 11), (21, 0, 21)]);
    }

    #[test]
    fn anything_else_is_no_hunk() {
        assert!(hunks("@@ -x +y @@\n@@ -1 +99999999999 @@\n+++ b/a.go\n@@").is_empty());
    }
}
