//! Who clears a world away when we cannot: a shell that waits for the end of a pipe. However we end, the
//! kernel closes it.

use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use anyhow::{Context as _, Result};

use super::groups::Tree;

/// Waits, then ends all that is in the groups, removes them (the deepest first), and the stage.
/// `sh -c ... sh STAGE GROUP...`.
const SCRIPT: &str = r#"
cat >/dev/null
stage=$1
shift
tries=0
while [ $tries -lt 400 ]; do
  tries=$((tries + 1))
  alive=
  for group; do
    [ -d "$group" ] || continue
    # What is frozen does not die.
    find "$group" -name cgroup.freeze 2>/dev/null | while read -r file; do echo 0 >"$file" 2>/dev/null; done
    for pid in $(find "$group" -name cgroup.procs -exec cat {} + 2>/dev/null); do
      kill -9 "$pid" 2>/dev/null
      alive=1
    done
  done
  if [ -z "$alive" ]; then
    left=
    for group; do
      [ -d "$group" ] && find "$group" -depth -type d -exec rmdir {} \; 2>/dev/null
      [ -d "$group" ] && left=1
    done
    [ -z "$left" ] && break
  fi
  sleep 0.05
done
rm -rf "$stage"
"#;

/// The janitor of a world. Let go, it clears up.
#[derive(Debug)]
pub(super) struct Janitor(Child);

impl Janitor {
    /// Starts it: it will end all processes of the tree, remove the tree and the folder.
    pub(super) fn start(tree: &Tree, stage: &Path) -> Result<Self> {
        let mut command = Command::new("sh");
        command.args(["-c", SCRIPT, "sh"]).arg(stage).args(tree.folders());
        // In a group of its own: Ctrl-C does not reach it.
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
