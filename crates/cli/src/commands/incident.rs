//! `lastgasp incident [SERVICE]`.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use lastgasp_incident::evidence::{Evidence, Loader as _, Query, UnixMs};
use lastgasp_incident::{briefs, newest};
use lastgasp_report::incident::{document, none_document, none_text, page, text};
use lastgasp_store::CaptureStore;
use lastgasp_store::events::EventStore;

use crate::args::Format;
use crate::exit::Exit;
use crate::output::say;

/// Changes from before the first kill that are read: a leak that a release brings may take a week.
const CHANGES_BEFORE_MS: i64 = 7 * 24 * 3_600_000;

/// Tells the newest incident of a service, or of all.
pub(super) fn incident(
    service: Option<&str>,
    since: UnixMs,
    stores: &[PathBuf],
    format: Format,
    out: Option<&Path>,
) -> Result<Exit> {
    let now = jiff::Timestamp::now().as_millisecond();
    let evidence = evidence(service, since, now, stores)?;
    let gaps = evidence.gaps.clone();
    let found = newest(evidence, service);
    let written = match (&found, format) {
        (Some((i, earlier)), Format::Text) => text(i, earlier),
        (Some((i, earlier)), Format::Json) => serde_json::to_string_pretty(&document(i, earlier))? + "\n",
        (Some((i, earlier)), Format::Html) => page(i, earlier),
        (None, Format::Text) => none_text(service, since, &gaps),
        (None, Format::Json) => serde_json::to_string_pretty(&none_document(service, since, now, &gaps))? + "\n",
        (None, Format::Html) => bail!("no incident since then: there is no page to write (see --since, --store)"),
    };
    match out {
        Some(file) => std::fs::write(file, written)
            .with_context(|| format!("{}: cannot be written (give another file with --out)", file.display()))?,
        None => say(&written),
    }
    Ok(Exit::Fine)
}

/// All that the stores have: captures and lives of the time, and changes and metrics around the newest of them.
fn evidence(service: Option<&str>, since: UnixMs, now: UnixMs, stores: &[PathBuf]) -> Result<Evidence> {
    let query = Query { service: service.map(str::to_owned), since_unix_ms: Some(since), now_unix_ms: now };
    let mut all = Evidence { now_unix_ms: now, ..Evidence::default() };
    let mut read = 0;
    for store in stores {
        match CaptureStore(store.clone()).load(&query, &mut all) {
            Ok(()) => read += 1,
            // One store of several that is not there is a gap.
            Err(e) if stores.len() > 1 => all.gaps.push(e.to_string()),
            Err(e) => return Err(e.into()),
        }
    }
    if read == 0 {
        bail!("none of the stores can be read: {}", all.gaps.join("; "));
    }
    // Around the newest kill that captures know; a later one that left none is in that time too.
    let newest = briefs(&all, service).into_iter().next();
    let events = newest.as_ref().map_or(since, |b| b.between.0.saturating_sub(CHANGES_BEFORE_MS));
    let query = Query { since_unix_ms: Some(events), ..query };
    for store in stores {
        let Ok(()) = EventStore(store.clone()).load(&query, &mut all);
    }
    Ok(all)
}
