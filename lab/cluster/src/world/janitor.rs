//! Who clears a world away when we cannot: a process of ours that waits for the end of a pipe. However we
//! end, the kernel closes it.

use std::io::Read as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context as _, Result};

use super::groups::Tree;

/// First argument of the program as a janitor.
pub const ARGUMENT: &str = "--clear-up-after-me";

/// The janitor of a world. Let go, it clears up.
#[derive(Debug)]
pub(super) struct Janitor(Child);

impl Janitor {
    /// Starts it: it will end all processes of the tree, remove the tree and the folder.
    pub(super) fn start(tree: &Tree, stage: &Path) -> Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        command.arg(ARGUMENT).arg(stage).args(tree.folders());
        command.stdin(Stdio::piped()).stdout(Stdio::null()).process_group(0);
        Ok(Self(command.spawn().context("the janitor")?))
    }
}

impl Drop for Janitor {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        let _ = self.0.wait();
    }
}

/// The janitor's own work: `--clear-up-after-me STAGE GROUP...`.
///
/// # Errors
/// Something is left.
pub fn serve(arguments: &[PathBuf]) -> Result<()> {
    let (stage, groups) = arguments.split_first().context("STAGE GROUP...")?;
    let tree = Tree::at(groups).context("GROUP...")?;
    let mut nothing = Vec::new();
    let _ = std::io::stdin().read_to_end(&mut nothing);
    let cleared = tree.clear();
    if stage.exists() {
        std::fs::remove_dir_all(stage).with_context(|| stage.display().to_string())?;
    }
    cleared
}
