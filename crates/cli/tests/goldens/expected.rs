//! Comparing with what is stored, or storing it.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Differences shown of one file, in lines.
const MOST_LINES: usize = 60;

/// What was compared so far. All differences are told at once, in [`Expected::done`].
#[derive(Debug, Default)]
pub(crate) struct Expected {
    trouble: Vec<String>,
    /// A folder of which each file must have been asked for, and those that were.
    whole: Option<(PathBuf, BTreeSet<PathBuf>)>,
}

impl Expected {
    /// As the default, and each file in that folder must be asked for: what nobody asks for any more must go.
    pub(crate) fn of(folder: &Path) -> Self {
        Self { whole: Some((folder.into(), BTreeSet::new())), ..Self::default() }
    }

    /// Compares with a file, or writes it where `UPDATE_GOLDENS` is set.
    pub(crate) fn hold(&mut self, file: &Path, now: &str) {
        if let Some((_, asked)) = &mut self.whole {
            asked.insert(file.into());
        }
        let stored = fs::read_to_string(file).ok();
        if stored.as_deref() == Some(now) {
            return;
        }
        if update() {
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            return fs::write(file, now).unwrap();
        }
        let name = file.strip_prefix(env!("CARGO_MANIFEST_DIR")).unwrap_or(file).display();
        self.trouble.push(match stored {
            Some(stored) => format!("--- {name} (stored)\n+++ now\n{}", difference(&stored, now)),
            None => format!("--- {name} is not there yet"),
        });
    }

    /// Ends the test.
    pub(crate) fn done(mut self) {
        if let Some((folder, asked)) = &self.whole {
            for entry in fs::read_dir(folder).into_iter().flatten() {
                let path = entry.unwrap().path();
                match asked.contains(&path) {
                    true => {}
                    false if update() => fs::remove_file(path).unwrap(),
                    false => self.trouble.push(format!("--- {} is of nothing that there is", path.display())),
                }
            }
        }
        assert!(
            self.trouble.is_empty(),
            "{} goldens differ (if it must be so: cargo xtask goldens, and read the diff):\n{}",
            self.trouble.len(),
            self.trouble.iter().take(8).cloned().collect::<Vec<_>>().join("\n")
        );
    }
}

fn update() -> bool {
    std::env::var_os("UPDATE_GOLDENS").is_some_and(|v| v == "1")
}

/// Lines that went and came, with two lines around.
fn difference(old: &str, new: &str) -> String {
    let (old, new): (Vec<&str>, Vec<&str>) = (old.split('\n').collect(), new.split('\n').collect());
    let same = |a: &mut dyn Iterator<Item = (&&str, &&str)>| a.take_while(|(a, b)| a == b).count();
    let head = same(&mut old.iter().zip(&new));
    let tail = same(&mut old[head..].iter().rev().zip(new[head..].iter().rev()));
    let (mut i, mut j) = (head, head);
    let (ends, endn) = (old.len() - tail, new.len() - tail);
    let mut out: Vec<String> = old[head.saturating_sub(2)..head].iter().map(|l| format!("  {l}")).collect();
    out.insert(0, format!("@@ line {} @@", head + 1));
    while i < ends || j < endn {
        // The nearest line that both have, within reach.
        let meet = (0..200)
            .flat_map(|n| (0..=n).map(move |a| (a, n - a)))
            .find(|(a, b)| i + a < ends && j + b < endn && old[i + a] == new[j + b]);
        let (a, b) = meet.unwrap_or((ends - i, endn - j));
        out.extend(old[i..i + a].iter().map(|l| format!("- {l}")));
        out.extend(new[j..j + b].iter().map(|l| format!("+ {l}")));
        (i, j) = (i + a, j + b);
        let alike = old[i..ends].iter().zip(&new[j..endn]).take_while(|(a, b)| a == b).count();
        if alike > 4 {
            out.extend(old[i..i + 2].iter().map(|l| format!("  {l}")));
            out.push(format!("@@ line {} @@", i + alike - 1));
            out.extend(old[i + alike - 2..i + alike].iter().map(|l| format!("  {l}")));
        } else {
            out.extend(old[i..i + alike].iter().map(|l| format!("  {l}")));
        }
        (i, j) = (i + alike, j + alike);
    }
    out.extend(old[ends..].iter().take(2).map(|l| format!("  {l}")));
    let all = out.len();
    out.truncate(MOST_LINES);
    if all > MOST_LINES {
        out.push(format!("... {} more lines", all - MOST_LINES));
    }
    out.join("\n")
}

#[test]
fn a_difference_is_told_line_by_line() {
    let old = "a\nb\nc\nd\ne\nf\ng\nh\ni\nj\nk";
    let new = "a\nb\nc\nD\ne\nf\ng\nh\ni\nj\nJ\nk";
    assert_eq!(difference(old, new), "@@ line 4 @@\n  b\n  c\n- d\n+ D\n  e\n  f\n@@ line 9 @@\n  i\n  j\n+ J\n  k");
    assert_eq!(difference("a\nb", "a\nb\nc"), "@@ line 3 @@\n  a\n  b\n+ c");
}
