//! An incident for people and for programs: [`text`] for a terminal and a message, [`document`] the JSON
//! (docs/formats/incident.md), [`page`] one HTML file. Nothing is computed here.

mod document;
mod page;
mod text;

pub use document::{document, none_document};
pub use page::page;
pub use text::{none_text, text};
