//! Where the benches' results are kept.

use anyhow::Result;
use lastgasp_lab::build::repo_root;

/// Prints a result and keeps it in `benches/results/watch-NAME.txt`.
pub(super) fn keep(name: &str, text: &str) -> Result<()> {
    print!("{text}");
    let folder = repo_root().join("benches/results");
    std::fs::create_dir_all(&folder)?;
    std::fs::write(folder.join(format!("watch-{name}.txt")), text)?;
    Ok(())
}
