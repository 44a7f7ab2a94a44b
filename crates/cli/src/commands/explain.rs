//! `lastgasp explain [CODE]`: the page of a rule.

use anyhow::Result;
use lastgasp_report::{explain as page, explain_all};

use crate::exit::Exit;
use crate::output::say;

/// Prints the page of a rule, or the list of them all.
pub(super) fn explain(code: Option<&str>) -> Result<Exit> {
    say(&match code {
        Some(code) => page(code)?,
        None => explain_all(),
    });
    Ok(Exit::Fine)
}
