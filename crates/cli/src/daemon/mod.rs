//! The daemon's surroundings: what becomes of evidence ([`scribe`], [`archive`], [`webhook`]), what it says of itself ([`http`], [`metrics`], [`own`]), and how its
//! configuration reaches all of them ([`settings`], [`surroundings`]). The watching itself is `lastgasp_recorder::daemon`.

pub(crate) mod archive;
mod http;
mod metrics;
mod own;
pub(crate) mod scribe;
pub(crate) mod settings;
pub(crate) mod surroundings;
mod webhook;
