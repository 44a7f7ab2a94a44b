//! `cargo xtask tidy`: what no compiler holds. Documents name paths and tests that exist and lists that are
//! whole; files have names that say something; rules have their headings; comments are no wider than 110.
//!
//! Each check is a function from the tree to complaints, tested on small trees of its own.

mod held_by;
mod lists;
mod names;
mod paths;
mod rules;
mod tree;
mod width;

use anyhow::{Result, bail};
use lastgasp_lab::build::repo_root;

use tree::Tree;

/// What a check is called, and the check: complaints about a tree.
type Check = (&'static str, fn(&Tree) -> Vec<String>);

const CHECKS: &[Check] = &[
    ("paths that documents name", paths::check),
    ("lists in documents", lists::check),
    ("tests that documents name", held_by::check),
    ("names of files", names::check),
    ("headings of rules", rules::check),
    ("width of comments", width::check),
];

/// Checks all; fails if there is something to complain about.
pub(crate) fn run() -> Result<()> {
    let tree = Tree::of(&repo_root())?;
    let mut count = 0;
    for (name, check) in CHECKS {
        let complaints = check(&tree);
        println!("{name}: {}", if complaints.is_empty() { "tidy".into() } else { format!("{}", complaints.len()) });
        complaints.iter().for_each(|c| println!("  {c}"));
        count += complaints.len();
    }
    println!("{}", width::note(&tree));
    if count > 0 {
        bail!("{count} things are not tidy");
    }
    Ok(())
}
