//! A cgroup's limit that we have changed, and how it is taken back.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::cgroup_file::{is_of_cgroup_fs, write};

/// A cgroup's file that we have changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct CgroupLimitChange {
    /// Which.
    pub file: PathBuf,
    /// What we wrote.
    pub ours: String,
    /// What stood there.
    pub saved: String,
}

impl CgroupLimitChange {
    /// Takes it back, if the file still holds what we wrote. Gives whether it did and does no longer.
    pub(crate) fn undo(&self) -> bool {
        is_of_cgroup_fs(&self.file)
            && value(&self.file).is_some_and(|v| v == self.ours)
            && write(&self.file, &self.saved).is_ok()
    }

    /// As the watchdog is told: the file last, whose name may hold spaces.
    pub(crate) fn words(&self) -> String {
        format!("{} {} {}", self.ours, self.saved, self.file.display())
    }

    /// The same, read.
    pub(crate) fn parse(words: &str) -> Option<Self> {
        let mut words = words.splitn(3, ' ');
        let (ours, saved, file) = (words.next()?, words.next()?, words.next()?);
        Some(Self { file: file.into(), ours: ours.into(), saved: saved.into() })
    }
}

/// What the file says: all of it, or of `memory.oom_control` whether its killer is off.
pub(crate) fn value(file: &Path) -> Option<String> {
    let text = std::fs::read_to_string(file).ok()?;
    let of_oom_control = text.lines().find_map(|l| l.strip_prefix("oom_kill_disable "));
    Some(of_oom_control.unwrap_or(&text).trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_and_back() {
        let change =
            CgroupLimitChange { file: "/sys/a b/memory.high".into(), ours: "4096".into(), saved: "max".into() };
        assert_eq!(CgroupLimitChange::parse(&change.words()), Some(change));
        assert_eq!(CgroupLimitChange::parse("1 2"), None);
    }
}
