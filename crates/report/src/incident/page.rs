//! The page of an incident: one file, no network. It draws the document and, beside it, series and curves.

use lastgasp_incident::{Brief, Incident};

use super::document::{document, drawn};
use crate::html::{CSS, FORMAT, filled};

const OWN_CSS: &str = include_str!("page.css");
/// In the order in which they depend on each other.
const SCRIPTS: &[&str] = &[
    FORMAT,
    include_str!("js/verdict.js"),
    include_str!("js/lanes.js"),
    include_str!("js/survival.js"),
    include_str!("js/sliders.js"),
    include_str!("js/tables.js"),
    include_str!("js/main.js"),
];

/// The page.
#[must_use]
pub fn page(i: &Incident, earlier: &[Brief]) -> String {
    let mut document = document(i, earlier);
    document["drawn"] = drawn(i);
    filled(
        &format!("lastgasp: incident of {}", i.service),
        "lastgasp incident",
        &format!("{CSS}\n{OWN_CSS}"),
        &SCRIPTS.join("\n"),
        &document,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_names_no_network_and_no_dangerous_calls() {
        for text in SCRIPTS.iter().chain([&OWN_CSS]) {
            for bad in ["</script", "{{", "innerHTML", "eval(", "http:", "https:", "fetch(", "insertAdjacent"] {
                let svg = text.replace("http://www.w3.org/2000/svg", "");
                assert!(!svg.contains(bad), "{bad}");
            }
        }
    }
}
