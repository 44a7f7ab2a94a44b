//! The daemon's surroundings: what becomes of evidence ([`scribe`], [`archive`]). The watching itself is `lastgasp_recorder::watch`.

pub(crate) mod archive;
pub(crate) mod scribe;
