//! `lastgasp config`: what the daemon would do with this file and these flags.

use anyhow::Result;
use lastgasp_agent::config::{WatchFlags, as_json, as_markdown, as_text, load};

use super::say;
use crate::exit::Exit;

/// Shows each value and where it came from.
pub(super) fn config(flags: &WatchFlags, json: bool, markdown: bool) -> Result<Exit> {
    let text = if markdown {
        as_markdown()?
    } else {
        let loaded = load(flags)?;
        if json { format!("{:#}\n", as_json(&loaded)?) } else { as_text(&loaded)? }
    };
    say(&text);
    Ok(Exit::Fine)
}
