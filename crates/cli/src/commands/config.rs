//! `lastgasp config`: what the daemon would do with this file and these flags.

use anyhow::Result;
use lastgasp_agent::config::{WatchFlags, as_json, as_markdown, as_text, load};

use crate::exit::Exit;
use crate::output::say;

/// Form in which the configuration is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// For people: values, origins, meanings.
    Text,
    /// Schema lastgasp.config/1.
    Json,
    /// Keys and their defaults, as documents have them.
    Markdown,
}

/// Shows each value and where it came from.
pub(super) fn config(flags: &WatchFlags, form: Form) -> Result<Exit> {
    let text = match form {
        Form::Text => as_text(&load(flags)?)?,
        Form::Json => format!("{:#}\n", as_json(&load(flags)?)?),
        Form::Markdown => as_markdown()?,
    };
    say(&text);
    Ok(Exit::Fine)
}
