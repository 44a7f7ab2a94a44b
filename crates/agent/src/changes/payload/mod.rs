//! Contents as they stream by: what is kept of them is their size, the number of their elements and a salted
//! hash; no byte of them outlives the call that brings it.
//!
//! A configuration of 230,000 ids has megabytes, and a daemon with a ceiling of memory must not hold it: the
//! answers of configuration servers are read piece by piece ([`json`], [`base64`]), and values are counted as
//! they pass ([`elements`]).

pub(crate) mod base64;
pub(crate) mod elements;
pub(crate) mod json;

use lastgasp_store::events::{ContentHash, Salt};

use elements::Elements;

/// What is kept of a content.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Measured {
    pub(crate) bytes: u64,
    /// Elements, where it is a list or a table of any form that is known.
    pub(crate) elements: Option<u64>,
    /// Salted hash, in hex.
    pub(crate) hash: String,
}

/// A content that streams by.
#[derive(Debug)]
pub(crate) struct Measure {
    bytes: u64,
    elements: Elements,
    hash: ContentHash,
}

impl Measure {
    pub(crate) fn new(salt: &Salt) -> Self {
        Self { bytes: 0, elements: Elements::default(), hash: salt.content() }
    }

    /// More of it.
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        self.bytes = self.bytes.saturating_add(bytes.len() as u64);
        self.elements.push(bytes);
        self.hash.push(bytes);
    }

    /// All of it has passed.
    pub(crate) fn finish(self) -> Measured {
        Measured { bytes: self.bytes, elements: self.elements.count(), hash: self.hash.finish() }
    }

    /// Of a content that is at hand as a whole.
    pub(crate) fn of(salt: &Salt, content: &[u8]) -> Measured {
        let mut measure = Self::new(salt);
        measure.push(content);
        measure.finish()
    }
}
