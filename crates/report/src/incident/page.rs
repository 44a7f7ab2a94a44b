//! The page of an incident: one file, no network.

use lastgasp_incident::Incident;

/// The page.
#[must_use]
pub fn page(_i: &Incident, _earlier: &[Incident]) -> String {
    String::new()
}
