//! The answer of `lastgasp why`, in the objects of the document.

use lastgasp_diagnosis::Why;
use serde_json::{Value, json};

use super::collections::{Census, Copies, Waste};
use super::holders::{Path, Root, Site, Type};

/// Schema lastgasp.why/1: what was asked, and all of the graph that has to do with it.
#[must_use]
pub(crate) fn why_document(asked: &str, why: &Why<'_>) -> Value {
    json!({
        "schema": "lastgasp.why/1",
        "asked": asked,
        "types": why.types.iter().copied().map(Type::of).collect::<Vec<_>>(),
        "roots": why.roots.iter().copied().map(Root::of).collect::<Vec<_>>(),
        "sites": why.sites.iter().copied().map(Site::of).collect::<Vec<_>>(),
        "paths": why.paths.iter().copied().map(Path::of).collect::<Vec<_>>(),
        "census": why.census.iter().copied().map(Census::of).collect::<Vec<_>>(),
        "copies": why.copies.iter().copied().map(Copies::of).collect::<Vec<_>>(),
        "waste": why.waste.iter().copied().map(Waste::of).collect::<Vec<_>>(),
    })
}
