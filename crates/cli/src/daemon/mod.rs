//! The daemon's surroundings: what becomes of evidence ([`scribe`], [`lastgasp_store`], [`webhook`]), what it says of itself ([`http`], [`metrics`], [`own`]), and how its
//! configuration reaches all of them ([`settings`], [`surroundings`]). The watching itself is `lastgasp_recorder::watch`.

mod http;
mod metrics;
mod own;
pub(crate) mod scribe;
pub(crate) mod settings;
pub(crate) mod surroundings;
mod webhook;
